#pragma once
// RSA keys of EMV: 4.4 Book 2, B2.1. A private operation is a callback: the key may lie in a
// module. RSA is mbedTLS's.
#include <functional>
#include <optional>
#include <vector>

#include "crypto/core/random.hpp"
#include "crypto/keys/secret_buffer.hpp"

namespace crypto::keys {

struct RsaPublicKey {
    std::vector<std::uint8_t> modulus;   ///< big-endian, no leading zero
    std::vector<std::uint8_t> exponent;  ///< 03 or 010001
    friend bool operator==(const RsaPublicKey&, const RsaPublicKey&) = default;
};

/// d beside n and e.
struct RsaPrivateKey {
    RsaPublicKey public_key;
    SecretBuffer exponent;
};

/// Who signs: the public key, and frame^d mod n, as long as n, wherever d lies (A2.1.1). Nothing:
/// the key's place refused, and knows why.
struct RsaSigner {
    RsaPublicKey key;
    std::function<std::optional<std::vector<std::uint8_t>>(Bytes frame)> apply;
};
/// Blinded by `random`. Key and random source outlive it.
[[nodiscard]] RsaSigner software_signer(const RsaPrivateKey& key, Random& random);

enum class RsaExponent : std::uint8_t { three, fermat };  ///< 3, 2^16 + 1
constexpr unsigned rsa_bits_min = 1024;  ///< of new keys; older ones are still read
constexpr unsigned rsa_bits_max = 1984;  ///< 248 bytes
/// A fresh key of exactly that many bits (FIPS 186-4, B.3.3). Nothing unless they are whole bytes
/// and within the limits.
[[nodiscard]] std::optional<RsaPrivateKey> generate_rsa(unsigned bits, RsaExponent exponent,
                                                        Random& random);
/// RSAPrivateKey in DER (RFC 8017, A.1.2): how a store keeps it. Nothing when its numbers do not
/// belong together.
[[nodiscard]] std::optional<SecretBuffer> encode_rsa(const RsaPrivateKey& key);
[[nodiscard]] std::optional<RsaPrivateKey> decode_rsa(Bytes der);

}  // namespace crypto::keys
