#pragma once
// Ways to lose power at one flash operation: shared by the tear tests of the store, of the files
// and of the card's commands. Every choice comes from a seed that the test prints.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tests/firmware/support/tearing_flash.hpp"

namespace tests {

/// SplitMix64: choices that a printed seed repeats.
class Choices {
public:
    explicit Choices(std::uint64_t seed) : state_{seed} {}
    std::uint64_t next() {
        std::uint64_t x = state_ += 0x9E3779B97F4A7C15;
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
        x = (x ^ x >> 27) * 0x94D049BB133111EB;
        return x ^ x >> 31;
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

private:
    std::uint64_t state_;
};

/// The environment's number, or `otherwise`: how a nightly run asks for more.
[[nodiscard]] inline std::uint64_t setting(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

/// Not begun, complete, and `samples` of every other kind; of the unstable kind in all four modes.
[[nodiscard]] inline std::vector<PowerCut> sampled_cuts(std::uint64_t operation,
                                                        std::uint64_t samples, Choices& choices) {
    std::vector<PowerCut> out{{operation, Tear::not_begun, 0}, {operation, Tear::complete, 0}};
    for (std::uint64_t i = 0; i < samples; ++i) {
        out.push_back({operation, Tear::partly, choices.next() >> 24});
        out.push_back({operation, Tear::subset, choices.next()});
        for (std::uint64_t mode = 0; mode < 4; ++mode) {
            out.push_back({operation, Tear::unstable, (choices.next() & ~std::uint64_t{3}) | mode});
        }
    }
    return out;
}

/// Each changing bit programmed alone, and each left alone.
inline void add_single_bits(std::vector<PowerCut>& cuts, std::uint64_t operation,
                            unsigned changing_bits) {
    for (unsigned bit = 0; bit < changing_bits && changing_bits > 1; ++bit) {
        const std::uint64_t one = std::uint64_t{1} << bit;
        cuts.push_back({operation, Tear::subset, one});
        if (changing_bits > 2) cuts.push_back({operation, Tear::subset, ~one});
    }
}

}  // namespace tests
