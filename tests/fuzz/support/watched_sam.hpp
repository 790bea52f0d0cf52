#pragma once
// An issued purchase SAM. Besides I1 to I5 (issued_chip.hpp):
//
//   S1. A terminal transaction number never comes twice, over resets and power cuts.
//   S2. A delegated key computes as often as was written, and a use is lost only with its answer.
//   S3. Afterwards a sound card pays one fen with it, unless it is blocked or its keys are others.
#include <map>

#include "tests/fuzz/support/issued_chip.hpp"

namespace fuzz {

class WatchedSam final : public IssuedChip {
public:
    WatchedSam(Chip chip, Secrets& secrets);
    /// A lock of a card under the key that is counted, one use of it.
    void use_counted(Suite suite);
    /// S2 to the last use, and S3.
    void finish(Chip& card, Suite suite);

protected:
    void learn(const CommandApdu& command, const Answer& answer) override;
    void settle(const CommandApdu& command) override;

private:
    struct Uses {
        std::uint32_t left = 0;  ///< at most
        std::uint32_t lost = 0;  ///< of them, perhaps
    };
    void take_use();
    void learn_uses(KeyIndex index);
    void drain(Suite suite);
    void pay_one(Chip& card, Suite suite);

    std::uint32_t last_number_ = 0;
    std::map<std::uint8_t, Uses> uses_;  ///< of the keys whose uses are limited, by index
    std::optional<std::uint8_t> prepared_;
};

}  // namespace fuzz
