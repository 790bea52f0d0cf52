#pragma once
// A chip under attack, and what must hold whatever is sent to it. Every command goes through
// `send`, the harness's own as well, so that each answer is judged:
//
//   W1. 2..258 bytes; never 6F00 (the card contradicts itself) and, on a sound flash, never 6581.
//   W2. No byte of a key or PIN (Secrets).
//   W3. A chip answers to a reset, whenever its power went.
//   W4. A command with secure messaging is accepted only if the harness made its MAC; and one that
//       the harness has MACed is never refused for its MAC.
#include "tests/firmware/support/terminal.hpp"
#include "tests/fuzz/support/secrets.hpp"

namespace fuzz {

using protocol::Bytes;
using protocol::CommandApdu;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::StatusWord;
using tests::Answer;
using tests::Chip;
using tests::Suite;

/// Power went during a command; the chip is on again and was judged. The step ends here.
struct Torn {};

class WatchedChip : public tests::Party {
public:
    WatchedChip(Chip chip, Secrets& secrets) : chip_{std::move(chip)}, secrets_{&secrets} {}
    WatchedChip(const WatchedChip&) = delete;
    WatchedChip& operator=(const WatchedChip&) = delete;

    Answer send(Bytes command) override;
    /// What a sound card must answer with 9000.
    std::vector<std::uint8_t> demand(Bytes command);
    /// The power goes at an operation on the flash, counted from here: in whichever command.
    void arm(const tests::PowerCut& cut) { chip_.flash().cut_at(cut); }
    void restart();
    void housekeeping();

protected:
    /// Of every command: what the model expects of it, before; what it has brought about, after.
    virtual void foresee(const CommandApdu&) {}
    virtual void learn(const CommandApdu&, const Answer&) {}
    virtual void after_restart() {}
    /// The chip is on again: it shows the state before the command, or the one behind it.
    virtual void settle(const CommandApdu&) {}
    /// A command that nothing is learnt from: the harness looks.
    Answer look(Bytes command);

    /// While it lives, what is sent has the harness's own MAC. `plain`: before it was enciphered.
    class Sealed {
    public:
        Sealed(WatchedChip& chip, Bytes plain) : chip_{&chip} { chip.sealed_ = plain; }
        ~Sealed() { chip_->sealed_.reset(); }
        Sealed(const Sealed&) = delete;
        Sealed& operator=(const Sealed&) = delete;

    private:
        WatchedChip* chip_;
    };
    [[nodiscard]] const std::optional<Bytes>& sealed() const { return sealed_; }
    [[nodiscard]] Chip& chip() { return chip_; }
    [[nodiscard]] Secrets& secrets() { return *secrets_; }

private:
    void judge(const Answer& answer) const;

    Chip chip_;
    Secrets* secrets_;
    std::optional<Bytes> sealed_;
};

}  // namespace fuzz
