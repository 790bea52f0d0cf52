#pragma once
// X.509 revocation lists (RFC 5280, 5), written and read. docs/certificates.md, 4. The lists of
// chips' certificates are another form: revocation_list.hpp.
#include <string_view>

#include "crypto/keys/x509_reader.hpp"

namespace crypto::keys {

enum class RevocationReason : std::uint8_t {  // RFC 5280, 5.3.1
    unspecified = 0,
    key_compromise = 1,
    authority_compromise = 2,
    affiliation_changed = 3,
    superseded = 4,
    cessation_of_operation = 5,
    certificate_hold = 6,  ///< the one that may be taken back
    privilege_withdrawn = 9,
};
/// "keyCompromise" and so on, as RFC 5280 spells them.
[[nodiscard]] const char* name(RevocationReason reason);
[[nodiscard]] std::optional<RevocationReason> parse_revocation_reason(std::string_view word);

struct RevokedX509 {
    std::vector<std::uint8_t> serial;  ///< 1..20 bytes, no leading zero
    protocol::DateTime when;           ///< UTC
    RevocationReason reason = RevocationReason::unspecified;
};
struct X509RevocationList {
    X509Subject issuer;
    std::uint64_t number = 0;        ///< one more with each list. 5.2.3
    protocol::DateTime this_update;  ///< UTC
    protocol::DateTime next_update;  ///< UTC
    std::vector<RevokedX509> revoked;

    [[nodiscard]] bool contains(Bytes serial) const;
    /// For `RenewalFacts`.
    [[nodiscard]] std::vector<std::vector<std::uint8_t>> serials() const;
};

/// In the order of the checks. Writing knows the ones that concern it, then X509Error's.
enum class X509ListError : std::uint8_t {
    malformed,          ///< no PEM, no DER of a version 2 list, bytes behind it, above 16 MiB
    extension_unknown,  ///< a critical one, of the list or of an entry
    algorithm_foreign,  ///< not ECDSA with SHA-256
    issuer_wrong,       ///< not exactly one OU, O and CN of our characters
    number_missing,     ///< or above 64 bits
    dates_wrong,        ///< no nextUpdate, or not after thisUpdate; an entry later than thisUpdate
    serial_wrong,
    serial_repeated,
    signer_wrong,  ///< another name, or no authority
    signature_mismatch,
    point_not_on_curve,  ///< writing: the issuer's key
    signer_failed,       ///< writing: the signer answered nothing
};
[[nodiscard]] const char* name(X509ListError error);
template <class T>
using X509ListResult = std::expected<T, X509ListError>;

/// PEM, entries in the order of their serials.
[[nodiscard]] X509ListResult<std::string> write_x509_revocation_list(X509RevocationList list,
                                                                     const X509Issuer& issuer);

/// A well-formed list. Nothing is believed until `verify_x509_revocation_list` says so.
struct ReadX509List {
    X509RevocationList list;
    std::vector<std::uint8_t> der;
};
[[nodiscard]] std::string to_pem(const ReadX509List& list);
[[nodiscard]] X509ListResult<ReadX509List> parse_x509_revocation_list(Bytes der);
/// Every "X509 CRL" block, in order; at least one.
[[nodiscard]] X509ListResult<std::vector<ReadX509List>> read_x509_revocation_lists(
    std::string_view pem);
/// Name and signature. Not the dates.
[[nodiscard]] X509ListResult<void> verify_x509_revocation_list(const ReadX509List& list,
                                                               const X509Certificate& authority);

}  // namespace crypto::keys
