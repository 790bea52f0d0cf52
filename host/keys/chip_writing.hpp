#pragma once
// One certificate for a chip, written by either family and read again; and the keys that sign.
// docs/card_certificates.md, 1 and 2.
#include "host/keys/chip_certificates.hpp"

namespace host::keys {

using ChipSecret = std::variant<crypto::sm2::PrivateKey, crypto::keys::RsaPrivateKey>;

/// Into a store whose change has begun; of RSA with the exponent 65537.
[[nodiscard]] Result<void> generate_chip_key(KeyStore& store, const KeyName& key, unsigned bits,
                                             crypto::Random& random);
[[nodiscard]] Result<ChipSecret> reveal_chip_key(const KeyStore& store, const KeyName& key,
                                                 crypto::Random& random);
[[nodiscard]] ChipPublicKey public_of(const ChipSecret& secret);
/// SHA-256 of x | y, or of modulus and exponent, in hex.
[[nodiscard]] std::string fingerprint_of(const ChipPublicKey& key);

struct ChipFields {
    ChipCertificateKind kind = ChipCertificateKind::card;
    std::vector<std::uint8_t> subject;
    crypto::keys::CardExpiry expiry{};
    crypto::keys::CertificateSerial serial{};
    ChipPublicKey key;
    std::vector<std::uint8_t> static_data;
};
/// `ChipCertificate::text`. `certificate_refused` with the library's word, also when what was
/// written does not verify.
[[nodiscard]] Result<std::string> write_chip(const ChipSecret& signer, const ChipFields& fields,
                                             const std::vector<std::uint8_t>& signer_subject,
                                             crypto::Random& random, const protocol::Date& today);

}  // namespace host::keys
