#pragma once
// Certificates inside cards and SAMs, made and revoked by the nation and its cities: SM2 (JR/T
// 0025.17) and RSA (EMV 4.4 Book 2). One commit with its log line before anything leaves; what was
// written has been read and verified again. docs/card_certificates.md, 4.
#include <variant>

#include "crypto/keys/emv_certificate.hpp"
#include "host/keys/chip_register.hpp"
#include "host/keys/key_text.hpp"

namespace host::keys {

/// The alternative is the family.
using ChipPublicKey = std::variant<crypto::sm2::PublicKey, crypto::keys::RsaPublicKey>;
/// "key: 128 hex digits" (the name may be missing), or "modulus: HEX" and "exponent: HEX", each on
/// its line.
[[nodiscard]] Result<ChipPublicKey> parse_chip_key(ChipFamily family, std::string_view text);

struct ChipCertificate {
    std::string text;  ///< "certificate: HEX", of RSA with "remainder" and "exponent"; of a scheme
                       ///< key "record: HEX"
    KnownChip entry;
    bool repeated = false;  ///< the same was made before: its serial again
};

constexpr unsigned root_bits = 1984;
constexpr unsigned issuer_bits = 1408;

/// A root, by its scheme's id and index. Made with its key, unless that is there.
struct ChipRoot {
    ChipFamily family = ChipFamily::sm2;
    std::array<std::uint8_t, 5> rid{};
    std::uint8_t index = 1;  ///< 1..254: the key's version
};
/// Refusals in this order: input_wrong, certificate_expired, already_revoked, certificate_refused,
/// store_failed. `keys`: where a new key comes from.
[[nodiscard]] Result<ChipCertificate> certify_root(Nation& nation, const ChipRoot& root,
                                                   const crypto::keys::CardExpiry& expiry,
                                                   crypto::Random& keys, crypto::Random& random,
                                                   const platform::Clock& clock);

struct ChipIssuerOrder {
    ChipRoot root;
    std::string number;  ///< 3..8 digits
    crypto::keys::CardExpiry expiry{};
    bool new_key = false;  ///< the city makes another one
};
/// The nation's signature under the city's key. Three commits, in this order: the city's key, the
/// nation's certificate, the city's note of it; repeating ends what was interrupted.
/// Refusals in this order: input_wrong, mark_mismatch, nation_mismatch, certificate_unknown (no
/// such root), certificate_expired, city_mismatch (another city's number), key_certified,
/// already_revoked, certificate_refused, store_failed.
[[nodiscard]] Result<ChipCertificate> certify_issuer(Nation& nation, City& city,
                                                     const ChipIssuerOrder& order,
                                                     crypto::Random& keys, crypto::Random& random,
                                                     const platform::Clock& clock);

struct ChipOrder {
    ChipFamily family = ChipFamily::sm2;
    ChipCertificateKind kind = ChipCertificateKind::card;  ///< or sam: SM2 only
    std::string number;  ///< the PAN's digits, 12 to 20, or the SAM's 20
    crypto::keys::CardExpiry expiry{};
    ChipPublicKey key;
    std::vector<std::uint8_t> static_data{};  ///< cards
};
/// Refusals in this order: input_wrong, certificate_unknown (the city is no issuer of that family),
/// city_mismatch (the number does not begin with the issuer's), certificate_expired, key_certified,
/// already_revoked, certificate_refused, store_failed.
[[nodiscard]] Result<ChipCertificate> certify_chip(City& city, const ChipOrder& order,
                                                   crypto::Random& random,
                                                   const platform::Clock& clock);

/// Refusals in this order: certificate_unknown, already_revoked, store_failed.
[[nodiscard]] Result<KnownChip> revoke_chip(KeyStore& store, ChipFamily family,
                                            const std::string& signer, std::uint32_t serial,
                                            const platform::Clock& clock);

struct ChipList {
    std::string text;  ///< "list: HEX"
    crypto::keys::RevocationList list;
};
/// SM2: what `key` has signed and revoked, as long as it has not expired.
/// Refusals: list_refused, store_failed.
[[nodiscard]] Result<ChipList> write_chip_list(KeyStore& store, const KeyName& key,
                                               const std::string& signer, crypto::Random& random,
                                               const platform::Clock& clock);
/// The key that signs, and the subject it signs as: a root's, or the city's as an issuer.
struct ChipAuthority {
    KeyName key;
    std::string signer;
};
[[nodiscard]] ChipAuthority chip_authority(const ChipRoot& root);
/// `certificate_unknown`: no `certify_issuer` yet.
[[nodiscard]] Result<ChipAuthority> chip_authority(const City& city, ChipFamily family,
                                                   crypto::Random& random);

}  // namespace host::keys
