#pragma once
// X.509 certificates of ours, read: who, until when, which key. Nothing here says that a
// certificate is good: TLS judges chains (platform/tls_engine.hpp), `signed_by` one signature.
#include <string_view>
#include <vector>

#include "crypto/keys/x509.hpp"

namespace crypto::keys {

/// In the order of the checks.
enum class X509ReadError : std::uint8_t {
    malformed,          ///< no PEM, no DER of a certificate, bytes behind it, above 4 KiB
    algorithm_foreign,  ///< its key is not P-256, or its signature not ECDSA with SHA-256
    subject_wrong,      ///< subject or issuer is not exactly one OU, O and CN of our characters
};
[[nodiscard]] const char* name(X509ReadError error);
template <class T>
using X509ReadResult = std::expected<T, X509ReadError>;

struct X509Certificate {
    X509Kind kind = X509Kind::unit;  ///< from basic constraints: path length 1, 0, no authority
    X509Subject subject;
    X509Subject issuer;
    std::vector<std::uint8_t> serial;  ///< 1..20 bytes
    protocol::DateTime not_before;     ///< UTC
    protocol::DateTime not_after;      ///< UTC
    P256PublicKey key{};
    std::vector<std::uint8_t> der;

    [[nodiscard]] bool valid_at(const protocol::DateTime& utc) const {
        return not_before <= utc && utc <= not_after;
    }
    /// The name and the signature of `authority`, which may sign that kind. Not the dates.
    [[nodiscard]] bool signed_by(const X509Certificate& authority) const;
};
[[nodiscard]] X509ReadResult<X509Certificate> parse_certificate(Bytes der);
/// Every CERTIFICATE block, in order; at least one. Blocks of other labels are passed over.
[[nodiscard]] X509ReadResult<std::vector<X509Certificate>> read_certificates(std::string_view pem);

/// Those that end before `days` days have passed after `utc`, or have ended already; soonest first.
[[nodiscard]] std::vector<X509Certificate> expiring(std::vector<X509Certificate> certificates,
                                                    const protocol::DateTime& utc, unsigned days);

}  // namespace crypto::keys
