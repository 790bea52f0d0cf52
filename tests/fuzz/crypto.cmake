onecard_fuzz(fuzz_key_store SOURCES key_store_fuzz.cpp LINK onecard::crypto_keys)
onecard_fuzz(fuzz_sm2 SOURCES sm2_fuzz.cpp LINK onecard::crypto_sm2)
onecard_fuzz(fuzz_key_block SOURCES key_block_fuzz.cpp LINK onecard::crypto_formats)
onecard_fuzz(fuzz_card_certificate SOURCES card_certificate_fuzz.cpp LINK onecard::crypto_formats)
