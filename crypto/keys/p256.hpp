#pragma once
// NIST P-256 keys and ECDSA with SHA-256 (FIPS 186-4, 6.4; SEC 2, 2.4.2), the key of TLS.
// mbedTLS's. Whoever signs is a callback: the private key may lie in a store, a module, another
// process.
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "crypto/core/random.hpp"
#include "crypto/keys/sha.hpp"

namespace crypto::keys {

/// d, big-endian, in [1, n-1].
using P256PrivateKey = SecretBytes<32>;
using P256PublicKey = std::array<std::uint8_t, 64>;  ///< x | y
using P256Signature = std::array<std::uint8_t, 64>;  ///< r | s

/// Signs a digest. Nothing: the key's place refused, and knows why.
using P256Signer = std::function<std::optional<P256Signature>(const Sha256Digest&)>;

[[nodiscard]] P256PrivateKey generate_p256(Random& random);
/// Q = dG (SEC 1, 3.2.1), blinded by `random`; nothing when d is not in [1, n-1].
[[nodiscard]] std::optional<P256PublicKey> public_key_of(const P256PrivateKey& key, Random& random);
[[nodiscard]] bool is_on_curve(const P256PublicKey& key);
/// Deterministic (RFC 6979): the same digest gives the same signature. Key and random source
/// outlive it.
[[nodiscard]] P256Signer software_signer(const P256PrivateKey& key, Random& random);
/// False for a key off the curve, too.
[[nodiscard]] bool verify_p256(const P256PublicKey& key, const Sha256Digest& digest,
                               const P256Signature& signature);

}  // namespace crypto::keys
