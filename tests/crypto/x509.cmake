# X.509 for TLS: docs/certificates.md.
onecard_test(crypto_x509_test SOURCES x509_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random mbedx509 mbedcrypto)
onecard_test(crypto_enrolment_test SOURCES enrolment_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random)
onecard_test(crypto_x509_revocation_test SOURCES x509_revocation_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random)
# Both ways through OpenSSL's command.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_executable(certificate_tool certificate_tool.cpp)
target_link_libraries(certificate_tool PRIVATE onecard_warnings onecard::crypto_x509 onecard::crypto_random)
add_test(NAME crypto_certificate_tools_test
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/certificate_tools_test.py
        $<TARGET_FILE:certificate_tool>)
set_tests_properties(crypto_certificate_tools_test PROPERTIES LABELS "crypto;keys")
