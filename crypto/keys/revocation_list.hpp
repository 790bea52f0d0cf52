#pragma once
// Which serial numbers of a signer's card certificates are no longer good: a list signed by that
// signer, for terminals and hosts. docs/card_certificates.md, 3.
#include "crypto/keys/sm2_certificate.hpp"

namespace crypto::keys {

/// In the order of the checks.
enum class RevocationListError : std::uint8_t {
    wrong_length,    ///< too short, or not what its counts say
    unknown_format,  ///< not 19
    wrong_date,      ///< not a day
    not_sorted,      ///< serials do not rise: one list has one form
    wrong_signer,    ///< another signer's subject, or one that signs no cards and issuers
    signature_mismatch,
    out_of_date,    ///< a lower sequence than the list already known
    too_many,       ///< writing: above 65535 serials
    signer_failed,  ///< writing: the signer answered nothing
};
[[nodiscard]] const char* name(RevocationListError error);
template <class T>
using RevocationListResult = std::expected<T, RevocationListError>;

struct RevocationList {
    std::vector<std::uint8_t> signer;  ///< subject of a root's or issuer's certificate
    std::uint32_t sequence = 0;        ///< rises by one from list to list
    protocol::Date issued;
    std::vector<CertificateSerial> serials;  ///< rising

    [[nodiscard]] bool contains(const CertificateSerial& serial) const;
    /// For `verify_sm2_certificate`.
    [[nodiscard]] std::vector<RevokedSerial> entries() const;
};

/// `known_sequence`: of the list this one replaces; an older one is refused, the same is accepted.
[[nodiscard]] RevocationListResult<RevocationList> open_revocation_list(
    Bytes list, const Sm2Certificate& signer, std::uint32_t known_sequence);
/// Sorts, signs and verifies: `too_many`, `wrong_signer`, `signer_failed`, `signature_mismatch`.
[[nodiscard]] RevocationListResult<std::vector<std::uint8_t>> write_revocation_list(
    RevocationList list, const Sm2Signer& signer);
/// The same with the private key at hand.
[[nodiscard]] RevocationListResult<std::vector<std::uint8_t>> write_revocation_list(
    RevocationList list, const sm2::PrivateKey& signer, Random& random);

}  // namespace crypto::keys
