# The same cases on every engine: on this machine the façade is the host's. OpenSSL is a reference for tests only.
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
set(cases_sm2 3000)
set(cases_sm2_portable 500)
set(cases_sm2_card 500)
foreach(engine sm2 sm2_portable sm2_card)
    onecard_test(crypto_${engine}_test SOURCES sm2_test.cpp LABELS crypto sm2 LINK onecard::crypto_${engine})
    onecard_test(crypto_${engine}_openssl_test SOURCES sm2_openssl_test.cpp LABELS crypto sm2
        LINK onecard::crypto_${engine} OpenSSL::Crypto)
    # Without optimisation, under the sanitizers, a tenth must do.
    math(EXPR fewer "${cases_${engine}} / 10")
    target_compile_definitions(crypto_${engine}_openssl_test PRIVATE
        ONECARD_SM2_CASES=$<IF:$<CONFIG:Debug>,${fewer},${cases_${engine}}>)
endforeach()
