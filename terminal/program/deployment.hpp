#pragma once
// A terminal's deployment directory, as `onecard-keys deploy` writes it. docs/keys.md, 3.
#include <filesystem>
#include <memory>
#include <string>

#include "crypto/core/sm2.hpp"
#include "crypto/keys/key_store.hpp"
#include "crypto/random/system_random.hpp"
#include "platform/passphrase.hpp"
#include "platform/tls.hpp"
#include "protocol/batch.hpp"

namespace terminal {

/// deployment.json: who this is, and public keys.
struct Deployment {
    protocol::Mark mark = protocol::Mark::live;
    std::string role;          ///< "terminal", "desk"
    std::string organisation;  ///< operator id or city code, as in the certificate
    std::string unit;          ///< device id or desk name
    protocol::CityCode city;
    std::optional<crypto::sm2::PublicKey> list_key;
};
/// The error says what is wrong with the text.
[[nodiscard]] std::expected<Deployment, std::string> parse_deployment(std::string_view text);

/// A deployment with its keys open.
struct OpenDeployment {
    Deployment who;
    std::unique_ptr<crypto::keys::KeyStore> keys;
    std::unique_ptr<platform::TlsContext> tls;
};
/// Reads the directory and opens the store with the passphrase. `random` outlives the result. The
/// error says what, where, what to do. A rehearsal's keys open only when `rehearsal` is asked for,
/// and live ones only when it is not. revoked.pem is read when it is there (docs/certificates.md,
/// 5).
[[nodiscard]] std::expected<OpenDeployment, std::string> open_deployment(
    const std::filesystem::path& directory, const platform::PassphraseSource& passphrase,
    bool rehearsal, crypto::Random& random,
    platform::StaleLists stale_lists = platform::StaleLists::refuse);

/// The SM2 key that signs this device's batches.
[[nodiscard]] std::expected<crypto::sm2::PrivateKey, std::string> batch_key(
    const OpenDeployment& deployment, const protocol::DeviceId& device, crypto::Random& random);

}  // namespace terminal
