onecard_test(crypto_core_test SOURCES core_test.cpp LABELS crypto LINK onecard::crypto_core)
onecard_test(crypto_purse_test SOURCES purse_test.cpp LABELS crypto purse LINK onecard::crypto_purse)
