foreach(part verifier issuer_keys memory circuits sm3 forms)
    onecard_test(crypto_batch_${part}_test SOURCES batch_${part}_test.cpp LABELS crypto batch_mac
        LINK onecard::crypto_batch onecard::crypto_purse)
endforeach()

# Constant time, twice: under valgrind (which cannot run sanitized programs, AVX-512 or GFNI), and step by step.
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT ONECARD_SANITIZE AND NOT ONECARD_FUZZ)
    onecard_program(crypto_batch_constant_time SOURCES batch_constant_time.cpp
        LINK onecard::crypto_batch onecard::crypto_purse)
    set_target_properties(crypto_batch_constant_time PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    set(memcheck ${VALGRIND} --quiet --error-exitcode=9 $<TARGET_FILE:crypto_batch_constant_time>)
    add_test(NAME crypto_batch_constant_time COMMAND ${memcheck})
    add_test(NAME crypto_batch_constant_time_sees_a_leak COMMAND ${memcheck} --leak)
    set_tests_properties(crypto_batch_constant_time crypto_batch_constant_time_sees_a_leak
        PROPERTIES LABELS "crypto;batch_mac;constant_time")
    set_tests_properties(crypto_batch_constant_time_sees_a_leak PROPERTIES PASS_REGULAR_EXPRESSION
        "Conditional jump or move depends on uninitialised value")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_SYSTEM_NAME STREQUAL "Linux"
        AND NOT ONECARD_SANITIZE AND NOT ONECARD_FUZZ) # optimised code is what matters, and a step is slow
    onecard_test(crypto_batch_flow_test SOURCES batch_flow_test.cpp LABELS crypto batch_mac constant_time
        LINK onecard::crypto_batch onecard::crypto_purse)
    target_compile_definitions(crypto_batch_flow_test PRIVATE ONECARD_BATCH_X86)
    target_compile_options(crypto_batch_flow_test PRIVATE -fno-omit-frame-pointer)
endif()

find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME crypto_batch_rules_test
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/batch_rules_test.py ${PROJECT_SOURCE_DIR})
add_test(NAME crypto_batch_generator_test
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/batch_generator_test.py
        $<TARGET_FILE:batch_des_circuits> ${PROJECT_SOURCE_DIR}/crypto/batch)
set_tests_properties(crypto_batch_rules_test crypto_batch_generator_test PROPERTIES LABELS "crypto;batch_mac")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_test(NAME crypto_batch_symbols_test
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_LIST_DIR}/batch_symbols_test.py
            ${CMAKE_NM} ${CMAKE_OBJDUMP} $<TARGET_FILE:onecard_crypto_batch>)
    set_tests_properties(crypto_batch_symbols_test PROPERTIES LABELS "crypto;batch_mac")
endif()
