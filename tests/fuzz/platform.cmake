onecard_fuzz(tls_fuzz SOURCES tls_fuzz.cpp
    LINK onecard::platform_net onecard::crypto_x509 onecard::crypto_random)
onecard_fuzz(issuing_fuzz SOURCES issuing_fuzz.cpp LINK onecard::host_keys)
