#pragma once
// What each place gets: a sealed store with exactly the keys it needs, its certificate, whom to
// trust, and a public description. docs/keys.md, 1 and 3.
#include <optional>

#include "host/keys/founding.hpp"
#include "platform/peer_identity.hpp"

namespace host::keys {

struct DeploymentOrder {
    std::filesystem::path directory;  ///< to be made
    crypto::Bytes passphrase;         ///< of the new store, which one program opens alone
    platform::PeerRole role = platform::PeerRole::terminal;
    std::string unit;                  ///< CN; of a terminal: ignored, the device id is it
    protocol::OperatorId operator_id;  ///< terminals and operators' people
    protocol::DeviceId device;         ///< terminals
    Nation* nation = nullptr;          ///< an issuer that makes SAMs gets the national roots
    unsigned years = 1;                ///< of the certificate
    /// Issuers: keeps the new store's secrets. Nobody else opens a store with a token.
    std::optional<crypto::keys::TokenPlan> token{};
};

/// What `deployment.json` says.
struct Deployment {
    Mark mark = Mark::live;
    platform::PeerRole role = platform::PeerRole::terminal;
    std::string organisation;
    std::string unit;
    CityCode city;
    IssuerId issuer;
    std::array<std::uint8_t, 64> list_key{};
    std::array<std::uint8_t, 64> day_key{};
    std::optional<std::array<std::uint8_t, 64>> batch_key;  ///< terminals
};
[[nodiscard]] std::string to_json(const Deployment& deployment);
[[nodiscard]] Result<Deployment> parse_deployment(std::string_view json, const std::string& file);

/// The city's log knows of the deployment, with its keys and its certificate, before any of its
/// keys leaves; the nation's log knows who gets its roots.
[[nodiscard]] Result<Deployment> deploy(const DeploymentOrder& order, City& city,
                                        crypto::Random& random, const platform::Clock& clock);

}  // namespace host::keys
