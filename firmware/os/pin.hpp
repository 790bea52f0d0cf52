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

/// A PIN and its length in a fixed size, so that comparing takes the same time for every length.
class PaddedPin {
public:
    explicit PaddedPin(Bytes pin) {
        bytes_.bytes()[0] = static_cast<std::uint8_t>(pin.size());
        std::ranges::copy(pin.first(std::min<std::size_t>(pin.size(), 8)),
                          bytes_.bytes().begin() + 1);
    }
    [[nodiscard]] Bytes bytes() const { return bytes_.bytes(); }

private:
    crypto::SecretBytes<9> bytes_;
};

}  // namespace firmware
