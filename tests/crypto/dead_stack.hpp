#pragma once
// What a call leaves on the stack: runs it under two keys in turn and looks for bytes that follow
// the key.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tests {

constexpr std::size_t dead_stack_depth = 96 * 1024;
using Dump = std::vector<std::uint8_t>;

/// Writes zeros where the calls to come will have their frames.
__attribute__((noinline, no_sanitize("address", "undefined"))) inline void clear_stack_below() {
    volatile std::uint8_t below[dead_stack_depth];
    for (std::size_t i = 0; i < dead_stack_depth; ++i) below[i] = 0;
    asm volatile("" : : "m"(below));
}
/// What the calls before left there.
__attribute__((noinline, no_sanitize("address", "undefined"))) inline void read_stack_below(
    std::uint8_t* out) {
    volatile std::uint8_t below[dead_stack_depth];
    asm volatile("" : "=m"(below));  // not initialised, on purpose
    for (std::size_t i = 0; i < dead_stack_depth; ++i) out[i] = below[i];
}

template <class Work>
[[gnu::noinline]] void stack_after(const Work& work, Dump& out) {
    clear_stack_below();
    work();
    read_stack_below(out.data());
}

/// Which of two keys each run gets. Heap addresses may change from run to run, but not in this
/// order.
inline constexpr std::array second_key{false, true, true, false, true, false, false, true};

[[gnu::noinline]] inline void choose_key(std::size_t run, std::array<std::uint8_t, 16>& master) {
    master = {0x3A, 0x91, 0x5C, 0xE7, 0x08, 0xB2, 0x4F, 0xD6,
              0x71, 0x0D, 0xCC, 0x2E, 0x95, 0x68, 0xF3, 0x1B};
    for (auto& byte : master) {
        if (second_key[run]) byte ^= 0xFF;
    }
}

/// Bytes of the stack that follow the key: the same after every run with one key, and another after
/// every run with the other. `prepare(master)` answers the work to be watched.
template <class Prepare>
std::size_t bytes_that_follow_the_key(const Prepare& prepare) {
    std::array<Dump, second_key.size()> dumps;
    std::ranges::fill(dumps, Dump(dead_stack_depth));
    std::array<std::uint8_t, 16> master{};
    for (std::size_t run = 0; run < dumps.size(); ++run) {
        choose_key(run, master);
        stack_after(prepare(master), dumps[run]);
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < dead_stack_depth; ++i) {
        bool follows = dumps[0][i] != dumps[1][i];
        for (std::size_t run = 0; run < dumps.size(); ++run) {
            follows = follows && dumps[run][i] == dumps[second_key[run] ? 1 : 0][i];
        }
        if (follows) ++count;
    }
    return count;
}

/// Leaves a key behind, as a kernel without a wipe after it would.
[[gnu::noinline]] inline void spill(const std::array<std::uint8_t, 16>& master) {
    volatile std::uint8_t below[4096];
    for (std::size_t i = 0; i < sizeof below; ++i) below[i] = master[i % 16];
    asm volatile("" : : "m"(below));
}

}  // namespace tests
