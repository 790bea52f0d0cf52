#pragma once
// The host's random numbers: CTR_DRBG with AES-256 (NIST SP 800-90A, 10.2.1; mbedTLS), seeded and
// reseeded from the kernel, getrandom(2).
#include <expected>
#include <memory>

#include "crypto/core/random.hpp"

namespace crypto {

enum class RandomError : std::uint8_t {
    entropy_unavailable,  ///< the source answered an error, or too few bytes
    generator_failed,     ///< mbedTLS refused the seed
};
[[nodiscard]] constexpr const char* name(RandomError error) {
    switch (error) {
        case RandomError::entropy_unavailable: return "entropy_unavailable";
        case RandomError::generator_failed: return "generator_failed";
    }
    return "unknown";
}

/// Fills `out` with seed material; false when it cannot. `context` is the caller's.
struct EntropySource {
    bool (*fill)(void* context, MutableBytes out) = nullptr;
    void* context = nullptr;
};
[[nodiscard]] EntropySource kernel_entropy();

/// Safe from several threads. After a fork the child makes its own: the state is not shared.
/// A failed reseed later stops the program: there is nothing safe to answer.
class SystemRandom final : public Random {
public:
    [[nodiscard]] static std::expected<SystemRandom, RandomError> open(
        EntropySource source = kernel_entropy());
    SystemRandom(SystemRandom&&) noexcept;
    SystemRandom& operator=(SystemRandom&&) noexcept;
    ~SystemRandom();

    void fill(MutableBytes out) override;

private:
    struct State;
    explicit SystemRandom(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace crypto
