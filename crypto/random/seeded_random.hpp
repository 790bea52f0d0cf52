#pragma once
#include <string_view>

#include "crypto/core/random.hpp"
#include "crypto/core/sm3.hpp"

namespace crypto {

/// NOT random: the same seed and label give the same bytes, on every machine. For tests, rehearsals
/// and simulations only. Block i is SM3 of seed, label and i.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed, std::string_view label = {});
    /// An independent stream: one for each card, gate and host of a simulated city.
    [[nodiscard]] SeededRandom fork(std::string_view label) const;

    void fill(MutableBytes out) override;
    /// A number below `bound` (at least 1), evenly.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);

private:
    explicit SeededRandom(const Sm3& prefix) : prefix_{prefix} {}
    void next_block();

    Sm3 prefix_;
    Sm3Digest block_{};
    std::size_t used_ = sm3_digest_size;
    std::uint64_t count_ = 0;
};

}  // namespace crypto
