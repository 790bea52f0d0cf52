onecard_fuzz(fuzz_tlv_tree SOURCES tlv_tree_fuzz.cpp LINK onecard::host_calc)
