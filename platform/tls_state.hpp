#pragma once
// mbedTLS's side of a TlsContext. For the room's own .cpp files.
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include "platform/tls.hpp"

namespace platform {

struct TlsContext::State {
    explicit State(crypto::Random& random_);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    mbedtls_ssl_config config{};
    mbedtls_x509_crt own{};
    mbedtls_x509_crt trusted{};
    mbedtls_x509_crl revoked{};
    mbedtls_pk_context key{};
    crypto::Random& random;
    PeerIdentity own_identity;
};

/// "city-ca": the OU of a city's authority.
constexpr std::string_view authority_role = "city-ca";

/// A subject that is one of ours: exactly one OU, O and CN, each of its form. `city` stays empty.
/// docs/online_messages.md, "Who is speaking".
[[nodiscard]] std::optional<PeerIdentity> parse_subject(const mbedtls_x509_name& subject);
/// The city of an authority's certificate; nothing when it is none.
[[nodiscard]] std::optional<std::string> parse_authority(const mbedtls_x509_name& subject);
/// docs/platform.md, "TLS": a city's own units are vouched for by that city's authority only.
[[nodiscard]] bool authority_may_vouch(const PeerIdentity& identity);

}  // namespace platform
