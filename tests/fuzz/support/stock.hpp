#pragma once
// Chips made once and cloned for every input: with money, a PIN of six bytes that stands nowhere
// else, and a mark in the file that the PIN guards.
#include "tests/fuzz/support/watched_purse.hpp"
#include "tests/fuzz/support/watched_sam.hpp"

namespace fuzz {

constexpr std::uint32_t loaded_fen = 10'000;
constexpr std::array<std::uint8_t, 6> secret_pin{0x97, 0x31, 0x86, 0x42, 0x75, 0x09};

class Stock {
public:
    Stock();
    [[nodiscard]] const Chip& card(Suite suite) const {
        return suite == Suite::sm4 ? card_ : old_card_;
    }
    [[nodiscard]] const Chip& sam() const { return sam_; }
    /// Of the cards as they come from here.
    [[nodiscard]] static Purse purse() { return {.worth = loaded_fen, .online = 1}; }

private:
    Chip card_, old_card_, sam_;
};

}  // namespace fuzz
