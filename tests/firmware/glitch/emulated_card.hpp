#pragma once
// The machine as a reader sees it: power, and commands with their answers.
#include "tests/firmware/glitch/machine.hpp"
#include "tests/firmware/support/issuing.hpp"

namespace tests::glitch {

using Command = std::vector<std::uint8_t>;

/// The card does not answer, or not in frames.
struct Mute : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[nodiscard]] Command frame_of(Bytes apdu);
/// The response in what the card has sent since the command, if that is one whole frame.
[[nodiscard]] std::optional<Answer> answer_in(Bytes sent);
class EmulatedCard {
public:
    explicit EmulatedCard(Machine& machine) : machine_{machine} {}
    /// Power off and on; random numbers follow from `seed`. Throws Mute.
    void power_on(std::uint8_t seed = 1);
    /// Throws Mute.
    Answer send(Bytes apdu);
    /// Sends and requires 9000.
    std::vector<std::uint8_t> must(Bytes apdu);
    [[nodiscard]] Machine& machine() { return machine_; }

private:
    std::vector<std::uint8_t> exchange(std::vector<std::uint8_t> frame);
    Machine& machine_;
};

}  // namespace tests::glitch
