#include "crypto/keys/x509.hpp"

#include <algorithm>

#include "crypto/keys/x509_der.hpp"

namespace crypto::keys {
namespace {

using der::Der;
using der::Tag;

constexpr std::size_t part_size_max = 64;  // X.520: ub-common-name and its like

// id-ce arcs (2.5.29.x). RFC 5280, 4.2.1.
constexpr std::uint8_t subject_key_identifier_id = 14;
constexpr std::uint8_t key_usage_id = 15;
constexpr std::uint8_t basic_constraints_id = 19;
constexpr std::uint8_t extended_key_usage_id = 37;

bool is_plain(std::string_view part) {
    return !part.empty() && part.size() <= part_size_max && std::ranges::all_of(part, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '-' || c == '.' || c == '_';
    });
}

/// 4.2.1.9: whether it is an authority, and how many authorities may follow it.
Der basic_constraints(X509Kind kind) {
    if (kind == X509Kind::unit)
        return der::extension(basic_constraints_id, false, der::sequence({}));
    const Der path_length = der::integer(kind == X509Kind::root ? std::uint64_t{1} : 0);
    return der::extension(basic_constraints_id, true,
                          der::sequence({der::boolean_true(), path_length}));
}

/// 4.2.1.3: bit 0 digitalSignature; bits 5 and 6 keyCertSign and cRLSign.
Der key_usage(X509Kind kind) {
    constexpr std::array<std::uint8_t, 1> sign_data{0x80};
    constexpr std::array<std::uint8_t, 1> sign_certificates_and_lists{0x06};
    return der::extension(key_usage_id, true,
                          kind == X509Kind::unit ? der::bit_string(sign_data, 7)
                                                 : der::bit_string(sign_certificates_and_lists, 1));
}

/// 4.2.1.12: id-kp-serverAuth and id-kp-clientAuth, 1.3.6.1.5.5.7.3.1 and .2.
Der extended_key_usage() {
    constexpr std::array<std::uint8_t, 8> server{0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
    constexpr std::array<std::uint8_t, 8> client{0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    return der::extension(extended_key_usage_id, false,
                          der::sequence({der::object(Tag::object_identifier, {server}),
                                         der::object(Tag::object_identifier, {client})}));
}

Der extensions(X509Kind kind, const P256PublicKey& subject, const P256PublicKey& issuer) {
    const Der identifier =
        der::extension(subject_key_identifier_id, false,
                       der::object(Tag::octet_string, {der::key_identifier(subject)}));
    const Der usage = kind == X509Kind::unit ? extended_key_usage() : Der{};
    return der::object(Tag::context_3,
                       {der::sequence({basic_constraints(kind), key_usage(kind), identifier,
                                       der::authority_key_identifier(issuer), usage})});
}

/// TBSCertificate. RFC 5280, 4.1.2.
Der to_be_signed(const X509Request& request, const P256PublicKey& subject_key,
                 const P256PublicKey& issuer_key) {
    constexpr std::uint64_t version_3 = 2;
    return der::sequence(
        {der::object(Tag::context_0, {der::integer(version_3)}), der::integer(request.serial),
         der::signature_algorithm(), der::name(request.issuer),
         der::sequence({der::time(request.not_before), der::time(request.not_after)}),
         der::name(request.subject), der::public_key_info(subject_key),
         extensions(request.kind, subject_key, issuer_key)});
}

std::expected<void, X509Error> check_fields(const X509Request& request) {
    if (!is_plain(request.subject) || !is_plain(request.issuer)) {
        return std::unexpected{X509Error::subject_wrong};
    }
    if (request.not_after <= request.not_before) {
        return std::unexpected{X509Error::validity_wrong};
    }
    return {};
}

}  // namespace

bool is_plain(const X509Subject& subject) {
    return is_plain(subject.role) && is_plain(subject.organisation) && is_plain(subject.unit);
}

std::string text(const X509Subject& subject) {
    return "OU=" + subject.role + ", O=" + subject.organisation + ", CN=" + subject.unit;
}

const char* name(X509Error error) {
    switch (error) {
        case X509Error::subject_wrong: return "subject_wrong";
        case X509Error::validity_wrong: return "validity_wrong";
        case X509Error::key_out_of_range: return "key_out_of_range";
        case X509Error::point_not_on_curve: return "point_not_on_curve";
        case X509Error::signer_failed: return "signer_failed";
        case X509Error::signature_mismatch: return "signature_mismatch";
    }
    return "unknown";
}

X509Serial generate_serial(Random& random) {
    X509Serial serial{};
    random.fill(serial);
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3F) | 0x40);  // positive, sixteen bytes
    return serial;
}

std::expected<std::string, X509Error> write_certificate(const X509Request& request,
                                                        const P256PublicKey& subject_key,
                                                        const X509Issuer& issuer) {
    ONECARD_CHECK(check_fields(request));
    if (!is_on_curve(subject_key) || !is_on_curve(issuer.key)) {
        return std::unexpected{X509Error::point_not_on_curve};
    }
    ONECARD_TRY(certificate, der::sign(to_be_signed(request, subject_key, issuer.key), issuer));
    return der::to_pem("CERTIFICATE", certificate);
}

std::expected<std::string, X509Error> write_certificate(const X509Request& request,
                                                        const P256PrivateKey& subject_key,
                                                        const P256PrivateKey& issuer_key,
                                                        Random& random) {
    ONECARD_CHECK(check_fields(request));
    const auto subject = public_key_of(subject_key, random);
    const auto issuer = public_key_of(issuer_key, random);
    if (!subject || !issuer) return std::unexpected{X509Error::key_out_of_range};
    return write_certificate(request, *subject,
                             X509Issuer{*issuer, software_signer(issuer_key, random)});
}

std::string key_fingerprint(const P256PublicKey& key) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t byte : sha256(der::public_key_info(key))) {
        if (out.size() % 5 == 4) out += ' ';
        out += digits[byte >> 4];
        out += digits[byte & 0x0F];
    }
    return out;
}

}  // namespace crypto::keys
