#pragma once
// What a reader's slot holds: a chip with or without power. On which board it lives, it knows.
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/bytes.hpp"

namespace firmware::boards {

class Chip {
public:
    Chip() = default;
    Chip(const Chip&) = delete;
    Chip& operator=(const Chip&) = delete;
    virtual ~Chip() = default;

    /// Power on or reset. Empty: the chip is mute.
    [[nodiscard]] virtual std::span<const std::uint8_t> reset() = 0;
    /// Power off: everything volatile is gone.
    virtual void power_off() = 0;
    /// The ATR; powers the chip on if it is off.
    [[nodiscard]] virtual std::span<const std::uint8_t> atr() = 0;
    /// Empty when the chip is off or mute.
    [[nodiscard]] virtual std::vector<std::uint8_t> process(protocol::Bytes command) = 0;
    /// Once after each answer and reset has left, unless the board does it by itself.
    virtual void housekeeping() = 0;
    /// For tests: the board dies instead of doing operation number `operation` on its memory. False
    /// if this board cannot.
    [[nodiscard]] virtual bool kill_at(std::uint64_t operation) = 0;
    /// For trials: the next command loses power instead of doing operation number `operation` on
    /// the memory; it answers nothing and the chip is off. One that does fewer is answered as ever.
    /// False if this board, or its image, cannot.
    [[nodiscard]] virtual bool cut_at(std::uint32_t operation) = 0;
};

}  // namespace firmware::boards
