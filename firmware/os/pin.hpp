#pragma once
// The holder's PIN: 4 to 12 digits, packed two a byte; an odd one leaves an F in the last byte.
#include "crypto/core/secret.hpp"
#include "protocol/bcd.hpp"
#include "protocol/personalisation.hpp"

namespace firmware {

using protocol::Bytes;

/// Without the FF bytes that some terminals append.
[[nodiscard]] constexpr Bytes strip_filling(Bytes pin) {
    while (!pin.empty() && pin.back() == 0xFF) pin = pin.first(pin.size() - 1);
    return pin;
}

/// A PIN fit to be stored; incorrect_data otherwise.
[[nodiscard]] constexpr protocol::Outcome<Bytes> parse_pin(Bytes filled) {
    const Bytes pin = strip_filling(filled);
    bool is_sound = pin.size() >= protocol::pin_size_min && pin.size() <= protocol::pin_size_max;
    for (std::size_t i = 0; is_sound && i < pin.size(); ++i) {
        const bool is_last = i + 1 == pin.size();
        const bool is_odd_end = is_last && (pin[i] & 0x0F) == 0x0F && (pin[i] >> 4) <= 9;
        is_sound = protocol::is_bcd(pin[i]) || is_odd_end;
    }
    if (!is_sound) return protocol::fail(protocol::StatusWord::incorrect_data);
    return pin;
}

/// A PIN and its length in a fixed size, so that padding and comparing take the same time for every
/// length.
class PaddedPin {
public:
    explicit PaddedPin(Bytes pin) : PaddedPin{pin, pin.size()} {}
    /// The first `size` of `memory`, where `memory` may hold more than the PIN: how much of it is
    /// the PIN is then a secret, too.
    PaddedPin(Bytes memory, std::size_t size) {
        bytes_.bytes()[0] = static_cast<std::uint8_t>(size);
        for (std::size_t i = 0; i < std::min<std::size_t>(memory.size(), 8); ++i) {
            std::size_t end = size;
            __asm__ volatile("" : "+r"(end));  // no branch on it is found, no loop runs by it
            const std::size_t keep = (i - end) >> (8 * sizeof i - 8);  // FF while i < size, then 00
            bytes_.bytes()[i + 1] = static_cast<std::uint8_t>(memory[i] & keep);
        }
    }
    [[nodiscard]] Bytes bytes() const { return bytes_.bytes(); }

private:
    crypto::SecretBytes<9> bytes_;
};

}  // namespace firmware
