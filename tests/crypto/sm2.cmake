# The same cases on every engine: on this machine the façade is the host's. OpenSSL is a reference for tests only.
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
set(cases_sm2 3000)
set(cases_sm2_portable 500)
set(cases_sm2_card 500)
foreach(engine sm2 sm2_portable sm2_card)
    onecard_test(crypto_${engine}_test SOURCES sm2_test.cpp LABELS crypto sm2 LINK onecard::crypto_${engine})
    onecard_test(crypto_${engine}_openssl_test SOURCES sm2_openssl_test.cpp LABELS crypto sm2
        LINK onecard::crypto_${engine} OpenSSL::Crypto)
    if(NOT ONECARD_SANITIZE AND NOT ONECARD_FUZZ) # their frames are not those of the product
        onecard_test(crypto_${engine}_memory_test SOURCES sm2_memory_test.cpp LABELS crypto sm2
            LINK onecard::crypto_${engine})
    endif()
    # Without optimisation, under the sanitizers, a tenth must do.
    math(EXPR fewer "${cases_${engine}} / 10")
    target_compile_definitions(crypto_${engine}_openssl_test PRIVATE
        ONECARD_SM2_CASES=$<IF:$<CONFIG:Debug>,${fewer},${cases_${engine}}>)
endforeach()

# GCC 12 merged two products in assembly under these options (docs/sm2.md): the same cases again, so compiled.
if(NOT ONECARD_SANITIZE)
    set(unrolled_sm2 host_engine.cpp scheme.cpp encryption.cpp)
    list(TRANSFORM unrolled_sm2 PREPEND ${PROJECT_SOURCE_DIR}/crypto/sm2/)
    onecard_test(crypto_sm2_unrolled_test SOURCES sm2_test.cpp ${unrolled_sm2} LABELS crypto sm2 LINK onecard::crypto_core)
    target_compile_options(crypto_sm2_unrolled_test PRIVATE -O3 -funroll-loops)
endif()

onecard_test(crypto_sm2_field_test SOURCES sm2_field_test.cpp LABELS crypto sm2 LINK onecard::protocol)

# Constant time, under valgrind (which cannot run sanitized programs). The engines are compiled again, with a mark at
# each value that may be revealed. valgrind's processor does not announce ADX, so that form is chosen here by hand.
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT ONECARD_SANITIZE AND NOT ONECARD_FUZZ)
    set(form_sm2 ONECARD_SM2_ASSUME_MULX)
    set(form_sm2_portable ONECARD_SM2_PORTABLE_ENGINE)
    set(form_sm2_card ONECARD_SM2_CARD_ENGINE)
    set(engine_sm2 host_engine.cpp)
    set(engine_sm2_portable host_engine.cpp)
    set(engine_sm2_card card_engine.cpp)
    set(engines sm2_portable sm2_card)
    if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
        list(APPEND engines sm2)
    endif()
    foreach(engine ${engines})
        set(name crypto_${engine}_constant_time)
        set(sources ${engine_${engine}} scheme.cpp encryption.cpp)
        list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/crypto/sm2/)
        onecard_program(${name} SOURCES sm2_constant_time.cpp ${sources} LINK onecard::crypto_core)
        target_compile_definitions(${name} PRIVATE ONECARD_CONSTANT_TIME_CHECK ${form_${engine}})
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        set(valgrind ${VALGRIND} --quiet --error-exitcode=9)
        add_test(NAME ${name} COMMAND ${valgrind} $<TARGET_FILE:${name}>)
        add_test(NAME ${name}_sees_a_leak COMMAND ${valgrind} $<TARGET_FILE:${name}> --leak)
        set_tests_properties(${name} ${name}_sees_a_leak PROPERTIES LABELS "crypto;sm2;constant_time")
        set_tests_properties(${name}_sees_a_leak PROPERTIES PASS_REGULAR_EXPRESSION
            "Conditional jump or move depends on uninitialised value")
    endforeach()
endif()
