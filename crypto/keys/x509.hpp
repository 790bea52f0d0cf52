#pragma once
// Writing the X.509 certificates of mutual TLS (RFC 5280; mbedTLS): P-256, ECDSA with SHA-256.
// docs/keys.md, 3. The same key, serial and fields give the same bytes: signatures are
// deterministic (RFC 6979).
#include <expected>
#include <string>

#include "crypto/core/random.hpp"
#include "protocol/date_time.hpp"

namespace crypto::keys {

/// d, big-endian, in [1, n-1]. NIST P-256 (SEC 2, 2.4.2).
using P256PrivateKey = SecretBytes<32>;

struct X509Subject {
    std::string role;          ///< OU
    std::string organisation;  ///< O
    std::string unit;          ///< CN
};
enum class X509Kind : std::uint8_t {
    root,       ///< path length 1: signs authorities
    authority,  ///< path length 0: signs units
    unit,       ///< no authority; TLS client and server
};
using X509Serial = std::array<std::uint8_t, 16>;

struct X509Request {
    X509Kind kind = X509Kind::unit;
    X509Subject subject;
    X509Subject issuer;  ///< of a root: the subject again
    X509Serial serial{};
    protocol::DateTime not_before;  ///< UTC
    protocol::DateTime not_after;   ///< UTC
};

enum class X509Error : std::uint8_t {
    key_out_of_range,  ///< a private key is not in [1, n-1]
    subject_wrong,     ///< an empty part, or characters outside PrintableString (X.680, 41.4)
    validity_wrong,    ///< the end is not after the beginning
    out_of_memory,
};
[[nodiscard]] const char* name(X509Error error);

[[nodiscard]] P256PrivateKey generate_p256(Random& random);
/// Positive, never zero, 16 bytes. RFC 5280, 4.1.2.2.
[[nodiscard]] X509Serial generate_serial(Random& random);

/// One certificate in PEM. `random` blinds the computation; it is not in the result.
[[nodiscard]] std::expected<std::string, X509Error> write_certificate(
    const X509Request& request, const P256PrivateKey& subject_key, const P256PrivateKey& issuer_key,
    Random& random);

}  // namespace crypto::keys
