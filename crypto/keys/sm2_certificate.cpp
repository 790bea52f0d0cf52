#include "crypto/keys/sm2_certificate.hpp"

#include <algorithm>

namespace crypto::keys {
namespace {

using Kind = Sm2CertificateKind;
using Error = Sm2CertificateError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::array<std::uint8_t, 4> algorithms{0x04, 0x00, 0x11, 0x40};
constexpr std::size_t fields_size = 2 + 3 + algorithms.size() + sm2::public_key_size;

/// docs/card_certificates.md, 1: one line of its table. Reader and writer go by the same.
struct Shape {
    Kind kind;
    const char* name;
    std::size_t subject_size;
    /// Digits, then F up to the end; 0 and 0: any bytes.
    std::size_t digits_min;
    std::size_t digits_max;
    Kind signer;
};
constexpr std::array shapes{
    Shape{Kind::root, "root", 6, 0, 0, Kind::root},
    Shape{Kind::issuer, "issuer", 4, 3, 8, Kind::root},
    Shape{Kind::card, "card", 10, 12, 19, Kind::issuer},
    Shape{Kind::sam, "sam", 10, 20, 20, Kind::issuer},
};

const Shape* shape_of(Kind kind) {
    const auto* found = std::ranges::find(shapes, kind, &Shape::kind);
    return found == shapes.end() ? nullptr : found;
}

std::size_t signed_size(Kind kind) {
    return 1 + subject_size(kind) + fields_size;
}

std::optional<Kind> kind_of(std::uint8_t format) {
    const auto kind = static_cast<Kind>(format);
    return shape_of(kind) != nullptr ? std::optional{kind} : std::nullopt;
}

/// The part that is signed, field by field. Format byte first, then these in this order.
template <class Byte>
struct Layout {
    explicit Layout(std::span<Byte> signed_part)
        : subject{signed_part.subspan(1, signed_part.size() - 1 - fields_size)},
          expiry{signed_part.subspan(1 + subject.size(), 2)},
          serial{signed_part.subspan(3 + subject.size(), 3)},
          algorithm{signed_part.subspan(6 + subject.size(), algorithms.size())},
          key{signed_part.last(sm2::public_key_size)} {}
    std::span<Byte> subject;
    std::span<Byte> expiry;
    std::span<Byte> serial;
    std::span<Byte> algorithm;
    std::span<Byte> key;
};

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
    const Shape* shape = shape_of(kind);
    if (shape == nullptr || subject.size() != shape->subject_size) return false;
    if (shape->digits_max == 0) return true;
    const std::size_t digits = digits_before_filler(subject).value_or(0);
    return digits >= shape->digits_min && digits <= shape->digits_max;
}

/// docs/card_certificates.md, 1, last column; a PAN begins with its issuer's number.
bool may_sign(const Sm2Certificate& signer, const Sm2Certificate& certificate) {
    const Shape* shape = shape_of(certificate.kind);
    if (shape == nullptr || signer.kind != shape->signer) return false;
    if (certificate.kind == Kind::root) return signer.subject == certificate.subject;
    if (certificate.kind != Kind::card) return true;
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
    const Shape* shape = shape_of(kind);
    return shape == nullptr ? "unknown" : shape->name;
}

std::size_t subject_size(Kind kind) {
    const Shape* shape = shape_of(kind);
    return shape == nullptr ? 0 : shape->subject_size;
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
        case Error::signer_failed: return "signer_failed";
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
    const Bytes signed_part = certificate.first(signed_size(*kind));
    const Layout layout{signed_part};
    if (!subject_fits(*kind, layout.subject)) return refuse(Error::wrong_subject);
    CardExpiry expiry{};
    std::ranges::copy(layout.expiry, expiry.begin());
    if (!is_card_expiry(expiry)) return refuse(Error::wrong_expiry);
    if (!std::ranges::equal(layout.algorithm, algorithms)) return refuse(Error::unknown_algorithm);
    const auto key = sm2::PublicKey::parse(layout.key);
    if (!key) return refuse(Error::point_not_on_curve);
    Sm2Certificate out{*kind, {layout.subject.begin(), layout.subject.end()}, expiry, {},
                       *key,  {signed_part.begin(), signed_part.end()},       {}};
    std::ranges::copy(layout.serial, out.serial.begin());
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

Sm2Signer software_signer(const sm2::PrivateKey& key, Random& random) {
    return {key.public_key(), [&key, &random](Bytes message) -> std::optional<sm2::Signature> {
                const auto signature = sm2::sign(key, sm2::default_id, message, random);
                if (!signature) return std::nullopt;
                return *signature;
            }};
}

Sm2CertificateResult<sm2::Signature> sign_verified(const Sm2Signer& signer, Bytes message) {
    const auto signature = signer.sign(message);
    if (!signature) return refuse(Error::signer_failed);
    if (!sm2::verify(signer.key, sm2::default_id, message, *signature)) {
        return refuse(Error::signature_mismatch);
    }
    return *signature;
}

Sm2CertificateResult<std::vector<std::uint8_t>> issue_sm2_certificate(
    const Sm2CertificateRequest& request, const sm2::PublicKey& subject_key,
    const Sm2Signer& signer) {
    if (!subject_fits(request.kind, request.subject)) return refuse(Error::wrong_subject);
    if (!is_card_expiry(request.expiry)) return refuse(Error::wrong_expiry);
    // A root's own key signs it: any other would make a root that nobody can verify.
    if (request.kind == Kind::root && subject_key != signer.key) return refuse(Error::wrong_signer);
    std::vector<std::uint8_t> out(signed_size(request.kind));
    out[0] = static_cast<std::uint8_t>(request.kind);
    const Layout layout{std::span{out}};
    std::ranges::copy(request.subject, layout.subject.begin());
    std::ranges::copy(request.expiry, layout.expiry.begin());
    std::ranges::copy(request.serial, layout.serial.begin());
    std::ranges::copy(algorithms, layout.algorithm.begin());
    std::ranges::copy(subject_key.bytes(), layout.key.begin());
    const auto message = joined(out, covered(request.kind, request.static_data));
    ONECARD_TRY(signature, sign_verified(signer, message));
    out.insert(out.end(), signature.begin(), signature.end());
    return out;
}

Sm2CertificateResult<std::vector<std::uint8_t>> issue_sm2_certificate(
    const Sm2CertificateRequest& request, const sm2::PublicKey& subject_key,
    const sm2::PrivateKey& signer, Random& random) {
    return issue_sm2_certificate(request, subject_key, software_signer(signer, random));
}

}  // namespace crypto::keys
