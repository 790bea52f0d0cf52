onecard_test(crypto_core_test SOURCES core_test.cpp LABELS crypto LINK onecard::crypto_core)
onecard_test(crypto_purse_test SOURCES purse_test.cpp LABELS crypto purse LINK onecard::crypto_purse)
onecard_test(crypto_random_test SOURCES random_test.cpp LABELS crypto LINK onecard::crypto_random)
onecard_test(crypto_keys_test SOURCES keys_test.cpp LABELS crypto keys LINK onecard::crypto_keys onecard::crypto_random)
