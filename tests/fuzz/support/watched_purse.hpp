#pragma once
// An issued transit card, and a second opinion on its purse: what it is worth, its limit, its
// counters and its grey lock, foretold from the commands. Besides I1 to I5 (issued_chip.hpp):
//
//   P1. The purse changes only by CREDIT, DEBIT, UNLOAD, UPDATE LIMIT and the grey lock's commands,
//       each right behind its own INITIALIZE, by exactly the sum, and only with the right MAC.
//   P2. A torn command has done all of that or nothing.
//   P3. Afterwards it pays one fen with a sound SAM, unless it is blocked, locked or has no money.
#include "protocol/grey_lock.hpp"
#include "tests/fuzz/support/issued_chip.hpp"

namespace fuzz {

struct Purse {
    std::int64_t worth = 0;  ///< the balance, less what is owed
    std::uint32_t limit = 0;
    std::uint16_t offline = 0, online = 0;
    bool is_locked = false;
    friend bool operator==(const Purse&, const Purse&) = default;
};

class WatchedPurse final : public IssuedChip {
public:
    WatchedPurse(Chip chip, Secrets& secrets, Suite suite, Purse purse, Bytes pin);

    /// What a terminal or host would put into the last four bytes of this command now.
    [[nodiscard]] std::optional<protocol::Mac> right_mac(const CommandApdu& command) const;
    /// P3, with a SAM that nobody has attacked.
    void finish(Chip& sam);

protected:
    void foresee(const CommandApdu& command) override;
    void learn(const CommandApdu& command, const Answer& answer) override;
    void settle(const CommandApdu& command) override;

private:
    /// What the last INITIALIZE opened.
    struct Opened {
        std::uint8_t ins, p1;
        protocol::KeyIndex key;
        protocol::Money amount;
        protocol::TerminalNumber terminal;
        protocol::CardRandom random;
        std::optional<std::array<std::uint8_t, protocol::security_code_size>> code{};
    };
    struct Lock {
        protocol::KeyIndex key;
        protocol::CardRandom random;
        protocol::TerminalNumber terminal;
        protocol::TerminalSequence sequence;
    };
    [[nodiscard]] bool is_open(std::uint8_t ins, std::uint8_t p1) const {
        return opened_ && opened_->ins == ins && opened_->p1 == p1;
    }
    [[nodiscard]] std::optional<Purse> after(const CommandApdu& command) const;
    [[nodiscard]] std::optional<protocol::Mac> offline_mac(const CommandApdu& command) const;
    [[nodiscard]] std::optional<protocol::Mac> online_mac(const CommandApdu& command) const;
    [[nodiscard]] std::optional<protocol::Mac> grey_mac(const CommandApdu& command) const;
    [[nodiscard]] bool is_right(const CommandApdu& command) const;
    void take_over(const CommandApdu& command);
    void learn_opening(const CommandApdu& command, const Answer& answer);
    [[nodiscard]] bool was_done(const CommandApdu& command);
    [[nodiscard]] std::uint32_t amount_of(std::uint8_t which);
    void compare();
    [[nodiscard]] bool show_pin();
    void free_by_issuer();
    void pay_one(Chip& sam);

    Purse purse_;
    std::optional<Opened> opened_;
    std::optional<Purse> foreseen_;
    std::optional<Lock> lock_;
};

}  // namespace fuzz
