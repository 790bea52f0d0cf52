#pragma once
// Wipes what functions that have returned left on the stack: words of secrets that did not fit into
// registers. For callers of code that handles keys in its own frame.
#include <cstddef>
#include <cstring>

namespace crypto {

/// Overwrites `size` bytes of stack below the caller's frame.
template <std::size_t size>
[[gnu::noinline]] void wipe_stack() {
    char below[size];
    std::memset(below, 0, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");  // someone reads them: crypto/core/secret.hpp
}

}  // namespace crypto
