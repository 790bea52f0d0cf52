# Valgrind and the sanitizers exclude each other: these exist in presets without sanitizers, release among them,
# which is also where the optimiser could have put a branch.
find_program(VALGRIND valgrind)
if(VALGRIND AND NOT ONECARD_SANITIZE AND NOT ONECARD_FUZZ)
    add_executable(constant_time_test ${CMAKE_CURRENT_LIST_DIR}/constant_time_test.cpp)
    target_include_directories(constant_time_test PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(constant_time_test PRIVATE onecard_warnings onecard::crypto_purse)
    set_target_properties(constant_time_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    set(memcheck ${VALGRIND} --quiet --error-exitcode=9 $<TARGET_FILE:constant_time_test>)
    add_test(NAME constant_time_test COMMAND ${memcheck})
    add_test(NAME constant_time_test_sees_a_leak COMMAND ${memcheck} leak)
    set_tests_properties(constant_time_test PROPERTIES LABELS "crypto;constant_time")
    set_tests_properties(constant_time_test_sees_a_leak PROPERTIES LABELS "crypto;constant_time"
        PASS_REGULAR_EXPRESSION "depends on uninitialised value")
endif()
