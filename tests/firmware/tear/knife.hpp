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
//
// What the chip programs is noted once, uncut. A cut is then made on a copy of the memory as it was
// before the operation: what the chip had done until then is the same each time.
#include <functional>
#include <stdexcept>

#include "tests/firmware/support/cuts.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace tests::tear {

using Command = std::vector<std::uint8_t>;

/// Counts the tries that are left of a key or PIN, by using them up.
struct Probe {
    std::vector<Command> attempt;  ///< one wrong attempt; some may not fit the state, one does
    unsigned wrong = 0x6988;       ///< if one of them answers this, one more try was there
    /// 63Cx of the last is read: it leaves x, and these were used to hear it.
    unsigned used_by_reading = 0;
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
    /// It may stop between old and new, unanswered; asked again, it goes on to the new.
    bool is_in_steps = false;
    bool is_thorough = false;  ///< a kind at each of its operations is cut again, and in every kind
};

/// How many cuts, and which of them are cut again: at each operation of the recovery, and at some
/// of the housekeeping behind it.
struct Depth {
    std::uint64_t samples = 1;        ///< patterns of each kind
    std::uint64_t bits_of_lives = 1;  ///< single bits exhaustively in so many of the lives
    /// Thorough cases: so many kinds at each operation, taking turns, are cut again in every kind.
    std::uint64_t thorough_kinds = 1;
    std::uint64_t other_kinds = 0;       ///< the same for the other cases
    std::uint64_t recovery_every = 500;  ///< besides, in each life one cut in so many, in one kind
    std::uint64_t housekeeping_every = 5;  ///< operations of it: one in so many, in one kind
    std::uint64_t cut_every = 1;           ///< sanitized builds take one cut in so many
    std::uint64_t seed = 1;
    [[nodiscard]] bool is_default() const;  ///< the release run, whose counts are documented
};
/// ONECARD_TEAR_NIGHTLY=1 asks for the long one, ONECARD_TEAR_SEED for other choices.
[[nodiscard]] Depth depth();

struct Tally {
    std::uint64_t cut_points = 0;
    std::uint64_t cut_again = 0;      ///< of them, those whose recovery was cut
    std::uint64_t recovery_cuts = 0;  ///< of them, the cuts of such a recovery
    std::uint64_t became_new = 0;
    std::uint64_t operations = 0;
    std::uint64_t lives = 0;
    std::uint64_t violations = 0;
    std::vector<std::string> broken{};  ///< the first of them, in words
};

/// What was broken, and where.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// All lives of the card, all operations, by `depth`. A violation is counted, and the run goes on.
[[nodiscard]] Tally cut_everywhere(const Case& tested, const Depth& depth);

}  // namespace tests::tear
