#include "crypto/keys/enrolment.hpp"

#include <algorithm>

#include <mbedtls/asn1.h>
#include <mbedtls/x509_csr.h>

#include "crypto/keys/x509_der.hpp"
#include "crypto/keys/x509_parts.hpp"

namespace crypto::keys {
namespace {

using Error = EnrolmentError;
using der::Der;

constexpr std::size_t request_size_max = 4096;
constexpr const char* request_label = "CERTIFICATE REQUEST";  // RFC 7468, 7
constexpr const char* certificate_label = "CERTIFICATE";
constexpr const char* proof_label = "ONECARD RENEWAL PROOF";
constexpr std::string_view proof_context = "onecard renewal";

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

struct Parser {
    Parser() { mbedtls_x509_csr_init(&value); }
    ~Parser() { mbedtls_x509_csr_free(&value); }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    [[nodiscard]] EnrolmentResult<void> read(Bytes der) {
        if (der.size() > request_size_max) return refuse(Error::malformed);
        const int code = mbedtls_x509_csr_parse_der(&value, der.data(), der.size());
        if (parts::is_foreign(code)) return refuse(Error::algorithm_foreign);
        if (code != 0 || value.raw.len != der.size()) return refuse(Error::malformed);
        return {};
    }
    mbedtls_x509_csr value{};
};

/// RFC 2986, 4.1: version, subject, key, then [0] with attributes, which mbedTLS passes over.
/// Nothing when that is not how the request goes on and ends.
std::optional<bool> has_attributes(const mbedtls_x509_csr& request) {
    unsigned char* at = request.cri.p;
    const unsigned char* const end = at + request.cri.len;
    std::size_t size = 0;
    if (mbedtls_asn1_get_tag(&at, end, &size, 0x30) != 0) return std::nullopt;
    for (const int tag : {0x02, 0x30, 0x30}) {
        if (mbedtls_asn1_get_tag(&at, end, &size, tag) != 0) return std::nullopt;
        at += size;
    }
    if (mbedtls_asn1_get_tag(&at, end, &size, 0xA0) != 0 || at + size != end) return std::nullopt;
    return size != 0;
}

/// What the old key signs.
Sha256Digest proof_digest(Bytes request) {
    std::vector<std::uint8_t> text{proof_context.begin(), proof_context.end()};
    text.insert(text.end(), request.begin(), request.end());
    return sha256(text);
}

std::expected<Der, X509Error> request_der(const X509Subject& wish, const X509Issuer& unit) {
    if (!is_plain(wish)) return std::unexpected{X509Error::subject_wrong};
    if (!is_on_curve(unit.key)) return std::unexpected{X509Error::point_not_on_curve};
    constexpr std::uint64_t version_1 = 0;
    const Der no_attributes = der::object(der::Tag::context_0, {});
    return der::sign(der::sequence({der::integer(version_1), der::name(wish),
                                    der::public_key_info(unit.key), no_attributes}),
                     unit);
}

/// Exactly one block of that label.
EnrolmentResult<Der> only_block(const char* label, std::string_view pem) {
    auto blocks = der::from_pem(label, pem);
    if (!blocks || blocks->size() != 1) return refuse(Error::malformed);
    return std::move(blocks->front());
}

EnrolmentResult<void> check_held(const X509Certificate& held, const RenewalFacts& facts) {
    if (held.kind != X509Kind::unit || !held.signed_by(facts.authority)) {
        return refuse(Error::certificate_untrusted);
    }
    if (!held.valid_at(facts.utc_now)) return refuse(Error::certificate_expired);
    if (std::ranges::find(facts.revoked, held.serial) != facts.revoked.end()) {
        return refuse(Error::certificate_revoked);
    }
    return {};
}

}  // namespace

const char* name(EnrolmentError error) {
    switch (error) {
        case Error::malformed: return "malformed";
        case Error::algorithm_foreign: return "algorithm_foreign";
        case Error::subject_wrong: return "subject_wrong";
        case Error::attributes_present: return "attributes_present";
        case Error::certificate_untrusted: return "certificate_untrusted";
        case Error::certificate_expired: return "certificate_expired";
        case Error::certificate_revoked: return "certificate_revoked";
        case Error::key_reused: return "key_reused";
        case Error::proof_wrong: return "proof_wrong";
    }
    return "unknown";
}

const char* name(IssueError error) {
    switch (error) {
        case IssueError::authority_unfit: return "authority_unfit";
        case IssueError::outlives_authority: return "outlives_authority";
        case IssueError::authority_key_reused: return "authority_key_reused";
        case IssueError::writing_failed: return "writing_failed";
    }
    return "unknown";
}

std::expected<std::string, X509Error> write_enrolment_request(const X509Subject& wish,
                                                              const X509Issuer& unit) {
    ONECARD_TRY(request, request_der(wish, unit));
    return der::to_pem(request_label, request);
}

EnrolmentResult<EnrolmentRequest> parse_enrolment_request(Bytes der) {
    Parser parser;
    ONECARD_CHECK(parser.read(der));
    const mbedtls_x509_csr& read = parser.value;
    const auto attributes = has_attributes(read);
    if (!attributes) return refuse(Error::malformed);
    const auto key = parts::public_key(read.pk);
    if (!key || !parts::is_our_algorithm(read.sig_oid)) return refuse(Error::algorithm_foreign);
    auto wish = parts::subject(read.subject);
    if (!wish) return refuse(Error::subject_wrong);
    if (*attributes) return refuse(Error::attributes_present);
    const auto signature = der::read_signature(parts::bytes(read.sig));
    if (!signature || !verify_p256(*key, sha256(parts::bytes(read.cri)), *signature)) {
        return refuse(Error::proof_wrong);
    }
    return EnrolmentRequest{*std::move(wish), *key};
}

EnrolmentResult<EnrolmentRequest> read_enrolment_request(std::string_view pem) {
    ONECARD_TRY(request, only_block(request_label, pem));
    return parse_enrolment_request(request);
}

std::expected<std::string, IssueFailure> issue_unit(const EnrolmentRequest& request,
                                                    const UnitGrant& grant,
                                                    const X509Certificate& authority,
                                                    const P256Signer& sign,
                                                    const protocol::DateTime& utc_now) {
    if (authority.kind != X509Kind::authority || !authority.valid_at(utc_now)) {
        return std::unexpected{IssueFailure{IssueError::authority_unfit}};
    }
    if (grant.not_before < authority.not_before || grant.not_after > authority.not_after) {
        return std::unexpected{IssueFailure{IssueError::outlives_authority}};
    }
    if (request.key == authority.key) {
        return std::unexpected{IssueFailure{IssueError::authority_key_reused}};
    }
    const auto certificate = write_certificate({X509Kind::unit, grant.subject, authority.subject,
                                                grant.serial, grant.not_before, grant.not_after},
                                               request.key, X509Issuer{authority.key, sign});
    if (!certificate) {
        return std::unexpected{IssueFailure{IssueError::writing_failed, certificate.error()}};
    }
    return *certificate + der::to_pem(certificate_label, authority.der);
}

std::expected<std::string, X509Error> write_renewal_request(const X509Certificate& held,
                                                            const X509Issuer& new_key,
                                                            const P256Signer& old_key) {
    ONECARD_TRY(request, request_der(held.subject, new_key));
    const Sha256Digest digest = proof_digest(request);
    const auto proof = old_key(digest);
    if (!proof) return std::unexpected{X509Error::signer_failed};
    if (!verify_p256(held.key, digest, *proof)) {
        return std::unexpected{X509Error::signature_mismatch};
    }
    return der::to_pem(certificate_label, held.der) + der::to_pem(request_label, request) +
           der::to_pem(proof_label, *proof);
}

EnrolmentResult<RenewalRequest> read_renewal_request(std::string_view pem,
                                                     const RenewalFacts& facts) {
    ONECARD_TRY(certificate, only_block(certificate_label, pem));
    ONECARD_TRY(request_bytes, only_block(request_label, pem));
    ONECARD_TRY(proof_bytes, only_block(proof_label, pem));
    P256Signature proof{};
    if (proof_bytes.size() != proof.size()) return refuse(Error::malformed);
    std::ranges::copy(proof_bytes, proof.begin());
    ONECARD_TRY(request, parse_enrolment_request(request_bytes));
    auto held = parse_certificate(certificate);
    if (!held) return refuse(Error::certificate_untrusted);
    ONECARD_CHECK(check_held(*held, facts));
    if (request.key == held->key) return refuse(Error::key_reused);
    if (!verify_p256(held->key, proof_digest(request_bytes), proof)) {
        return refuse(Error::proof_wrong);
    }
    return RenewalRequest{std::move(request), *std::move(held)};
}

}  // namespace crypto::keys
