# Keys inside a PKCS#11 token: docs/pkcs11.md. SoftHSM2 is loaded at run time (Debian: softhsm2); its absence fails the tests.
set(softhsm2 /usr/lib/softhsm/libsofthsm2.so CACHE FILEPATH "SoftHSM2's module, for the tests")
add_library(crypto_pkcs11_faulty_module MODULE pkcs11_faulty_module.cpp)
target_include_directories(crypto_pkcs11_faulty_module PRIVATE ${PROJECT_SOURCE_DIR})
target_include_directories(crypto_pkcs11_faulty_module SYSTEM PRIVATE ${P11_KIT_INCLUDE_DIRS})
target_compile_definitions(crypto_pkcs11_faulty_module PRIVATE ONECARD_SOFTHSM2="${softhsm2}")
target_link_libraries(crypto_pkcs11_faulty_module PRIVATE onecard_warnings ${CMAKE_DL_LIBS})
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
foreach(part pkcs11 pkcs11_recovery pkcs11_threads)
    onecard_test(crypto_${part}_test SOURCES ${part}_test.cpp LABELS crypto keys
        LINK onecard::crypto_pkcs11 OpenSSL::Crypto)
    target_compile_definitions(crypto_${part}_test PRIVATE ONECARD_SOFTHSM2="${softhsm2}"
        ONECARD_FAULTY_MODULE="$<TARGET_FILE:crypto_pkcs11_faulty_module>")
    add_dependencies(crypto_${part}_test crypto_pkcs11_faulty_module)
endforeach()
# The key store over a token: the promises of every store, and its own.
foreach(part key_store token_store)
    onecard_test(crypto_${part}_on_token_test SOURCES ${part}_test.cpp LABELS crypto keys
        LINK onecard::crypto_pkcs11 onecard::crypto_random OpenSSL::Crypto)
    target_compile_definitions(crypto_${part}_on_token_test PRIVATE ONECARD_TEST_TOKEN
        ONECARD_SOFTHSM2="${softhsm2}" ONECARD_FAULTY_MODULE="$<TARGET_FILE:crypto_pkcs11_faulty_module>")
    add_dependencies(crypto_${part}_on_token_test crypto_pkcs11_faulty_module)
endforeach()
# Custodians with tokens of their own.
onecard_test(crypto_custodian_tokens_test SOURCES custodian_tokens_test.cpp LABELS crypto keys
    LINK onecard::crypto_pkcs11 onecard::crypto_random)
target_compile_definitions(crypto_custodian_tokens_test PRIVATE ONECARD_SOFTHSM2="${softhsm2}"
    ONECARD_FAULTY_MODULE="$<TARGET_FILE:crypto_pkcs11_faulty_module>")
add_dependencies(crypto_custodian_tokens_test crypto_pkcs11_faulty_module)
