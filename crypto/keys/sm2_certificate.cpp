#include "crypto/keys/sm2_certificate.hpp"

namespace crypto::keys {
namespace {

using Kind = Sm2CertificateKind;
using Error = Sm2CertificateError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::array<std::uint8_t, 4> algorithms{0x04, 0x00, 0x11, 0x40};
constexpr std::size_t fields_size = 2 + 3 + algorithms.size() + sm2::public_key_size;

std::size_t signed_size(Kind kind) {
    return 1 + subject_size(kind) + fields_size;
}

std::optional<Kind> kind_of(std::uint8_t format) {
    switch (const auto kind = static_cast<Kind>(format)) {
        case Kind::root:
        case Kind::issuer:
        case Kind::card:
        case Kind::sam: return kind;
    }
    return std::nullopt;
}

/// How many digits come before nothing but F; nothing when something else comes.
std::optional<std::size_t> digits_before_filler(Bytes bytes) {
    std::size_t digits = 0;
    bool filler = false;
    for (std::size_t i = 0; i < 2 * bytes.size(); ++i) {
        const unsigned nibble = i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 0x0FU;
        if (nibble == 0x0F) {
            filler = true;
        } else if (filler || nibble > 9) {
            return std::nullopt;
        } else {
            ++digits;
        }
    }
    return digits;
}

bool subject_fits(Kind kind, Bytes subject) {
    if (subject.size() != subject_size(kind)) return false;
    switch (kind) {
        case Kind::root: return true;
        case Kind::issuer: return digits_before_filler(subject).value_or(0) >= 3;
        case Kind::card: {
            const std::size_t digits = digits_before_filler(subject).value_or(0);
            return digits >= 12 && digits <= 19;
        }
        case Kind::sam: return protocol::is_bcd(subject);
    }
    return false;
}

/// docs/card_certificates.md, 1, last column; a PAN begins with its issuer's number.
bool may_sign(const Sm2Certificate& signer, const Sm2Certificate& certificate) {
    switch (certificate.kind) {
        case Kind::root: return signer.kind == Kind::root && signer.subject == certificate.subject;
        case Kind::issuer: return signer.kind == Kind::root;
        case Kind::sam: return signer.kind == Kind::issuer;
        case Kind::card: break;
    }
    if (signer.kind != Kind::issuer) return false;
    const std::size_t digits = digits_before_filler(signer.subject).value_or(0);
    for (std::size_t i = 0; i < digits; ++i) {
        const unsigned shift = i % 2 == 0 ? 4 : 0;
        if ((signer.subject[i / 2] >> shift & 0x0F) != (certificate.subject[i / 2] >> shift & 0x0F))
            return false;
    }
    return true;
}

std::vector<std::uint8_t> joined(Bytes a, Bytes b) {
    std::vector<std::uint8_t> out{a.begin(), a.end()};
    out.insert(out.end(), b.begin(), b.end());
    return out;
}

/// Only a card's signature covers static data.
Bytes covered(Kind kind, Bytes static_data) {
    return kind == Kind::card ? static_data : Bytes{};
}

}  // namespace

const char* name(Kind kind) {
    switch (kind) {
        case Kind::root: return "root";
        case Kind::issuer: return "issuer";
        case Kind::card: return "card";
        case Kind::sam: return "sam";
    }
    return "unknown";
}

std::size_t subject_size(Kind kind) {
    switch (kind) {
        case Kind::root: return 6;
        case Kind::issuer: return 4;
        case Kind::card:
        case Kind::sam: return 10;
    }
    return 0;
}

const char* name(Error error) {
    switch (error) {
        case Error::wrong_length: return "wrong_length";
        case Error::unknown_format: return "unknown_format";
        case Error::wrong_subject: return "wrong_subject";
        case Error::wrong_expiry: return "wrong_expiry";
        case Error::unknown_algorithm: return "unknown_algorithm";
        case Error::point_not_on_curve: return "point_not_on_curve";
        case Error::wrong_signer: return "wrong_signer";
        case Error::signature_mismatch: return "signature_mismatch";
        case Error::revoked: return "revoked";
        case Error::expired: return "expired";
    }
    return "unknown";
}

Sm2CertificateResult<Sm2Certificate> parse_sm2_certificate(Bytes certificate) {
    if (certificate.empty()) return refuse(Error::wrong_length);
    const auto kind = kind_of(certificate[0]);
    if (!kind) return refuse(Error::unknown_format);
    if (certificate.size() != signed_size(*kind) + sm2::signature_size) {
        return refuse(Error::wrong_length);
    }
    const Bytes fields = certificate.first(signed_size(*kind)).subspan(1);
    const Bytes subject = fields.first(subject_size(*kind));
    const Bytes rest = fields.subspan(subject.size());
    if (!subject_fits(*kind, subject)) return refuse(Error::wrong_subject);
    CardExpiry expiry{};
    std::ranges::copy(rest.first(2), expiry.begin());
    if (!is_card_expiry(expiry)) return refuse(Error::wrong_expiry);
    if (!std::ranges::equal(rest.subspan(5, 4), algorithms)) {
        return refuse(Error::unknown_algorithm);
    }
    const auto key = sm2::PublicKey::parse(rest.last(sm2::public_key_size));
    if (!key) return refuse(Error::point_not_on_curve);
    const Bytes signed_part = certificate.first(signed_size(*kind));
    Sm2Certificate out{*kind, {subject.begin(), subject.end()},         expiry, {},
                       *key,  {signed_part.begin(), signed_part.end()}, {}};
    std::ranges::copy(rest.subspan(2, 3), out.serial.begin());
    std::ranges::copy(certificate.last(sm2::signature_size), out.signature.begin());
    return out;
}

Sm2CertificateResult<void> verify_sm2_signature(const Sm2Certificate& certificate,
                                                const sm2::PublicKey& key, Bytes static_data) {
    const auto message = joined(certificate.signed_part, covered(certificate.kind, static_data));
    if (!sm2::verify(key, sm2::default_id, message, certificate.signature)) {
        return refuse(Error::signature_mismatch);
    }
    return {};
}

Sm2CertificateResult<void> verify_sm2_certificate(const Sm2Certificate& certificate,
                                                  const Sm2Certificate& signer,
                                                  const Sm2Verification& facts) {
    if (!may_sign(signer, certificate)) return refuse(Error::wrong_signer);
    ONECARD_CHECK(verify_sm2_signature(certificate, signer.key, facts.static_data));
    for (const RevokedSerial& entry : facts.revoked) {
        if (entry.signer == signer.subject && entry.serial == certificate.serial) {
            return refuse(Error::revoked);
        }
    }
    if (facts.today && is_expired(certificate.expiry, *facts.today)) return refuse(Error::expired);
    return {};
}

Sm2CertificateResult<std::vector<std::uint8_t>> issue_sm2_certificate(
    const Sm2CertificateRequest& request, const sm2::PublicKey& subject_key,
    const sm2::PrivateKey& signer, Random& random) {
    if (!subject_fits(request.kind, request.subject)) return refuse(Error::wrong_subject);
    if (!is_card_expiry(request.expiry)) return refuse(Error::wrong_expiry);
    std::vector<std::uint8_t> out(signed_size(request.kind));
    protocol::ByteWriter{out}
        .put_u8(static_cast<std::uint8_t>(request.kind))
        .put(request.subject)
        .put(request.expiry)
        .put(request.serial)
        .put(algorithms)
        .put(subject_key.bytes());
    const auto message = joined(out, covered(request.kind, request.static_data));
    const auto signature = sm2::sign(signer, sm2::default_id, message, random);
    if (!signature) __builtin_trap();  // the random source is broken: nothing can be signed
    out.insert(out.end(), signature->begin(), signature->end());
    return out;
}

}  // namespace crypto::keys
