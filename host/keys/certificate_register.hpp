#pragma once
// The certificates that a city or the nation has made and revoked, folded out of the log of its
// store: no second list that could say something else. Pure. docs/certificates.md, 6.
#include <map>

#include "crypto/keys/x509_revocation.hpp"
#include "host/keys/founding.hpp"

namespace host::keys {

struct KnownCertificate {
    std::string kind;         ///< "authority", "unit"
    std::string subject;      ///< "OU=terminal, O=..., CN=..."
    std::string serial;       ///< hex, as `serial_text`
    std::string fingerprint;  ///< of its key, 64 hex digits; older logs lack it
    protocol::DateTime not_before;
    protocol::DateTime not_after;
    std::string renews;  ///< serial of the one before, or empty
    /// Empty: it was not.
    std::optional<protocol::DateTime> revoked;
    std::string reason;  ///< RFC 5280, 5.3.1, in its own spelling
};
enum class CertificateState : std::uint8_t {
    valid,
    expiring,  ///< within the days asked for
    expired,
    revoked,
};
[[nodiscard]] const char* name(CertificateState state);
[[nodiscard]] CertificateState state_of(const KnownCertificate& certificate,
                                        const protocol::DateTime& utc, unsigned days);

/// The last revocation list that was written.
struct KnownList {
    std::uint64_t number = 0;  ///< 0: none yet
    protocol::DateTime this_update;
};
struct CertificateRegister {
    std::vector<KnownCertificate> certificates;  ///< in the order they were made
    KnownList list;

    [[nodiscard]] const KnownCertificate* find(std::string_view serial) const;
    [[nodiscard]] const KnownCertificate* with_key(std::string_view fingerprint) const;
    /// Serials of what is revoked, as X.509 has them.
    [[nodiscard]] std::vector<std::vector<std::uint8_t>> revoked_serials() const;
    /// What a list of that time holds: an entry stays until one list after its certificate's end
    /// has had it (RFC 5280, 3.3).
    [[nodiscard]] std::vector<crypto::keys::RevokedX509> entries() const;
};

/// `log_malformed` as `fold_log`.
[[nodiscard]] Result<CertificateRegister> fold_certificates(
    std::span<const crypto::keys::LogEntry> log);

/// A serial as logs have it: upper-case hex, 32 digits or more.
[[nodiscard]] std::string serial_text(crypto::Bytes serial);
/// The number behind the digits, without leading zeros: 1..20 bytes, or nothing.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> parse_serial(std::string_view text);

}  // namespace host::keys
