#include "host/program/config.hpp"

#include <cctype>

#include <fmt/format.h>

#include "host/keys/deployment.hpp"
#include "host/keys/stores.hpp"
#include "platform/files.hpp"
#include "protocol/city_exchange.hpp"

namespace host::program {

const char* const config_example = R"(Example host.toml:

  deployment = "host-3100"          # written by onecard-keys deploy host
  store = "clearing-3100.db"
  stale_lists = "refuse"            # or accept: revocation lists past their nextUpdate
  [listen]
  address = "127.0.0.1"
  port = 8443
  [[peer]]
  deployment = "../host-3200/deployment.json"   # its public part
  address = "127.0.0.1"
  port = 9443
  [limits]                          # all optional
  amount_max_fen = 100000
  balance_max_fen = 100000
  age_days_max = 30
  future_seconds_max = 600
  load_min_fen = 1
  load_max_fen = 100000
  [exchange]
  records_max = 1000
  retry_ms_min = 250
  retry_ms_max = 30000
  [day]
  cut_off = "23:00"                 # without it, onecard-host day close does it)";

namespace {

using platform::Config;
using platform::ConfigError;

template <class T>
using Text = std::expected<T, std::string>;

// Names the value, or returns the failure's text.
#define HOST_CONFIG(name, expr)                                       \
    auto name##_or = (expr);                                          \
    if (!name##_or) return std::unexpected{name##_or.error().text()}; \
    auto& name = *name##_or

constexpr std::size_t deployment_size_max = 64 * 1024;
constexpr std::int64_t fen_max = 10'000'000;

Text<keys::Deployment> read_deployment(const std::filesystem::path& file, bool rehearsal) {
    const auto text = platform::read_text_file(file, deployment_size_max);
    if (!text) return std::unexpected{text.error().detail};
    const auto out = keys::parse_deployment(*text, file.string());
    if (!out) return std::unexpected{out.error().detail};
    if (out->role != platform::PeerRole::city_host) {
        return std::unexpected{fmt::format("{}: is of a {}, not of a city's host", file.string(),
                                           platform::name(out->role))};
    }
    if ((out->mark == protocol::Mark::rehearsal) != rehearsal) {
        return std::unexpected{
            fmt::format("{}: mark_mismatch: {}", file.string(),
                        rehearsal ? "live keys, but --rehearsal was given"
                                  : "rehearsal keys: give --rehearsal, or deploy live ones")};
    }
    return *out;
}

Text<void> read_limits(const Config& config, City& city) {
    using protocol::Money;
    const auto money = [&](const char* key, Money& value) -> Text<void> {
        HOST_CONFIG(fen, config.integer_or(key, value.fen(), 0, fen_max));
        value = Money::from_fen(static_cast<std::uint32_t>(fen));
        return {};
    };
    ONECARD_CHECK(money("limits.amount_max_fen", city.limits.amount_max));
    ONECARD_CHECK(money("limits.balance_max_fen", city.limits.balance_max));
    city.load_limits.balance_max = city.limits.balance_max;
    ONECARD_CHECK(money("limits.load_min_fen", city.load_limits.amount_min));
    ONECARD_CHECK(money("limits.load_max_fen", city.load_limits.amount_max));
    HOST_CONFIG(age, config.integer_or("limits.age_days_max", 30, 0, 3650));
    city.limits.age_seconds_max = age * 86'400;
    HOST_CONFIG(future, config.integer_or("limits.future_seconds_max",
                                          city.limits.future_seconds_max, 0, 86'400));
    city.limits.future_seconds_max = future;
    HOST_CONFIG(records, config.integer_or("exchange.records_max", city.forward_records_max, 1,
                                           protocol::ExchangeHeader::count_max));
    city.forward_records_max = static_cast<std::uint32_t>(records);
    HOST_CONFIG(threads, config.integer_or("verify_threads", 1, 1, 64));
    city.verify_threads = static_cast<unsigned>(threads);
    return {};
}

Text<void> read_peers(const Config& config, bool rehearsal, HostConfig& out) {
    HOST_CONFIG(tables, config.tables("peer"));
    for (const Config& table : tables) {
        HOST_CONFIG(file, table.path("deployment"));
        HOST_CONFIG(address, table.text("address"));
        HOST_CONFIG(port, table.integer("port", 1, 65535));
        ONECARD_TRY(deployment, read_deployment(file, rehearsal));
        if (deployment.city == out.city.code || out.city.peer(deployment.city) != nullptr) {
            return std::unexpected{
                table.failure("deployment", ConfigError::wrong_value, "this city is here already")
                    .text()};
        }
        out.city.peers.push_back({deployment.city, deployment.issuer, deployment.day_key});
        out.peers.push_back({deployment.city, address, static_cast<std::uint16_t>(port)});
    }
    return {};
}

// "23:00".
Text<void> read_cut_off(const Config& config, HostConfig& out) {
    HOST_CONFIG(text, config.text_or("day.cut_off", ""));
    if (text.empty()) return {};
    unsigned hour = 99;
    unsigned minute = 99;
    const bool shaped = text.size() == 5 && text[2] == ':' && std::isdigit(text[0]) &&
                        std::isdigit(text[1]) && std::isdigit(text[3]) && std::isdigit(text[4]);
    if (shaped) {
        hour = static_cast<unsigned>((text[0] - '0') * 10 + text[1] - '0');
        minute = static_cast<unsigned>((text[3] - '0') * 10 + text[4] - '0');
    }
    const auto time = protocol::Time::make(hour, minute, 0);
    if (!time) {
        return std::unexpected{
            config.failure("day.cut_off", ConfigError::wrong_value, "\"hh:mm\" expected").text()};
    }
    out.cut_off = *time;
    return {};
}

Text<void> read_stale_lists(const Config& config, HostConfig& out) {
    HOST_CONFIG(word, config.text_or("stale_lists", "refuse"));
    const auto parsed = platform::parse_stale_lists(word);
    if (!parsed) {
        return std::unexpected{
            config.failure("stale_lists", ConfigError::wrong_value, "refuse or accept expected")
                .text()};
    }
    out.stale_lists = *parsed;
    return {};
}

}  // namespace

Text<HostConfig> load_config(const std::filesystem::path& file, bool rehearsal) {
    HOST_CONFIG(config, Config::load(file));
    HostConfig out;
    HOST_CONFIG(deployment, config.path("deployment"));
    out.deployment = deployment;
    HOST_CONFIG(store, config.path("store"));
    out.store = store;
    HOST_CONFIG(address, config.text_or("listen.address", "127.0.0.1"));
    out.listen_address = address;
    HOST_CONFIG(port, config.integer("listen.port", 1, 65535));
    out.listen_port = static_cast<std::uint16_t>(port);
    ONECARD_TRY(own, read_deployment(out.deployment / keys::deployment_file, rehearsal));
    out.city.code = own.city;
    out.city.issuer = own.issuer;
    out.city.mark = own.mark;
    ONECARD_CHECK(read_limits(config, out.city));
    ONECARD_CHECK(read_peers(config, rehearsal, out));
    ONECARD_CHECK(read_cut_off(config, out));
    ONECARD_CHECK(read_stale_lists(config, out));
    HOST_CONFIG(retry_min, config.integer_or("exchange.retry_ms_min", 250, 10, 60'000));
    HOST_CONFIG(retry_max,
                config.integer_or("exchange.retry_ms_max", 30'000, retry_min, 3'600'000));
    out.retry_min = std::chrono::milliseconds{retry_min};
    out.retry_max = std::chrono::milliseconds{retry_max};
    if (const auto done = config.finish(); !done) return std::unexpected{done.error().text()};
    return out;
}

}  // namespace host::program
