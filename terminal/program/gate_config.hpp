#pragma once
// gate.toml. `onecard-terminal gate --help` shows an example.
#include "platform/config.hpp"
#include "platform/tls.hpp"
#include "terminal/gate/tap.hpp"
#include "terminal/upload/uploader.hpp"

namespace terminal {

struct HostAddress {
    std::string address;
    std::uint16_t port = 0;
};
struct GateConfig {
    std::filesystem::path deployment;
    std::filesystem::path journal;
    std::filesystem::path fares;
    GateProfile profile;  ///< device, operator and city come from the deployment
    std::string card_reader;
    std::string sam_reader;
    HostAddress host;
    UploadRules upload;
    platform::StaleLists stale_lists = platform::StaleLists::refuse;
};
[[nodiscard]] platform::ConfigResult<GateConfig> load_gate_config(
    const std::filesystem::path& path);
[[nodiscard]] platform::ConfigResult<GateConfig> parse_gate_config(const platform::Config& file);
[[nodiscard]] platform::ConfigResult<HostAddress> read_host(const platform::Config& file,
                                                            std::string_view table);
/// `stale_lists`, "refuse" when it is left out. docs/certificates.md, 5.
[[nodiscard]] platform::ConfigResult<platform::StaleLists> read_stale_lists(
    const platform::Config& file);
extern const char* const gate_config_example;

}  // namespace terminal
