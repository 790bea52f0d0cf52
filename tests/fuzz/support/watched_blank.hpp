#pragma once
// A chip before and during its personalisation, and the issuer's side of the session. Besides W1 to
// W4 (watched_chip.hpp):
//
//   B1. The session opens only for the right cryptogram, and its commands need it: without a
//       session nothing is created, written, erased or activated.
//   B2. A purse that personalisation makes is empty and stays so.
//   B3. Whatever was done or torn, the issuer begins again from the top and gets a card that pays;
//       unless the chip is active (then its transport key is gone) or blocked, or its tries are.
#include "tests/fuzz/support/watched_chip.hpp"

namespace fuzz {

class WatchedBlank final : public WatchedChip {
public:
    WatchedBlank(Chip chip, Secrets& secrets, Suite suite);

    /// GET CHALLENGE and EXTERNAL AUTHENTICATE, with the right cryptogram.
    void open_session();
    [[nodiscard]] bool is_open() const { return session_.has_value(); }
    /// Behind the session's next MAC; a session is opened if there is none. `plain` of WRITE KEY is
    /// enciphered.
    void protect(const std::array<std::uint8_t, 4>& header, Bytes data, bool is_enciphered,
                 std::optional<unsigned> le = std::nullopt);
    /// B3; `sam` is sound, its application selected.
    void finish(Chip& sam);

protected:
    void learn(const CommandApdu& command, const Answer& answer) override;
    void after_restart() override { session_.reset(); }
    void settle(const CommandApdu& command) override;

private:
    [[nodiscard]] std::array<std::uint8_t, 8> challenge();
    [[nodiscard]] protocol::ChipInfo info();
    void check_closed();
    void personalise();

    Suite suite_;
    tests::PurseKey transport_;
    std::optional<crypto::purse::SessionState> session_;
    bool is_active_ = false;
    bool is_blocked_ = false;  ///< CARD BLOCK works in the session, too
    unsigned wrong_ = 0;
};

}  // namespace fuzz
