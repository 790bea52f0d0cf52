#include "terminal/program/kiosk_parts.hpp"

#include <charconv>

#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace terminal {

using platform::ConfigError;
using protocol::CardNumber;
using protocol::Money;

const char* const kiosk_config_example = R"(An example of kiosk.toml:
  deployment = "kiosk-3100000000000901"  # directory from `onecard-keys deploy terminal`
  journal = "kiosk.journal"
  terminal = "310000000901"              # six bytes, in every load's MAC
  pin_file = "pin"                       # optional: digits, for cards that have a PIN
  stale_lists = "refuse"                 # or accept: revocation lists past their nextUpdate
  [reader]
  card = "OneCard Virtual Reader 00 00 00"
  [host]
  address = "127.0.0.1"
  port = 7443
Lines on standard input: quit.)";

const char* const desk_config_example = R"(An example of desk.toml:
  deployment = "desk-1"                  # directory from `onecard-keys deploy desk`
  [reader]
  card = "OneCard Virtual Reader 00 00 00"
  [issuer]
  address = "127.0.0.1"
  port = 7444
  [kiosk]                                # only for --then-load: the keys of kiosk.toml
  deployment = "kiosk-3100000000000901"
  journal = "kiosk.journal"
  terminal = "310000000901"
  [kiosk.host]
  address = "127.0.0.1"
  port = 7443
With --then-load and --passphrase-fd the first line is the desk's passphrase, the second the kiosk's.)";

namespace {

constexpr std::size_t text_size_max = 16 * 1024 * 1024;
constexpr std::uint32_t load_fen_max = 10'000'000;

std::expected<std::vector<std::uint8_t>, std::string> read_pin(const std::filesystem::path& path) {
    if (path.empty()) return std::vector<std::uint8_t>{};
    auto text = platform::read_text_file(path, 64);
    if (!text) return std::unexpected{text.error().detail};
    while (!text->empty() && text->back() == '\n') text->pop_back();
    if (text->size() % 2 != 0) *text += 'F';  // docs/card_commands.md, 3: F padding
    const auto pin = platform::from_hex(*text);
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
    if (!pin || pin->size() < 2 || pin->size() > 6) {
        return std::unexpected{path.string() + ": 4 to 12 digits expected"};
    }
    return *pin;
}

platform::HttpClientOptions client_options(const HostAddress& host, protocol::CityCode city) {
    platform::HttpClientOptions options;
    options.host = host.address;
    options.port = host.port;
    options.peer_organisation = platform::to_hex(std::array{
        static_cast<std::uint8_t>(city.value() >> 8), static_cast<std::uint8_t>(city.value())});
    return options;
}

}  // namespace

platform::ConfigResult<KioskConfig> read_kiosk_config(const platform::Config& table) {
    KioskConfig config;
    ONECARD_TRY(deployment, table.path("deployment"));
    ONECARD_TRY(journal, table.path("journal"));
    ONECARD_TRY(terminal, table.hex("terminal", 6));
    ONECARD_TRY(host, read_host(table, "host"));
    if (table.has("pin_file")) {
        ONECARD_TRY(pin_file, table.path("pin_file"));
        config.pin_file = pin_file;
    }
    ONECARD_TRY(stale_lists, read_stale_lists(table));
    config.stale_lists = stale_lists;
    config.deployment = deployment;
    config.journal = journal;
    std::array<std::uint8_t, 6> number{};
    std::ranges::copy(terminal, number.begin());
    config.terminal = protocol::TerminalNumber{number};
    config.host = host;
    return config;
}

std::optional<Money> LoadOrders::operator()(const CardNumber& card) const {
    if (const auto found = by_card.find(card); found != by_card.end()) return found->second;
    if (amount_fen == 0) return std::nullopt;
    return Money::from_fen(static_cast<std::uint32_t>(amount_fen));
}

