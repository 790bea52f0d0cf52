onecard_fuzz(fuzz_key_store SOURCES key_store_fuzz.cpp LINK onecard::crypto_keys)
