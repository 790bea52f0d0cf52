#pragma once
// PBOC's SM2 certificates of issuers and cards, and ours of roots and SAMs in the same shape:
// docs/card_certificates.md, 1.
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "crypto/core/sm2.hpp"
#include "crypto/keys/card_expiry.hpp"

namespace crypto::keys {

enum class Sm2CertificateKind : std::uint8_t {
    root = 0x11,    ///< subject: RID, index
    issuer = 0x12,  ///< subject: 3..8 digits of the issuer's number, then F
    card = 0x14,    ///< subject: the PAN's digits, then F
    sam = 0x18,     ///< subject: the SAM's number
};
[[nodiscard]] const char* name(Sm2CertificateKind kind);
[[nodiscard]] std::size_t subject_size(Sm2CertificateKind kind);

/// In the order of the checks.
enum class Sm2CertificateError : std::uint8_t {
    wrong_length,
    unknown_format,
    wrong_subject,       ///< not digits and filler as the kind demands
    wrong_expiry,        ///< not MM YY
    unknown_algorithm,   ///< not 04 00 11 40: SM2 with SM3 on the national curve, 64 bytes
    point_not_on_curve,  ///< the public key
    wrong_signer,        ///< this signer does not sign that kind, or not that subject
    signature_mismatch,
    revoked,
    expired,
    signer_failed,  ///< writing: the signer answered nothing
};
[[nodiscard]] const char* name(Sm2CertificateError error);
template <class T>
using Sm2CertificateResult = std::expected<T, Sm2CertificateError>;

using CertificateSerial = std::array<std::uint8_t, 3>;

/// A well-formed certificate. Nothing is believed until `verify` says so.
struct Sm2Certificate {
    Sm2CertificateKind kind = Sm2CertificateKind::issuer;
    std::vector<std::uint8_t> subject;
    CardExpiry expiry{};
    CertificateSerial serial{};
    sm2::PublicKey key;
    std::vector<std::uint8_t> signed_part;  ///< as it came, without static data
    sm2::Signature signature{};
};
[[nodiscard]] Sm2CertificateResult<Sm2Certificate> parse_sm2_certificate(Bytes certificate);

struct RevokedSerial {
    std::vector<std::uint8_t> signer;  ///< its subject
    CertificateSerial serial{};
};
struct Sm2Verification {
    Bytes static_data;  ///< cards: what their certificate also signs
    std::optional<protocol::Date> today;
    std::span<const RevokedSerial> revoked;
};
/// `signer` has been verified itself; a root is its own signer.
[[nodiscard]] Sm2CertificateResult<void> verify_sm2_certificate(const Sm2Certificate& certificate,
                                                                const Sm2Certificate& signer,
                                                                const Sm2Verification& facts);
/// Signature and nothing else, under a key known by itself. For the calculator.
[[nodiscard]] Sm2CertificateResult<void> verify_sm2_signature(const Sm2Certificate& certificate,
                                                              const sm2::PublicKey& key,
                                                              Bytes static_data);

struct Sm2CertificateRequest {
    Sm2CertificateKind kind = Sm2CertificateKind::issuer;
    std::vector<std::uint8_t> subject;
    CardExpiry expiry{};
    CertificateSerial serial{};
    Bytes static_data;  ///< cards
};
/// Who signs: the public key, and something that signs with the private one, wherever that lies.
struct Sm2Signer {
    sm2::PublicKey key;
    /// r | s over SM3(Z | message), Z with the default id (GB/T 32918.2, 5.5). Nothing: the key's
    /// place refused, and knows why.
    std::function<std::optional<sm2::Signature>(Bytes message)> sign;
};
/// Key and random source outlive it.
[[nodiscard]] Sm2Signer software_signer(const sm2::PrivateKey& key, Random& random);
/// Asks once and verifies the answer: `signer_failed`, `signature_mismatch`.
[[nodiscard]] Sm2CertificateResult<sm2::Signature> sign_verified(const Sm2Signer& signer,
                                                                 Bytes message);

/// The answer is 142 bytes for an issuer, 148 for a card or SAM, 144 for a root, whose subject key
/// is its signer's (`wrong_signer` otherwise).
[[nodiscard]] Sm2CertificateResult<std::vector<std::uint8_t>> issue_sm2_certificate(
    const Sm2CertificateRequest& request, const sm2::PublicKey& subject_key,
    const Sm2Signer& signer);
/// The same with the private key at hand.
[[nodiscard]] Sm2CertificateResult<std::vector<std::uint8_t>> issue_sm2_certificate(
    const Sm2CertificateRequest& request, const sm2::PublicKey& subject_key,
    const sm2::PrivateKey& signer, Random& random);

}  // namespace crypto::keys
