#pragma once
// EMV's recoverable RSA certificates: 4.4 Book 2, 5.3 (issuer), 6.4 (card), 5.4 (signed static
// data), A2.1 (signature with recovery). docs/card_certificates.md, 2. RSA is mbedTLS's.
#include <expected>
#include <optional>
#include <vector>

#include "crypto/keys/card_expiry.hpp"
#include "crypto/keys/rsa_key.hpp"
#include "crypto/keys/sha.hpp"

namespace crypto::keys {

enum class EmvCertificateKind : std::uint8_t {
    issuer = 0x02,  ///< subject: 4 bytes, the PAN's first 3..8 digits, then F
    card = 0x04,    ///< subject: 10 bytes, the PAN's digits, then F
};

/// In the order of the checks.
enum class EmvCertificateError : std::uint8_t {
    wrong_length,       ///< not the signer's modulus' size; a modulus outside 64..248 bytes
    not_below_modulus,  ///< or an exponent that is not 3 or 65537
    wrong_frame,        ///< no 6A before or BC behind: another signer's, or altered
    unknown_format,
    unknown_algorithm,  ///< not SHA-1 with RSA
    wrong_key_length,   ///< key, remainder and exponent do not fit together
    hash_mismatch,      ///< altered; or a remainder, exponent or static data of another
    wrong_subject,      ///< not this PAN's
    wrong_expiry,       ///< not MM YY
    expired,
    key_wrong,  ///< writing: the signer answered nothing, or not with that modulus' private key
};
[[nodiscard]] const char* name(EmvCertificateError error);
template <class T>
using EmvCertificateResult = std::expected<T, EmvCertificateError>;

/// What travels beside a certificate: the rest of the key, and what a card's also covers.
struct EmvCertificateParts {
    Bytes remainder;
    Bytes exponent;
    Bytes static_data;  ///< cards: static data to be authenticated, 5.1.1
};

/// A certificate whose frame is right; `hash_right` says whether its hash is, too.
struct EmvCertificate {
    EmvCertificateKind kind = EmvCertificateKind::issuer;
    std::vector<std::uint8_t> subject;
    CardExpiry expiry{};
    std::array<std::uint8_t, 3> serial{};
    RsaPublicKey key;
    Sha1Digest hash{};
    bool hash_right = false;
};
/// Recovers and takes apart; checks up to `wrong_key_length`.
[[nodiscard]] EmvCertificateResult<EmvCertificate> recover_emv_certificate(
    const RsaPublicKey& signer, Bytes certificate, const EmvCertificateParts& parts);
/// The rest: hash, subject against the PAN (10 bytes, F behind; empty: not compared), expiry.
[[nodiscard]] EmvCertificateResult<void> check_emv_certificate(
    const EmvCertificate& certificate, Bytes pan, const std::optional<protocol::Date>& today);

/// Signed static application data, 5.4: the data authentication code, if the hash is right.
[[nodiscard]] EmvCertificateResult<std::array<std::uint8_t, 2>> recover_static_data(
    const RsaPublicKey& issuer, Bytes signed_data, Bytes static_data);

struct EmvCertificateRequest {
    EmvCertificateKind kind = EmvCertificateKind::issuer;
    std::vector<std::uint8_t> subject;
    CardExpiry expiry{};
    std::array<std::uint8_t, 3> serial{};
    RsaPublicKey key;
    Bytes static_data;
};
struct WrittenEmvCertificate {
    std::vector<std::uint8_t> certificate;
    std::vector<std::uint8_t> remainder;
};
/// What was written has been recovered again before it is answered.
[[nodiscard]] EmvCertificateResult<WrittenEmvCertificate> issue_emv_certificate(
    const EmvCertificateRequest& request, const RsaSigner& signer);
/// The same with the private key at hand. `random` blinds; the certificate does not depend on it.
[[nodiscard]] EmvCertificateResult<WrittenEmvCertificate> issue_emv_certificate(
    const EmvCertificateRequest& request, const RsaPrivateKey& signer, Random& random);

}  // namespace crypto::keys
