#pragma once
// mbedTLS's side of a TlsContext. For the room's own .cpp files.
#include <mutex>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

#include "crypto/keys/x509_revocation.hpp"
#include "platform/files.hpp"
#include "platform/tls.hpp"

namespace platform {

/// The lists in force and the configuration that points to them. Replaced whole: a connection keeps
/// the one it began with.
struct TlsRevision {
    TlsRevision();
    ~TlsRevision();
    TlsRevision(const TlsRevision&) = delete;
    TlsRevision& operator=(const TlsRevision&) = delete;

    mbedtls_ssl_config config{};
    mbedtls_x509_crl revoked{};
    std::vector<crypto::keys::ReadX509List> lists;
};

struct TlsContext::State {
    State(Side side_, const TlsMaterial& material, crypto::Random& random_);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    /// For a new connection: after a look at the file.
    [[nodiscard]] std::shared_ptr<const TlsRevision> current();
    /// Lists in PEM; empty: none. What is in force stays when they are refused.
    [[nodiscard]] std::expected<void, TlsSetupError> install(const std::string& pem);
    /// Reads the file if it has changed since it was last looked at.
    [[nodiscard]] std::expected<void, TlsSetupError> look_at_file();

    Side side;
    crypto::Random& random;
    StaleLists stale_lists;
    std::filesystem::path revoked_file;
    std::function<void(const RevocationReload&)> on_reload;
    mbedtls_x509_crt own{};
    mbedtls_x509_crt trusted{};
    mbedtls_pk_context key{};
    PeerIdentity own_identity;

    std::mutex mutex;  ///< over what follows; `current` takes it, the others find it taken
    std::shared_ptr<const TlsRevision> revision;
    std::optional<FileStamp> stamp;
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
