foreach(part verifier issuer_keys memory circuits sm3 forms)
    onecard_test(crypto_batch_${part}_test SOURCES batch_${part}_test.cpp LABELS crypto batch_mac
        LINK onecard::crypto_batch onecard::crypto_purse)
endforeach()
find_package(Python3 COMPONENTS Interpreter REQUIRED)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_test(NAME crypto_batch_symbols_test
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/batch_symbols_test.py
            ${CMAKE_NM} $<TARGET_FILE:onecard_crypto_batch>)
    set_tests_properties(crypto_batch_symbols_test PROPERTIES LABELS "crypto;batch_mac")
endif()
