#pragma once
// mbedTLS's X.509 structures as our values. For this room's own .cpp files.
#include <optional>

#include <mbedtls/pk.h>
#include <mbedtls/x509.h>

#include "crypto/keys/x509.hpp"

namespace crypto::keys::parts {

/// Nothing unless exactly one OU, O and CN, plain. The order does not matter.
[[nodiscard]] std::optional<X509Subject> subject(const mbedtls_x509_name& name);
/// Nothing unless it is a real date.
[[nodiscard]] std::optional<protocol::DateTime> time(const mbedtls_x509_time& time);
/// Nothing unless it is a point of P-256.
[[nodiscard]] std::optional<P256PublicKey> public_key(const mbedtls_pk_context& key);
/// A serial number's value without leading zeros; nothing unless 1..20 bytes and positive. RFC
/// 5280, 4.1.2.2.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> serial(const mbedtls_x509_buf& value);
/// ecdsa-with-SHA256, with or without parameters: older programs of ours wrote NULL there.
[[nodiscard]] bool is_our_algorithm(const mbedtls_x509_buf& oid);
/// mbedTLS's answer to keys and signatures of algorithms that it does not know.
[[nodiscard]] bool is_foreign(int parse_code);

[[nodiscard]] inline Bytes bytes(const mbedtls_x509_buf& buffer) {
    return {buffer.p, buffer.len};
}

}  // namespace crypto::keys::parts
