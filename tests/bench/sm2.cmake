find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
foreach(engine sm2 sm2_portable sm2_card)
    onecard_program(${engine}_bench SOURCES sm2_bench.cpp
        LINK onecard::crypto_${engine} onecard::crypto_random OpenSSL::Crypto fmt::fmt)
    add_test(NAME ${engine}_bench_smoke COMMAND ${engine}_bench --smoke)
    set_tests_properties(${engine}_bench_smoke PROPERTIES LABELS bench)
endforeach()
