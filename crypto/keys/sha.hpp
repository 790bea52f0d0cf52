#pragma once
// SHA-1 and SHA-256, FIPS 180-4, mbedTLS's. SHA-1 only where EMV's certificates and derivation
// option B demand it.
#include "crypto/core/secret.hpp"

namespace crypto::keys {

using Sha1Digest = std::array<std::uint8_t, 20>;
using Sha256Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha1Digest sha1(Bytes data);
[[nodiscard]] Sha256Digest sha256(Bytes data);

}  // namespace crypto::keys
