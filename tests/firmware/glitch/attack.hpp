#pragma once
// Every instruction of one command skipped, and every condition inverted, one at a time.
// docs/card_glitch.md.
#include "tests/firmware/glitch/trial.hpp"

namespace tests::glitch {

enum class Fault : std::uint8_t {
    skipped,   ///< the instruction does nothing
    inverted,  ///< the conditional branch, or the IT block, goes the other way
};

/// Of an instruction that the command runs through many times, which times are disturbed.
struct Depth {
    std::uint32_t first = 1;  ///< so many of the first
    bool last = true;         ///< and the last one
    std::uint32_t every = 0;  ///< and one in so many; 1: all
    bool is_native = true;    ///< ciphers and hash on the host
};
/// ONECARD_GLITCH_NIGHTLY=1: all of them, the card's own ciphers.
[[nodiscard]] Depth depth();

/// The first passage through one instruction, disturbed one way, that gained something.
struct Finding {
    Fault fault;
    std::uint64_t at = 0;  ///< how many instructions the command had run
    std::uint32_t address = 0;
    std::string gain;
};

struct Tally {
    std::uint64_t executed = 0;  ///< instructions of the undisturbed command
    std::uint64_t kernel = 0;    ///< of them, where no fault is put
    std::uint64_t trials = 0;
    std::uint64_t right = 0;    ///< answered 9000, 61xx or 62xx
    std::uint64_t refused = 0;  ///< answered anything else
    std::uint64_t mute = 0;
    std::uint64_t judged = 0;  ///< outcomes that differ
    std::vector<Finding> findings;
};

/// The machines that all scenarios share: one is led through a command, the other takes it as it
/// is.
class Bench {
public:
    Bench(const Image& image, const Depth& depth, const Secrets& secrets);
    /// Throws std::runtime_error when the undisturbed command is not what the scenario expects.
    [[nodiscard]] Tally attack(const Scenario& scenario);

private:
    const Image& image_;
    Depth depth_;
    const Secrets& secrets_;
    Machine walker_, rehearsal_;
};

}  // namespace tests::glitch
