#pragma once
// Writing the X.509 certificates of mutual TLS (RFC 5280): P-256, ECDSA with SHA-256.
// docs/certificates.md, 1. The same keys, serial and fields give the same bytes under the software
// signer.
#include <expected>
#include <string>

#include "crypto/core/random.hpp"
#include "crypto/keys/p256.hpp"
#include "protocol/date_time.hpp"

namespace crypto::keys {

struct X509Subject {
    std::string role;          ///< OU
    std::string organisation;  ///< O
    std::string unit;          ///< CN
    friend bool operator==(const X509Subject&, const X509Subject&) = default;
};
/// Each part 1..64 characters out of letters, digits, "-", ".", "_".
[[nodiscard]] bool is_plain(const X509Subject& subject);
/// "OU=terminal, O=0000000000310001, CN=0000000031000101"
[[nodiscard]] std::string text(const X509Subject& subject);

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
/// The issuer's key: the public half, and something that signs with the private one.
struct X509Issuer {
    P256PublicKey key{};
    P256Signer sign;
};

/// In the order of the checks.
enum class X509Error : std::uint8_t {
    subject_wrong,       ///< subject's or issuer's: an empty part, or foreign characters
    validity_wrong,      ///< the end is not after the beginning
    key_out_of_range,    ///< a private key is not in [1, n-1]
    point_not_on_curve,  ///< a public key
    signer_failed,       ///< the signer answered nothing
    signature_mismatch,  ///< the signer's answer is not the issuer's signature
};
[[nodiscard]] const char* name(X509Error error);

/// Positive, never zero, 16 bytes. RFC 5280, 4.1.2.2.
[[nodiscard]] X509Serial generate_serial(Random& random);

/// One certificate in PEM, verified under the issuer's key.
[[nodiscard]] std::expected<std::string, X509Error> write_certificate(
    const X509Request& request, const P256PublicKey& subject_key, const X509Issuer& issuer);
/// The same with both private keys at hand. `random` blinds the computation; it is not in the
/// result.
[[nodiscard]] std::expected<std::string, X509Error> write_certificate(
    const X509Request& request, const P256PrivateKey& subject_key, const P256PrivateKey& issuer_key,
    Random& random);
/// SHA-256 of the SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) in hex, four digits a group: what two
/// people compare by voice. `openssl pkey -pubin -outform DER | sha256sum` says the same.
[[nodiscard]] std::string key_fingerprint(const P256PublicKey& key);

}  // namespace crypto::keys
