#pragma once
// What no answer of a chip may hold: any eight consecutive bytes of any key, and a whole PIN. By
// chance alone that is 2^-64, or 2^-48 for a PIN of six bytes.
#include <cstdint>
#include <vector>

#include "protocol/bytes.hpp"

namespace fuzz {

/// A broken invariant ends the run where libFuzzer sees it.
inline void require(bool condition) {
    if (!condition) __builtin_trap();
}

class Secrets {
public:
    /// The keys of issued cards and SAMs, their masters, the transport keys, in both suites. What
    /// stands in the input is no secret of the chip's: it may come back from a file.
    explicit Secrets(protocol::Bytes input) : input_{input} {}
    /// A key or PIN that a chip of this run gets.
    void add(protocol::Bytes secret);
    void check(protocol::Bytes answer) const;

private:
    [[nodiscard]] bool is_in_input(protocol::Bytes window) const;

    protocol::Bytes input_;
    std::vector<std::uint64_t> key_windows_;
    std::vector<std::vector<std::uint8_t>> pins_;
};

}  // namespace fuzz
