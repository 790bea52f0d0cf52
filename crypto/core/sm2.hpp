#pragma once
// SM2: digital signature, public key encryption. GB/T 32918-2016 parts 1, 2, 4 and 5 (ISO/IEC
// 14888-3:2018, 6.8).
//
// One façade, two engines (docs/sm2.md): the host's and the card's. Link `onecard::crypto_sm2`; the
// build chooses. Every byte string is big-endian. No heap, no exceptions. Constant time in every
// secret: no branch and no address depends on one. Public keys, messages, signatures and
// ciphertexts are public.
#include <expected>

#include "crypto/core/random.hpp"
#include "crypto/core/sm3.hpp"

namespace crypto::sm2 {

constexpr std::size_t scalar_size = 32;
constexpr std::size_t public_key_size = 64;               // x | y
constexpr std::size_t signature_size = 64;                // r | s
constexpr std::size_t ciphertext_overhead = 1 + 64 + 32;  // 04 | x1 | y1 (C1), then C3; C2 follows
constexpr std::size_t id_size_max = 0xFFFF / 8;  // ENTL counts bits in two bytes: part 2, 5.5
constexpr std::array<std::uint8_t, 16> default_id{
    '1', '2', '3', '4', '5', '6', '7', '8',
    '1', '2', '3', '4', '5', '6', '7', '8'};  // GM/T 0009-2012, 10

using Digest = Sm3Digest;
using Signature = std::array<std::uint8_t, signature_size>;

/// Why something was refused. Checks are made, and refusals given, in this order.
enum class Refusal : std::uint8_t {
    wrong_length,        ///< a key, signature, ciphertext or output buffer of another size than
                         ///< documented
    id_too_long,         ///< a signer's id above `id_size_max` bytes
    wrong_point_format,  ///< C1 does not begin with 04, the uncompressed form: part 1, 4.2.9
    coordinate_out_of_range,   ///< x or y is not below p
    point_not_on_curve,        ///< y^2 is not x^3 + ax + b
    private_key_out_of_range,  ///< d is not in [1, n-2]: part 1, 6.1
    signature_out_of_range,    ///< r or s is not in [1, n-1]: part 2, 7.1, B1 and B2
    signature_sum_is_zero,     ///< r + s = n: part 2, 7.1, B5
    signature_mismatch,        ///< well formed, but not this signer's over this message and id
    ciphertext_mismatch,       ///< C3 does not fit: another key, or a changed byte. Part 4, 7.1, B6
    random_unusable,           ///< many draws, none usable: the random source is broken
};
[[nodiscard]] const char* name(Refusal refusal);

template <class T>
using Result = std::expected<T, Refusal>;

/// A point on the curve, checked when it was made. Never the point at infinity.
class PublicKey {
public:
    /// 64 bytes, x | y. Part 1, 6.2. The curve's cofactor is 1, so a point on it is in the group.
    [[nodiscard]] static Result<PublicKey> parse(Bytes x_y);
    [[nodiscard]] std::span<const std::uint8_t, public_key_size> bytes() const { return bytes_; }
    friend bool operator==(const PublicKey&, const PublicKey&) = default;

private:
    friend class PrivateKey;
    PublicKey() = default;
    std::array<std::uint8_t, public_key_size> bytes_{};
};

/// d, with what signing needs beside it. Wipes itself; can be moved, not copied.
class PrivateKey {
public:
    /// A fresh key. Part 1, 6.1.
    [[nodiscard]] static Result<PrivateKey> generate(Random& random);
    /// From 32 bytes; computes the public key, which costs as much as a signature.
    [[nodiscard]] static Result<PrivateKey> load(Bytes d, Random& random);
    /// From 32 bytes and the public key stored beside them, which the caller vouches for.
    /// A wrong one cannot leak d; signatures made with it simply do not verify.
    [[nodiscard]] static Result<PrivateKey> load(Bytes d, const PublicKey& public_key,
                                                 Random& random);

    [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
    /// Secret: to seal the key for storage.
    [[nodiscard]] std::span<const std::uint8_t, scalar_size> bytes() const { return d_.bytes(); }
    /// Secret: (1+d)^-1 in the engine's own form. Computed once, under a random factor.
    [[nodiscard]] std::span<const std::uint8_t, scalar_size> inverse() const {
        return inverse_.bytes();
    }

private:
    PrivateKey() = default;
    SecretBytes<scalar_size> d_;
    SecretBytes<scalar_size> inverse_;
    PublicKey public_key_;
};

/// Z, which binds the signer's id and key into the digest. Part 2, 5.5. At most `id_size_max`
/// bytes.
[[nodiscard]] Result<Digest> z(Bytes id, const PublicKey& public_key);
/// e = SM3(Z | message). Part 2, 6.1, A1 and A2. For a message in pieces: feed Z, then the pieces,
/// to Sm3.
[[nodiscard]] Result<Digest> digest(Bytes id, const PublicKey& public_key, Bytes message);

/// Part 2, 6.1. Each attempt draws 32 bytes, which are k; one attempt in 2^32 needs another. A test
/// that must have the standard's k passes a Random that answers it.
[[nodiscard]] Result<Signature> sign(const PrivateKey& key, Bytes id, Bytes message,
                                     Random& random);
[[nodiscard]] Result<Signature> sign_digest(const PrivateKey& key, const Digest& e, Random& random);

/// Part 2, 7.1. `signature` is r | s, 64 bytes exactly.
[[nodiscard]] Result<void> verify(const PublicKey& key, Bytes id, Bytes message, Bytes signature);
[[nodiscard]] Result<void> verify_digest(const PublicKey& key, const Digest& e, Bytes signature);

/// Part 4, 6.1: C1 | C3 | C2. `out` has exactly `plaintext.size() + ciphertext_overhead` bytes and
/// does not overlap `plaintext`. An empty plaintext is refused (wrong_length): the key stream of no
/// bytes is "all zero" (A5).
[[nodiscard]] Result<void> encrypt(const PublicKey& key, Bytes plaintext, Random& random,
                                   MutableBytes out);
/// Part 4, 7.1. `out` has exactly `ciphertext.size() - ciphertext_overhead` bytes, does not overlap
/// `ciphertext`, and is all zero unless the call succeeds.
[[nodiscard]] Result<void> decrypt(const PrivateKey& key, Bytes ciphertext, MutableBytes out);

}  // namespace crypto::sm2
