#pragma once
// What a command had to show against what it showed: a MAC, a cryptogram, a PIN. Two sums are made
// of it, and two decisions taken on them: where the proof is asked for and, in the other form,
// before anything becomes durable or an answer leaves (Context::commit). So to skip or to turn one
// of them is not enough. docs/card_security.md, 2.
#include "protocol/bytes.hpp"

namespace firmware {

/// Holds no secret: two bytes that say how much was different, and how much was equal.
class Proof {
public:
    /// In constant time for a given size; sizes are public. Nothing at all proves nothing.
    void compare(protocol::Bytes expected, protocol::Bytes received);
    /// Decides on the difference.
    [[nodiscard]] bool is_right() const { return difference_ == 0; }
    /// Decides on the agreement: false until something was compared, too.
    [[nodiscard]] bool is_still_right() const {
        return static_cast<std::uint8_t>(~agreement_) == 0;
    }
    /// Something was compared since `forget`.
    [[nodiscard]] bool was_asked() const { return was_asked_; }
    void forget() { *this = {}; }

private:
    std::uint8_t difference_ = 0xFF;
    std::uint8_t agreement_ = 0;
    bool was_asked_ = false;
};

}  // namespace firmware