std::expected<LoadOrders, std::string> parse_orders(std::string_view text) {
    LoadOrders orders;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) continue;
        const std::size_t comma = std::min(line.find(','), line.size());
        std::string digits{line.substr(0, comma)};
        if (digits.size() == 19) digits.insert(digits.begin(), '0');
        const auto card = platform::from_hex<10>(digits);
        const std::string_view amount = comma < line.size() ? line.substr(comma + 1) : "";
        std::uint32_t fen = 0;
        const auto [rest, error] =
            std::from_chars(amount.data(), amount.data() + amount.size(), fen);
        const bool good = card && protocol::is_bcd(*card) && error == std::errc{} &&
                          rest == amount.data() + amount.size() && fen > 0 && fen <= load_fen_max;
        if (!good) {
            return std::unexpected{"line " + std::to_string(number) +
                                   ": card number (20 digits), comma, 1..10000000 fen expected"};
        }
        if (!orders.by_card.emplace(CardNumber{*card}, Money::from_fen(fen)).second) {
            return std::unexpected{"line " + std::to_string(number) + ": this card came before"};
        }
    }
    return orders;
}

std::expected<LoadOrders, std::string> read_orders(std::int64_t amount_fen,
                                                   const std::filesystem::path& amounts) {
    LoadOrders orders;
    if (!amounts.empty()) {
        const auto text = platform::read_text_file(amounts, text_size_max);
        if (!text) return std::unexpected{text.error().detail};
        auto parsed = parse_orders(*text);
        if (!parsed) return std::unexpected{amounts.string() + ": " + parsed.error()};
        orders = std::move(*parsed);
    }
    orders.amount_fen = amount_fen;
    if (amount_fen == 0 && orders.by_card.empty()) {
        return std::unexpected<std::string>{"nothing to load: give --amount or --amounts"};
    }
    return orders;
}

KioskParts::KioskParts(OpenDeployment deployment, LoadJournal journal, const KioskConfig& config,
                       KioskProfile profile, LoadOrders orders)
    : deployment_{std::move(deployment)},
      journal_{std::move(journal)},
      host_{client_options(config.host, deployment_.who.city), *deployment_.tls},
      orders_{std::move(orders)},
      kiosk_{std::move(profile), journal_, host_, clock_} {}

std::expected<std::unique_ptr<KioskParts>, std::string> KioskParts::open(
    const KioskConfig& config, const CommonOptions& options, LoadOrders orders,
    crypto::Random& random) {
    ONECARD_TRY(deployment, open_deployment(config.deployment, options.passphrase,
                                            options.rehearsal, random, config.stale_lists));
    const auto device = platform::from_hex<8>(deployment.who.unit);
    if (deployment.who.role != "terminal" || !device) {
        return std::unexpected{config.deployment.string() + ": not a terminal's deployment"};
    }
    ONECARD_TRY(pin, read_pin(config.pin_file));
    KioskProfile profile{protocol::DeviceId{*device}, config.terminal, pin,
                         !orders.by_card.empty()};
    auto journal = LoadJournal::open(config.journal, profile.device);
    if (!journal) {
        return std::unexpected{config.journal.string() + ": " + name(journal.error().error) + ": " +
                               journal.error().text};
    }
    return std::unique_ptr<KioskParts>{new KioskParts{
        std::move(deployment), std::move(*journal), config, std::move(profile), std::move(orders)}};
}

void KioskParts::settle(Events& events) {
    constexpr std::int64_t every_ms = 2'000;
    const std::int64_t now = clock_.unix_ms();
    if (now < next_settle_ms_ && next_settle_ms_ - now <= every_ms) return;
    next_settle_ms_ = now + every_ms;
    const std::size_t open = kiosk_.settle();
    if (open != open_) events.say("open_loads", {{"count", static_cast<std::int64_t>(open)}});
    open_ = open;
}

void KioskParts::serve(CardLink& card, Events& events) {
    const LoadReport report = kiosk_.load(card, std::cref(orders_));
    Events::Fields fields{{"loaded", report.refusal == LoadRefusal::none},
                          {"refusal", std::string{name(report.refusal)}}};
    if (report.card) fields.emplace_back("card", platform::mask(*report.card));
    fields.emplace_back("amount_fen", std::int64_t{report.amount.fen()});
    if (report.refusal == LoadRefusal::none) {
        fields.emplace_back("balance_after_fen", std::int64_t{report.balance_after.fen()});
        fields.emplace_back("confirmed", report.confirmed);
    }
    if (report.sequence != 0) fields.emplace_back("sequence", std::int64_t{report.sequence});
    if (report.outcome) fields.emplace_back("outcome", std::string{name(*report.outcome)});
    if (!report.detail.empty()) fields.emplace_back("detail", report.detail);
    events.say("load", fields);
}

}  // namespace terminal
