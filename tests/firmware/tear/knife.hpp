#pragma once
// Power lost at every flash operation of one card command, and again at every operation of the
// recovery, judged by nothing but commands and answers. docs/card_storage.md, section 3.
//
// A cut point is (state, command, operation, kind of failure, pattern). After each:
//   - the card's visible state is the old one, or the new one; the new one if the answer had left;
//   - it reads the same twice, and after a further reset;
//   - no try of a key or PIN has been gained;
//   - the old card, asked again, answers bit by bit as it would have; the new one goes on;
//   - no answer holds a byte string of a key.
#include <functional>
#include <stdexcept>

#include "tests/firmware/support/cuts.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace tests::tear {

using Command = std::vector<std::uint8_t>;

/// Counts the tries that are left of a key or PIN, by using them up.
struct Probe {
    std::vector<Command> attempt;  ///< one wrong attempt
    /// Of the last command's status word: one more try was there; 63Cx is read, not counted.
    unsigned wrong = 0x6988;
};

struct Case {
    std::string name;
    std::function<Chip()> make;  ///< the chip before, whatever was said to it
    /// From power-on to just before the command under test; answers that command.
    std::function<Command(Chip&)> prepare;
    std::vector<Command> looks;     ///< everything that can be seen; they change nothing
    std::vector<Command> trials{};  ///< those whose success shows the state; tried on a copy
    Probe probe{};
    std::function<void(Chip&)> next;  ///< what the chip must still do in the new state
    /// Anything else that must hold after a cut, on a chip just powered on; throws Violation.
    std::function<void(const std::function<Bytes(Bytes)>& send)> judge{};
    bool replays = true;  ///< false: the number of tries left shows in the answers
};

struct Depth {
    static constexpr std::uint64_t seed_default = 20'260'501;
    std::uint64_t samples = 1;           ///< patterns of each kind
    std::uint64_t bits_of_lives = 1;     ///< single bits exhaustively in so many of the lives
    std::uint64_t recovery_every = 200;  ///< one cut in so many is cut again
    std::uint64_t recovery_kinds = 1;    ///< at each operation of the recovery; 0: every kind
    std::uint64_t cut_every = 1;         ///< sanitized builds take one cut in so many
    std::uint64_t seed = seed_default;
};
/// ONECARD_TEAR_NIGHTLY=1 asks for the long one, ONECARD_TEAR_SEED for other choices.
[[nodiscard]] Depth depth();

struct Tally {
    std::uint64_t cut_points = 0;
    std::uint64_t recovery_cuts = 0;  ///< of them, cut again while recovering
    std::uint64_t became_new = 0;
    std::uint64_t operations = 0;
    std::uint64_t lives = 0;
};

/// What was broken, and where.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// All lives of the card, all operations, by `depth`. Throws Violation.
[[nodiscard]] Tally cut_everywhere(const Case& tested, const Depth& depth);

}  // namespace tests::tear
