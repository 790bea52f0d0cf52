#pragma once
// For the kernels, whose speed depends on their loops being straight lines.
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define UNROLL _Pragma("GCC unroll 64")
