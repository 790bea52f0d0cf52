# Cross-compiles the card's image for a Cortex-M3 with Debian's arm-none-eabi compiler. docs/card_boards.md.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m3)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # there is no program to start here
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

# The compiler also writes each file's call graph with its frames (FILE.ci): tests/firmware/budget/stack_depth.py adds them up.
# ccache brings back objects without these files, so it stays out.
set(CCACHE OFF CACHE BOOL "not for the card's image" FORCE)
set(card_flags "-mcpu=cortex-m3 -mthumb -ffunction-sections -fdata-sections -fcallgraph-info=su \
-fno-unwind-tables -fno-asynchronous-unwind-tables")
set(CMAKE_C_FLAGS_INIT "${card_flags}")
set(CMAKE_CXX_FLAGS_INIT "${card_flags} -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-use-cxa-atexit")

# mbedTLS: compiled for the card by firmware/boards/mps2/CMakeLists.txt.
set(ONECARD_MBEDCRYPTO onecard_card_mbedtls CACHE STRING "mbedTLS's cryptographic library, as a link item")
