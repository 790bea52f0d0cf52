#pragma once
// A card or SAM that was issued: the harness knows its keys and its PIN and follows them through
// WRITE KEY, PIN changes and blocking. Besides W1 to W4 (watched_chip.hpp):
//
//   I1. VERIFY and CHANGE PIN accept the PIN and nothing else; RELOAD PIN only its MAC.
//   I2. What the PIN guards is read only after VERIFY.
//   I3. Keys and PINs are used up only by so many wrong or interrupted attempts.
//   I4. A chip or an application is blocked only by a right command, or by a purse key's last try.
//   I5. A torn WRITE KEY leaves the key before or the new one.
#include "tests/fuzz/support/watched_chip.hpp"

namespace fuzz {

enum class Blocking : std::uint8_t { none, for_a_time, for_good };

class IssuedChip : public WatchedChip {
public:
    struct Application {
        protocol::FileIdentifier file;
        Bytes name;
    };
    IssuedChip(Chip chip, Secrets& secrets, const std::vector<tests::IssuedKey>& issued,
               const Application& application, Bytes pin = {});

    void select();
    void authenticate();
    /// Anything behind a right MAC of the current directory's key; `plain` enciphered on demand.
    void protect(const std::array<std::uint8_t, 4>& header, KeyUsage key, Bytes plain,
                 bool is_enciphered);
    [[nodiscard]] Bytes pin() const { return pin_; }
    /// As the issuer gave it, or what WRITE KEY has made of it.
    [[nodiscard]] const tests::PurseKey& key(KeyUsage usage, KeyIndex index) const;
    [[nodiscard]] bool is_as_issued(KeyUsage usage, KeyIndex index) const;

protected:
    void learn(const CommandApdu& command, const Answer& answer) override;
    void after_restart() override;
    void settle(const CommandApdu& command) override;
    /// Reset; the chip says what it must, and its application is selected. False: it is blocked.
    [[nodiscard]] bool come_back();
    [[nodiscard]] bool may_be_used_up() const { return wrong_ >= tries_min_; }
    [[nodiscard]] bool may_pin_be_used_up() const { return wrong_ >= std::min(tries_min_, 3U); }
    [[nodiscard]] Blocking blocking() const { return blocking_; }

private:
    [[nodiscard]] const tests::IssuedKey* find(protocol::FileIdentifier file, KeyUsage usage,
                                               KeyIndex index) const;
    void count_wrong(const CommandApdu& command, const Answer& answer);
    void learn_selection(const Answer& answer);
    void learn_pin(const CommandApdu& command, const Answer& answer);
    void learn_key(KeyUsage usage, KeyIndex index, Bytes plain);
    void learn_blocking(const CommandApdu& command, const Answer& answer);
    [[nodiscard]] std::vector<std::uint8_t> stored(KeyUsage usage, KeyIndex index);
    void settle_key(KeyUsage usage, KeyIndex index, Bytes plain);
    void settle_pin(const CommandApdu& command);

    const std::vector<tests::IssuedKey>* issued_;
    std::vector<tests::IssuedKey> written_;
    Application application_;
    protocol::FileIdentifier directory_ = protocol::master_file;
    std::vector<std::uint8_t> pin_;
    bool is_pin_shown_ = false;
    Blocking blocking_ = Blocking::none;
    bool is_blocking_sure_ = true;
    bool is_card_blocked_ = false;
    unsigned wrong_ = 0;
    unsigned tries_min_ = protocol::key_tries_default;
};

/// In the holder's file, which the PIN guards.
constexpr std::array<std::uint8_t, 8> holder_mark{0xC1, 0x7E, 0x5A, 0x93, 0x0D, 0xE4, 0x68, 0xBF};

}  // namespace fuzz
