onecard_fuzz(fuzz_tlv_tree SOURCES tlv_tree_fuzz.cpp LINK onecard::host_calc)
onecard_fuzz(fuzz_ceremony SOURCES ceremony_fuzz.cpp LINK onecard::host_keys)
