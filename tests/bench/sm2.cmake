find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
foreach(engine sm2 sm2_portable sm2_card)
    onecard_program(${engine}_bench SOURCES sm2_bench.cpp
        LINK onecard::crypto_${engine} onecard::crypto_random OpenSSL::Crypto fmt::fmt)
    add_test(NAME ${engine}_bench_smoke COMMAND ${engine}_bench --smoke)
    set_tests_properties(${engine}_bench_smoke PROPERTIES LABELS bench)
endforeach()

# Counted, not timed: the card's engine on a Cortex-M4 under QEMU, against its budgets.
find_program(ARM_CXX arm-none-eabi-g++)
find_program(QEMU_ARM qemu-system-arm)
if(ARM_CXX AND QEMU_ARM)
    add_test(NAME sm2_card_cost
        COMMAND ${CMAKE_CURRENT_LIST_DIR}/sm2_card/run.sh ${CMAKE_CURRENT_BINARY_DIR}/sm2_card)
    set_tests_properties(sm2_card_cost PROPERTIES LABELS "crypto;sm2;card")
else()
    message(STATUS "sm2_card_cost is not tested: it needs arm-none-eabi-g++ and qemu-system-arm (prepare.sh installs them)")
endif()
