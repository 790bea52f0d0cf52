#pragma once
// NIST P-256 (SEC 2, 2.4.2) with a private key in memory: its public key, and ECDSA (FIPS 186-4,
// 6.4), deterministic (RFC 6979). mbedTLS.
#include <expected>

#include "crypto/core/random.hpp"

namespace crypto::keys {

using P256Bytes = std::array<std::uint8_t, 64>;  ///< x | y, or r | s; big-endian

enum class P256Error : std::uint8_t {
    key_out_of_range,  ///< d is not in [1, n-1]
    out_of_memory,
};

/// d is secret, 32 bytes. `random` blinds the computation; it is not in the result.
[[nodiscard]] std::expected<P256Bytes, P256Error> p256_public_key(
    std::span<const std::uint8_t, 32> d, Random& random);
[[nodiscard]] std::expected<P256Bytes, P256Error> p256_sign(
    std::span<const std::uint8_t, 32> d, std::span<const std::uint8_t, 32> digest, Random& random);

}  // namespace crypto::keys
