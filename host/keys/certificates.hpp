#pragma once
// What an authority does with the X.509 certificates below it: a city's with its units', the root
// with the cities'. Each is one commit of the store with its log line, before anything leaves.
// docs/certificates.md, 6.
#include "crypto/keys/enrolment.hpp"
#include "host/keys/certificate_register.hpp"
#include "platform/peer_identity.hpp"

namespace host::keys {

/// An authority that can sign: its certificate is that of the store's key, below the root.
struct Authority {
    KeyStore* store = nullptr;  ///< open; outlives this
    KeyName key;
    crypto::keys::X509Certificate certificate;
};
/// `certificate_mismatch`: the directory's certificate is another key's, or not the root's.
[[nodiscard]] Result<Authority> authority_of(City& city);
[[nodiscard]] Result<Authority> authority_of(Nation& nation);

constexpr unsigned certificate_days = 365;  ///< unless a command says otherwise
constexpr unsigned certificate_days_max = 3650;

/// What the custodians decide about a unit.
struct UnitOrder {
    platform::PeerRole role = platform::PeerRole::terminal;
    std::string organisation;
    std::string unit;
    unsigned days = certificate_days;
    std::string fingerprint;  ///< as it was read out: hex, spaces or not
};
struct IssuedCertificate {
    std::string pem;  ///< the unit's, then the authority's
    KnownCertificate entry;
    bool repeated = false;  ///< this request had it already: the same certificate again
};
/// Refusals in this order: request_refused, city_mismatch, fingerprint_wrong, key_certified,
/// already_revoked, certificate_expired, certificate_refused, store_failed.
[[nodiscard]] Result<IssuedCertificate> issue_certificate(City& city, std::string_view request,
                                                          const UnitOrder& order,
                                                          crypto::Random& random,
                                                          const platform::Clock& clock);
/// Refusals in this order: request_refused, certificate_unknown, key_certified, already_revoked,
/// certificate_expired, certificate_refused, store_failed.
[[nodiscard]] Result<IssuedCertificate> renew_certificate(City& city, std::string_view renewal,
                                                          unsigned days, crypto::Random& random,
                                                          const platform::Clock& clock);

/// One of the two.
struct RevocationTarget {
    std::string serial;
    std::string certificate_pem;
};
/// Answers what was revoked, and by `renewed` the serials of its renewals that are still good.
struct Revoked {
    KnownCertificate certificate;
    std::vector<std::string> renewed;
};
/// Refusals in this order: input_wrong, certificate_unknown, already_revoked, store_failed.
[[nodiscard]] Result<Revoked> revoke_certificate(const Authority& authority,
                                                 const RevocationTarget& target,
                                                 crypto::keys::RevocationReason reason,
                                                 const platform::Clock& clock);

struct WrittenList {
    std::string pem;
    crypto::keys::X509RevocationList list;
};
/// The next list: its number is one more than the last one's in the log, even if that one never
/// reached a file. Refusals: list_refused, store_failed.
[[nodiscard]] Result<WrittenList> write_list(const Authority& authority, unsigned days,
                                             const platform::Clock& clock);

}  // namespace host::keys
