#pragma once
// HMAC_DRBG of NIST SP 800-90A Rev. 1, 10.1.2, with HMAC-SM3: random numbers from one seed, for a
// board whose chip has no noise source of its own. Without a seed it stops the program.
#include "crypto/core/random.hpp"

namespace firmware::boards {

class Drbg final : public crypto::Random {
public:
    Drbg() = default;
    Drbg(const Drbg&) = delete;
    Drbg& operator=(const Drbg&) = delete;
    ~Drbg();

    /// 10.1.2.3, and 10.1.2.4 when it already has a state: the old one is mixed in. `seed` is
    /// entropy and nonce, 48 bytes or more, and secret.
    void seed(protocol::Bytes seed);
    /// 10.1.2.5, without additional input.
    void fill(crypto::MutableBytes out) override;

private:
    void update(protocol::Bytes provided);  // 10.1.2.2

    std::array<std::uint8_t, 32> key_{};
    std::array<std::uint8_t, 32> value_{};
    bool is_seeded_ = false;
};

}  // namespace firmware::boards
