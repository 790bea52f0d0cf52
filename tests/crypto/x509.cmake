# X.509 for TLS: docs/certificates.md.
onecard_test(crypto_x509_test SOURCES x509_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random mbedx509 mbedcrypto)
onecard_test(crypto_enrolment_test SOURCES enrolment_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random)
onecard_test(crypto_x509_revocation_test SOURCES x509_revocation_test.cpp LABELS crypto keys
    LINK onecard::crypto_x509 onecard::crypto_random)
