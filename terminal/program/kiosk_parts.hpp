#pragma once
// What `kiosk`, and `desk --then-load`, need to load cards: configuration, orders, deployment.
#include <map>

#include "platform/config.hpp"
#include "platform/http_client.hpp"
#include "terminal/kiosk/kiosk.hpp"
#include "terminal/program/commands.hpp"
#include "terminal/program/deployment.hpp"
#include "terminal/program/events.hpp"
#include "terminal/program/gate_config.hpp"

namespace terminal {

struct KioskConfig {
    std::filesystem::path deployment;
    std::filesystem::path journal;
    protocol::TerminalNumber terminal;
    std::filesystem::path pin_file;  ///< empty: cards without a PIN
    HostAddress host;
    platform::StaleLists stale_lists = platform::StaleLists::refuse;
};
/// Reads `deployment`, `journal`, `terminal`, `pin_file`, `stale_lists` and [host] of this table.
[[nodiscard]] platform::ConfigResult<KioskConfig> read_kiosk_config(const platform::Config& table);

/// Who gets how much.
struct LoadOrders {
    std::int64_t amount_fen = 0;  ///< for every card
    std::map<protocol::CardNumber, protocol::Money> by_card;
    [[nodiscard]] std::optional<protocol::Money> operator()(const protocol::CardNumber& card) const;
};
/// Lines `20 digits,fen`, or `19 digits,fen`; empty lines and lines beginning with # are skipped.
/// The error names the line.
[[nodiscard]] std::expected<LoadOrders, std::string> parse_orders(std::string_view text);
[[nodiscard]] std::expected<LoadOrders, std::string> read_orders(
    std::int64_t amount_fen, const std::filesystem::path& amounts);

/// A kiosk with everything it stands on.
class KioskParts {
public:
    [[nodiscard]] static std::expected<std::unique_ptr<KioskParts>, std::string> open(
        const KioskConfig& config, const CommonOptions& options, LoadOrders orders,
        crypto::Random& random);
    /// One card: settle, load, say what happened.
    void serve(CardLink& card, Events& events);
    /// Loads that need no card are settled; says so when their number changes.
    void settle(Events& events);

private:
    KioskParts(OpenDeployment deployment, LoadJournal journal, const KioskConfig& config,
               KioskProfile profile, LoadOrders orders);
    OpenDeployment deployment_;
    LoadJournal journal_;
    platform::SystemClock clock_;
    platform::HttpClient host_;
    LoadOrders orders_;
    Kiosk kiosk_;
    std::size_t open_ = 0;
    std::int64_t next_settle_ms_ = 0;
};

extern const char* const kiosk_config_example;
extern const char* const desk_config_example;

}  // namespace terminal
