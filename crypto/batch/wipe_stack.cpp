#include "crypto/batch/wipe_stack.hpp"

#include <cstring>

namespace crypto::batch {

[[gnu::noinline]] void wipe_stack() {
    char below[16384];  // the kernels need less than half; unoptimised ones about as much
    std::memset(below, 0, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");  // someone reads them: crypto/core/secret.hpp
}

}  // namespace crypto::batch
