#pragma once
// One disturbed command, as its judge sees it: what came over the line, what the card does next,
// and what is left after a loss of power.
#include <unordered_map>

#include "tests/firmware/glitch/emulated_card.hpp"

namespace tests::glitch {

/// What the attacker has got.
struct Gain : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The key whose tries count in a scenario.
struct TriedKey {
    protocol::KeyUsage usage;
    protocol::KeyIndex index;
};

/// The same command with the right MAC, cryptogram or PIN, and with those that differ from it in
/// one byte.
struct Guesses {
    Command right;
    std::vector<Command> near_misses;
};

struct Scenario {
    std::string name;
    /// The chip's memory before.
    std::function<std::vector<std::uint8_t>()> make;
    /// From power-on to just before the disturbed command; answers that command.
    std::function<Command(EmulatedCard&)> prepare;
    /// What the undisturbed command answers.
    StatusWord undisturbed = StatusWord::ok;
    /// Sent to the card after a loss of power; their answers are the view.
    std::vector<Command> looks;
    std::optional<TriedKey> tried{};
    /// The disturbed command is a wrong guess: the others it is compared with, once `prepare` has
    /// run.
    std::function<Guesses()> guesses{};
    /// Whoever sends the PIN may see it again.
    bool knows_pin = false;
    /// Throws Gain. Called for the undisturbed command first: then nothing may be gained.
    std::function<void(class Trial&)> judge;
};

/// The card after a loss of power.
struct View {
    bool is_mute = false;
    std::vector<Answer> answers;  ///< to the scenario's looks
    unsigned tries = 0;           ///< of the scenario's key

    /// The number in the n-th answer's data at `at`; empty when it is not there.
    [[nodiscard]] std::optional<std::uint32_t> number(std::size_t n, std::size_t at,
                                                      std::size_t size) const;
    [[nodiscard]] std::optional<StatusWord> status(std::size_t n) const;
};

[[nodiscard]] bool holds(Bytes bytes, Bytes part);

/// Bytes that may not leave the card: every eight in a row of a key, and the whole PIN.
class Secrets {
public:
    void add_key(Bytes key);
    void add_pin(Bytes pin) { add(pin, true); }
    [[nodiscard]] bool are_in(Bytes sent, bool pin_counts = true) const;

private:
    struct Window {
        std::vector<std::uint8_t> bytes;
        bool is_pin;
    };
    void add(Bytes bytes, bool is_pin);
    std::vector<Window> windows_;
    std::vector<bool> begins_ = std::vector<bool>(65536);
};

/// Views of memories already seen: most faults leave one of a few.
using Views = std::unordered_map<std::uint64_t, View>;

class Trial {
public:
    Trial(const Scenario& scenario, Machine& machine, Stop stop, const Secrets& secrets,
          Views& views);

    /// Everything that left the card since the command, in frames or not.
    [[nodiscard]] Bytes sent() const { return after_.line.from_card; }
    [[nodiscard]] bool shows(Bytes value) const;
    /// The answer; empty when there is none in a whole frame.
    [[nodiscard]] const std::optional<Answer>& answer() const { return answer_; }
    [[nodiscard]] bool answers(StatusWord status) const {
        return answer_ && answer_->status == status;
    }
    /// Whether the card listens for the next command.
    [[nodiscard]] bool is_live() const { return stop_ == Stop::idle; }

    /// No try was paid for: if the same fault lets the right guess answer anything else, and no
    /// other wrong one, then the answer told for nothing whether the guess was right.
    void suspect_free_guess() { is_suspect_ = true; }
    [[nodiscard]] bool is_suspect() const { return is_suspect_; }

    /// The next command of the same session, from where the card is now. Throws Mute; so does a
    /// card that does not listen.
    Answer ask(Bytes apdu);
    /// Back to just after the disturbed command.
    void go_back();
    /// After a loss of power.
    [[nodiscard]] const View& view();
    /// The same, but the session goes on from there with `ask`.
    void power_cycle();

private:
    const Scenario& scenario_;
    EmulatedCard card_;
    Stop stop_;
    const Secrets& secrets_;
    Views& views_;
    Machine::State after_;
    std::optional<Answer> answer_;
    bool may_ask_;
    bool is_suspect_ = false;
};

/// Throws Gain unless `condition`.
void deny(bool condition, const std::string& gain);

}  // namespace tests::glitch
