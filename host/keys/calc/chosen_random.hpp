#pragma once
#include <algorithm>
#include <optional>

#include "crypto/random/system_random.hpp"
#include "host/keys/calc/calculation.hpp"

namespace host::keys::calc {

/// The system's DRBG; or bytes given on the command line, to repeat a published example: they come
/// in order, and when they are used up, from their beginning.
class ChosenRandom final : public crypto::Random {
public:
    [[nodiscard]] static Answer<ChosenRandom> make(std::optional<SecretBuffer> given) {
        auto random = crypto::SystemRandom::open();
        if (!random) return refused(std::string{"random: "} + crypto::name(random.error()));
        return ChosenRandom{std::move(*random), std::move(given)};
    }
    /// Until then the DRBG answers.
    void use_given() { in_use_ = given_ && given_->size() > 0; }
    void fill(crypto::MutableBytes out) override {
        if (!in_use_) return system_.fill(out);
        for (std::uint8_t& byte : out) byte = given_->bytes()[at_++ % given_->size()];
    }

private:
    ChosenRandom(crypto::SystemRandom system, std::optional<SecretBuffer> given)
        : system_{std::move(system)}, given_{std::move(given)} {}
    crypto::SystemRandom system_;
    std::optional<SecretBuffer> given_;
    std::size_t at_ = 0;
    bool in_use_ = false;
};

}  // namespace host::keys::calc
