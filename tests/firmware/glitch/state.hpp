#pragma once
// When two machines are in the same state, so that one need not be run to its end.
#include <unordered_map>

#include "tests/firmware/glitch/machine.hpp"

namespace tests::glitch {

/// What decides about all that a machine will do and has done: what has left it, its memory, and as
/// much of its stack and registers as is in use. `first_register`: 0 at the beginning of a
/// function, 4 inside one that has called another. `nvm_before`: of the command.
[[nodiscard]] std::uint64_t state_of(const Machine& machine, const Image& image, Bytes nvm_before,
                                     std::size_t first_register);
/// The same of a command's end. A machine that has stopped will never do anything again.
[[nodiscard]] std::uint64_t end_of(const Machine& machine, const Image& image, Stop stop,
                                   Bytes nvm_before);

/// Beginnings of functions that the undisturbed command comes by once. A disturbed one that comes
/// by in a state that was seen there before will end as that one did: it need not be run again.
class Milestones {
public:
    Milestones(const Image& image, const std::vector<std::uint32_t>& path);
    [[nodiscard]] const std::vector<std::uint32_t>& addresses() const { return addresses_; }

    void set_out() { passed_.clear(); }
    /// True: how it ends is known. Else it is remembered until `arrive`.
    [[nodiscard]] bool pass(std::uint64_t state) {
        const auto found = known_.find(state);
        if (found != known_.end()) {
            end_ = found->second;
            return true;
        }
        passed_.push_back(state);
        return false;
    }
    /// The end of the run that `pass` cut short.
    [[nodiscard]] std::uint64_t end() const { return end_; }
    void arrive(std::uint64_t end) {
        for (const std::uint64_t state : passed_) known_.emplace(state, end);
    }
    void forget() { known_.clear(); }

private:
    std::vector<std::uint32_t> addresses_;
    std::vector<std::uint64_t> passed_;
    std::unordered_map<std::uint64_t, std::uint64_t> known_;
    std::uint64_t end_ = 0;
};

}  // namespace tests::glitch
