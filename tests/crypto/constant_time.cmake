onecard_constant_time_test(constant_time_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/constant_time_test.cpp
    LABELS "crypto;constant_time" LINK onecard::crypto_purse)
