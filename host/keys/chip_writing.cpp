#include "host/keys/chip_writing.hpp"

#include "crypto/keys/scheme_key.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

using crypto::keys::EmvCertificateKind;
using crypto::keys::RsaPrivateKey;
using crypto::keys::RsaPublicKey;
using crypto::keys::Sm2CertificateKind;

template <class Error>
std::unexpected<Refusal> refused(Error error) {
    return refuse(RefusalKind::certificate_refused, name(error));
}

std::string line(const char* what, crypto::Bytes bytes) {
    return std::string{what} + ": " + platform::to_hex(bytes) + "\n";
}

Sm2CertificateKind sm2_kind(ChipCertificateKind kind) {
    switch (kind) {
        case ChipCertificateKind::root: return Sm2CertificateKind::root;
        case ChipCertificateKind::issuer: return Sm2CertificateKind::issuer;
        case ChipCertificateKind::card: return Sm2CertificateKind::card;
        case ChipCertificateKind::sam: return Sm2CertificateKind::sam;
    }
    return Sm2CertificateKind::card;
}

Result<std::string> write_sm2(const crypto::sm2::PrivateKey& secret, const ChipFields& fields,
                              const std::vector<std::uint8_t>& signer_subject,
                              crypto::Random& random, const protocol::Date& today) {
    const auto written = crypto::keys::issue_sm2_certificate(
        {sm2_kind(fields.kind), fields.subject, fields.expiry, fields.serial, fields.static_data},
        std::get<crypto::sm2::PublicKey>(fields.key), secret, random);
    if (!written) return refused(written.error());
    const auto read = crypto::keys::parse_sm2_certificate(*written);
    if (!read) return refused(read.error());
    const bool by_root =
        fields.kind == ChipCertificateKind::root || fields.kind == ChipCertificateKind::issuer;
    const crypto::keys::Sm2Certificate signer{
        by_root ? Sm2CertificateKind::root : Sm2CertificateKind::issuer,
        signer_subject,
        {},
        {},
        secret.public_key(),
        {},
        {}};
    const auto verified = crypto::keys::verify_sm2_certificate(
        *read, fields.kind == ChipCertificateKind::root ? *read : signer,
        {fields.static_data, today, {}});
    if (!verified) return refused(verified.error());
    return line("certificate", *written);
}

Result<std::string> write_scheme(const RsaPublicKey& key, const ChipFields& fields) {
    crypto::keys::SchemeKey scheme{{}, fields.subject.back(), last_day(fields.expiry), key};
    std::ranges::copy_n(fields.subject.begin(), scheme.rid.size(), scheme.rid.begin());
    const auto record = crypto::keys::write_scheme_key(scheme);
    if (!record) return refused(record.error());
    const auto read = crypto::keys::read_scheme_key(*record);
    if (!read) return refused(read.error());
    return line("record", *record);
}

Result<std::string> write_rsa(const RsaPrivateKey& secret, const ChipFields& fields,
                              crypto::Random& random, const protocol::Date& today) {
    if (fields.kind == ChipCertificateKind::root) return write_scheme(secret.public_key, fields);
    const auto& key = std::get<RsaPublicKey>(fields.key);
    const bool issuer = fields.kind == ChipCertificateKind::issuer;
    const auto written = crypto::keys::issue_emv_certificate(
        {issuer ? EmvCertificateKind::issuer : EmvCertificateKind::card, fields.subject,
         fields.expiry, fields.serial, key, fields.static_data},
        secret, random);
    if (!written) return refused(written.error());
    const auto read = crypto::keys::recover_emv_certificate(
        secret.public_key, written->certificate,
        {written->remainder, key.exponent, fields.static_data});
    if (!read) return refused(read.error());
    const crypto::Bytes pan = issuer ? crypto::Bytes{} : crypto::Bytes{fields.subject};
    const auto checked = crypto::keys::check_emv_certificate(*read, pan, today);
    if (!checked) return refused(checked.error());
    std::string out = line("certificate", written->certificate);
    if (!written->remainder.empty()) out += line("remainder", written->remainder);
    return out + line("exponent", key.exponent);
}

