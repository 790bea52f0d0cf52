#pragma once
// Bytes that come from outside: sealed blobs from a file, public keys from a module. Pure.
// docs/pkcs11.md, "The sealed blob".
#include <array>
#include <optional>
#include <vector>

#include "crypto/core/secret.hpp"
#include "crypto/keys/pkcs11/error.hpp"

namespace crypto::keys::pkcs11 {

enum class SealMechanism : std::uint8_t {  // The numbers are in the blob.
    aes_gcm = 1,
    aes_key_wrap = 2,
};
constexpr std::size_t sealed_secret_size_max = 2048;
constexpr std::size_t seal_header_size = 8;
constexpr std::size_t seal_nonce_size = 12;
constexpr std::size_t seal_tag_size = 16;
constexpr std::size_t seal_digest_size = 32;

using SealHeader = std::array<std::uint8_t, seal_header_size>;
/// `size`: of the secret, 1..sealed_secret_size_max.
[[nodiscard]] SealHeader seal_header(SealMechanism mechanism, std::size_t size);

/// Views into a blob.
struct SealedBlob {
    Bytes header;
    SealMechanism mechanism;
    std::size_t size;  ///< of the secret
    Bytes nonce;       ///< aes_gcm only
    Bytes sealed;      ///< ciphertext and tag, or the wrapped package
};
/// blob_malformed unless every byte has its place.
[[nodiscard]] Result<SealedBlob> parse_sealed_blob(Bytes blob);

/// What aes_key_wrap wraps for a secret of `size` bytes: size (2), digest (32), secret, zeros.
[[nodiscard]] constexpr std::size_t seal_package_size(std::size_t size) {
    return (2 + seal_digest_size + size + 7) / 8 * 8;
}
constexpr std::size_t key_wrap_overhead = 8;  // RFC 3394, 2.2.1

constexpr std::size_t p256_point_size = 65;
/// 04 | X | Y: SEC 1 2.0, 2.3.3, uncompressed.
using P256Point = std::array<std::uint8_t, p256_point_size>;
/// CKA_EC_POINT: the point in a DER OCTET STRING, or bare as some modules give it. The curve's
/// equation is not checked: the module vouches for its own key.
[[nodiscard]] Result<P256Point> parse_ec_point(Bytes attribute);

}  // namespace crypto::keys::pkcs11
