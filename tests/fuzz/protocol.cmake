onecard_fuzz(fuzz_tlv SOURCES tlv_fuzz.cpp LINK onecard::protocol)
onecard_fuzz(fuzz_apdu_codec SOURCES apdu_codec_fuzz.cpp LINK onecard::protocol)
onecard_fuzz(fuzz_layouts SOURCES layouts_fuzz.cpp LINK onecard::protocol)
onecard_fuzz(fuzz_hot_list SOURCES hot_list_fuzz.cpp LINK onecard::protocol)