/// The value behind "name: ", on a line of its own; nothing when there is none, or two.
std::optional<std::vector<std::uint8_t>> value_of(std::string_view text, std::string_view name) {
    std::optional<std::vector<std::uint8_t>> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view row = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!row.starts_with(name) || !row.substr(name.size()).starts_with(": ")) continue;
        if (out) return std::nullopt;
        row.remove_prefix(name.size() + 2);
        while (row.ends_with('\r') || row.ends_with(' ')) row.remove_suffix(1);
        out = platform::from_hex(row);
        if (!out) return std::nullopt;
    }
    return out;
}

}  // namespace

Result<ChipPublicKey> parse_chip_key(ChipFamily family, std::string_view text) {
    if (family == ChipFamily::sm2) {
        const auto bytes = value_of(text, "key");
        const auto key =
            crypto::sm2::PublicKey::parse(bytes ? crypto::Bytes{*bytes} : crypto::Bytes{});
        if (key) return *key;
        return refuse(
            RefusalKind::input_wrong,
            std::string{"--key: \"key: \" and x | y, 128 hex digits: "} + name(key.error()));
    }
    auto modulus = value_of(text, "modulus");
    auto exponent = value_of(text, "exponent");
    if (!modulus || !exponent || modulus->empty()) {
        return refuse(RefusalKind::input_wrong,
                      "--key: \"modulus: HEX\" and \"exponent: HEX\", each on a line of its own");
    }
    return RsaPublicKey{*std::move(modulus), *std::move(exponent)};
}

Result<void> generate_chip_key(KeyStore& store, const KeyName& key, unsigned bits,
                               crypto::Random& random) {
    if (key.algorithm == crypto::keys::KeyAlgorithm::sm2_private) {
        const auto made = generate_sm2(store, key, random);
        if (!made) return std::unexpected{made.error()};
        return {};
    }
    const auto made = crypto::keys::generate_rsa(bits, crypto::keys::RsaExponent::fermat, random);
    const auto encoded = made ? crypto::keys::encode_rsa(*made) : std::nullopt;
    if (!encoded) return refuse(RefusalKind::random_failed, text(key));
    const auto added = store.add(key, KeyState::active, encoded->bytes());
    if (!added) return store_refusal(text(key), added.error());
    return {};
}

Result<ChipSecret> reveal_chip_key(const KeyStore& store, const KeyName& key,
                                   crypto::Random& random) {
    const auto id = store.find(key);
    const auto described = id ? store.describe(*id) : std::unexpected{id.error()};
    if (!described) return store_refusal(text(key), described.error());
    crypto::keys::SecretBuffer secret{described->size};
    const auto revealed = store.reveal(*id, secret.bytes());
    if (!revealed) return store_refusal(text(key), revealed.error());
    if (key.algorithm == crypto::keys::KeyAlgorithm::rsa_private) {
        auto rsa = crypto::keys::decode_rsa(secret.bytes());
        if (!rsa) return store_refusal(text(key), crypto::keys::KeyError::key_value_wrong);
        return ChipSecret{*std::move(rsa)};
    }
    auto sm2 = crypto::sm2::PrivateKey::load(secret.bytes(), random);
    if (!sm2) return store_refusal(text(key), crypto::keys::KeyError::key_value_wrong);
    return ChipSecret{*std::move(sm2)};
}

ChipPublicKey public_of(const ChipSecret& secret) {
    if (const auto* sm2 = std::get_if<crypto::sm2::PrivateKey>(&secret)) return sm2->public_key();
    return std::get<RsaPrivateKey>(secret).public_key;
}

std::string fingerprint_of(const ChipPublicKey& key) {
    if (const auto* sm2 = std::get_if<crypto::sm2::PublicKey>(&key)) {
        return platform::to_hex(crypto::keys::sha256(sm2->bytes()));
    }
    const auto& rsa = std::get<RsaPublicKey>(key);
    std::vector<std::uint8_t> all{rsa.modulus};
    all.insert(all.end(), rsa.exponent.begin(), rsa.exponent.end());
    return platform::to_hex(crypto::keys::sha256(all));
}

Result<std::string> write_chip(const ChipSecret& signer, const ChipFields& fields,
                               const std::vector<std::uint8_t>& signer_subject,
                               crypto::Random& random, const protocol::Date& today) {
    if (const auto* sm2 = std::get_if<crypto::sm2::PrivateKey>(&signer)) {
        return write_sm2(*sm2, fields, signer_subject, random, today);
    }
    return write_rsa(std::get<RsaPrivateKey>(signer), fields, random, today);
}

}  // namespace host::keys
