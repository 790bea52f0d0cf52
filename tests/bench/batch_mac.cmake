find_package(OpenSSL 3 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBGCRYPT REQUIRED IMPORTED_TARGET libgcrypt)
onecard_program(batch_mac_bench
    SOURCES batch_mac_bench.cpp batch_mac_gcrypt.cpp batch_mac_openssl.cpp
    LINK onecard::crypto_batch onecard::crypto_purse OpenSSL::Crypto PkgConfig::LIBGCRYPT)
add_test(NAME batch_mac_bench_smoke COMMAND batch_mac_bench --smoke)
set_tests_properties(batch_mac_bench_smoke PROPERTIES LABELS bench)
