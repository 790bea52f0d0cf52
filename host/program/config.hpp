#pragma once
// host.toml: everything a host is told. docs/host.md, 2.
#include <chrono>
#include <filesystem>

#include "host/service/city.hpp"
#include "platform/config.hpp"
#include "platform/tls.hpp"

namespace host::program {

struct PeerAddress {
    protocol::CityCode city;
    std::string address;
    std::uint16_t port = 0;
};

struct HostConfig {
    std::filesystem::path deployment;  ///< directory, docs/keys.md, 3
    std::filesystem::path store;
    std::string listen_address;
    std::uint16_t listen_port = 0;
    City city;  ///< limits from the file; code, issuer and peers' keys from the deployments
    std::vector<PeerAddress> peers;
    std::optional<protocol::Time> cut_off;  ///< the open day is closed at this time by itself
    platform::StaleLists stale_lists = platform::StaleLists::refuse;  ///< docs/certificates.md, 5
    std::chrono::milliseconds retry_min{250};
    std::chrono::milliseconds retry_max{30'000};
};

/// `rehearsal`: what the command line asked for. Deployments of the other kind are refused.
[[nodiscard]] std::expected<HostConfig, std::string> load_config(const std::filesystem::path& file,
                                                                 bool rehearsal);

extern const char* const config_example;

}  // namespace host::program
