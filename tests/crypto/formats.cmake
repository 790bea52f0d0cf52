# Formats in which keys travel: docs/key_blocks.md, docs/calculator.md.
onecard_test(crypto_key_block_test SOURCES key_block_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random)
onecard_test(crypto_emv_test SOURCES emv_test.cpp LABELS crypto keys LINK onecard::crypto_formats)
onecard_test(crypto_pin_block_test SOURCES pin_block_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random)
onecard_test(crypto_secure_channel_test SOURCES secure_channel_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats)
onecard_test(crypto_modes_test SOURCES modes_test.cpp LABELS crypto LINK onecard::crypto_formats)
onecard_test(crypto_emv_certificate_test SOURCES emv_certificate_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random)
onecard_test(crypto_sm2_certificate_test SOURCES sm2_certificate_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random)
# OpenSSL is a reference for tests only.
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
onecard_test(crypto_openssl_differential_test SOURCES openssl_differential_test.cpp LABELS crypto
    LINK onecard::crypto_formats onecard::crypto_random OpenSSL::Crypto)
onecard_test(crypto_issuing_openssl_test SOURCES issuing_openssl_test.cpp LABELS crypto keys
    LINK onecard::crypto_formats onecard::crypto_random OpenSSL::Crypto)
