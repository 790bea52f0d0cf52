#pragma once
// How a unit gets its X.509 certificate without its key leaving it: PKCS#10 requests (RFC 2986) and
// renewals. docs/certificates.md, 2 and 3.
#include <span>

#include "crypto/keys/x509_reader.hpp"

namespace crypto::keys {

/// In the order of the checks; a renewal's own come after its request's.
enum class EnrolmentError : std::uint8_t {
    malformed,          ///< no PEM, no DER of a request, bytes behind it, above 4 KiB
    algorithm_foreign,  ///< the key is not P-256, or the signature not ECDSA with SHA-256
    subject_wrong,      ///< not exactly one OU, O and CN of our characters
    attributes_present,
    certificate_untrusted,  ///< renewal: not this authority's, or no unit's
    certificate_expired,    ///< renewal: or not valid yet
    certificate_revoked,    ///< renewal
    key_reused,             ///< renewal: the new key is the old one
    proof_wrong,  ///< not signed by the key it carries; renewal: or not vouched for by the old one
};
[[nodiscard]] const char* name(EnrolmentError error);
template <class T>
using EnrolmentResult = std::expected<T, EnrolmentError>;

/// A key whose holder has proved to hold it, and the subject it wishes for.
struct EnrolmentRequest {
    X509Subject wish;
    P256PublicKey key{};
};
/// PEM. `unit`: the new key.
[[nodiscard]] std::expected<std::string, X509Error> write_enrolment_request(const X509Subject& wish,
                                                                            const X509Issuer& unit);
[[nodiscard]] EnrolmentResult<EnrolmentRequest> parse_enrolment_request(Bytes der);
[[nodiscard]] EnrolmentResult<EnrolmentRequest> read_enrolment_request(std::string_view pem);

/// What the authority decides about a unit's certificate.
struct UnitGrant {
    X509Subject subject;
    X509Serial serial{};
    protocol::DateTime not_before;  ///< UTC
    protocol::DateTime not_after;   ///< UTC
};
enum class IssueError : std::uint8_t {
    authority_unfit,       ///< its certificate does not allow signing units, or is not valid now
    outlives_authority,    ///< the grant's dates leave the authority's
    authority_key_reused,  ///< the request carries the authority's own key
    writing_failed,        ///< `IssueFailure::writing` says why
};
[[nodiscard]] const char* name(IssueError error);
struct IssueFailure {
    IssueError error = IssueError::writing_failed;
    X509Error writing{};
};
/// The unit's certificate, then its authority's, in PEM: what a unit's certificate.pem holds.
[[nodiscard]] std::expected<std::string, IssueFailure> issue_unit(
    const EnrolmentRequest& request, const UnitGrant& grant, const X509Certificate& authority,
    const P256Signer& sign, const protocol::DateTime& utc_now);

struct RenewalRequest {
    EnrolmentRequest request;
    X509Certificate held;  ///< its subject is the new certificate's
};
/// PEM of the held certificate, the request of the new key, and the old key's proof.
[[nodiscard]] std::expected<std::string, X509Error> write_renewal_request(
    const X509Certificate& held, const X509Issuer& new_key, const P256Signer& old_key);
struct RenewalFacts {
    const X509Certificate& authority;
    protocol::DateTime utc_now;
    std::span<const std::vector<std::uint8_t>> revoked;  ///< serials of the authority's list
};
[[nodiscard]] EnrolmentResult<RenewalRequest> read_renewal_request(std::string_view pem,
                                                                   const RenewalFacts& facts);

}  // namespace crypto::keys
