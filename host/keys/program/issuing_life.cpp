// `onecard-keys issuing activate|lost|found|block|retire|release|history|inventory`.
// docs/issuing.md.
#include <array>
#include <iostream>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "host/keys/fleet.hpp"
#include "host/keys/program/issuing_options.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using ChipNumber = std::array<std::uint8_t, 10>;

Result<ChipNumber> chip_number(const IssuingOptions& options) {
    const auto number = platform::from_hex<10>(options.number);
    if (!number) return refuse(RefusalKind::input_wrong, "--number: 20 digits expected");
    return *number;
}
ChipKind chip_kind(const std::string& kind) {
    return kind == "card" ? ChipKind::card : ChipKind::sam;
}
std::string shown(ChipKind kind, const ChipNumber& number, bool unmasked) {
    if (kind == ChipKind::sam || unmasked) return platform::to_hex(number);
    return platform::mask(protocol::CardNumber{number});
}

Result<StepOrder> step_order(const IssuingOptions& options, ChipStep step) {
    ONECARD_TRY(number, chip_number(options));
    StepOrder order{step, chip_kind(options.kind), number, {}, {}};
    if (!options.reason.empty()) {
        order.reason = parse_hot_reason(options.reason);
        if (!order.reason) {
            return refuse(RefusalKind::input_wrong,
                          "--reason: lost, stolen, returned, fraud or expired expected");
        }
    }
    if (!options.since.empty()) {
        const auto stamp = platform::from_hex<7>(options.since);
        const auto when = stamp ? protocol::DateTime::parse(*stamp)
                                : std::unexpected{protocol::ParseError::wrong_value};
        if (!when) return refuse(RefusalKind::input_wrong, "--since: YYYYMMDDhhmmss expected");
        order.since = *when;
    }
    return order;
}

std::string key_text(const KeyStamp& key) {
    return fmt::format("{}{}/{}/{}", key.national ? "national " : "", name(key.use),
                       word(key.suite), key.version.value());
}

json::object key_json(const KeyStamp& key) {
    return {{"use", name(key.use)},
            {"suite", word(key.suite)},
            {"version", key.version.value()},
            {"national", key.national}};
}

void print_chip(const IssuingOptions& options, const FleetChip& chip,
                std::span<const KeyStamp> keys) {
    const std::string number = shown(chip.kind, chip.number, options.unmasked);
    const std::string serial = chip.chip ? platform::to_hex(chip.chip->value()) : "";
    if (options.json) {
        json::array list;
        for (const KeyStamp& key : keys) list.push_back(key_json(key));
        std::cout << json::serialize(json::object{{"kind", name(chip.kind)},
                                                  {"number", number},
                                                  {"chip", serial},
                                                  {"state", name(chip.state)},
                                                  {"replaced", chip.replaced},
                                                  {"chip_blocked", chip.chip_blocked},
                                                  {"keys", std::move(list)}})
                  << '\n';
        return;
    }
    std::string text = fmt::format("{} {} {} {}", name(chip.kind), number,
                                   serial.empty() ? "-" : serial, name(chip.state));
    if (chip.replaced) text += " replaced";
    if (chip.chip_blocked) text += " chip_blocked";
    for (const KeyStamp& key : keys) text += (&key == keys.data() ? "  " : ", ") + key_text(key);
    std::cout << text << '\n';
}

void print_counts(const IssuingOptions& options, const IssueCounts& counts) {
    json::object out;
    std::string text;
    for (const ChipKind kind : {ChipKind::card, ChipKind::sam}) {
        json::object states;
        for (std::uint8_t number = 1; number <= chip_state_last; ++number) {
            const auto state = static_cast<ChipState>(number);
            if (counts.of(kind, state) == 0) continue;
            states[name(state)] = counts.of(kind, state);
            text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", counts.of(kind, state),
                                name(kind), name(state));
        }
        out[name(kind)] = std::move(states);
    }
    print(options.json, text.empty() ? "no chips" : text,
          json::serialize(json::object{{"counts", std::move(out)}}));
}

}  // namespace

Actor person(const IssuingOptions& options) {
    if (!options.by.empty()) return {Actor::Kind::person, options.by};
    std::array<char, 4096> room{};
    passwd entry{};
    passwd* found = nullptr;
    const uid_t account = ::getuid();
    if (::getpwuid_r(account, &entry, room.data(), room.size(), &found) == 0 && found != nullptr) {
        return {Actor::Kind::person, entry.pw_name};
    }
    return {Actor::Kind::person, fmt::format("uid {}", account)};
}

Result<void> run_step(const IssuingOptions& options, ChipStep step) {
    ONECARD_TRY(order, step_order(options, step));
    ONECARD_TRY(issuer, open_issuer(options));
    ONECARD_TRY(state, open_state(options, issuer));
    ONECARD_TRY(now, state.take_step(order, person(options)));
    const std::string number = shown(order.kind, order.number, options.unmasked);
    print(options.json, fmt::format("{} {} is {}", name(order.kind), number, name(now)),
          json::serialize(
              json::object{{"kind", name(order.kind)}, {"number", number}, {"state", name(now)}}));
    return {};
}

Result<void> run_release(const IssuingOptions& options) {
    ONECARD_TRY(number, chip_number(options));
    ONECARD_TRY(issuer, open_issuer(options));
    ONECARD_TRY(state, open_state(options, issuer));
    return state.release(chip_kind(options.kind), number, person(options));
}

Result<void> run_history(const IssuingOptions& options) {
    ONECARD_TRY(number, chip_number(options));
    ONECARD_TRY(state, open_state(options));
    ONECARD_TRY(events, state.history(chip_kind(options.kind), number));
    for (const ChipEvent& event : events) {
        const std::string at = platform::to_hex(platform::local_date_time(event.at_ms).bcd());
        const char* const to = event.to ? name(*event.to) : name(ChipState::ordered);
        print(options.json,
              fmt::format("{} {} {} {}{}", at, event.who, name(event.step), to,
                          event.detail == "{}" ? "" : " " + event.detail),
              json::serialize(json::object{{"at", at},
                                           {"by", event.who},
                                           {"step", name(event.step)},
                                           {"state", to},
                                           {"detail", event.detail}}));
    }
    return {};
}

Result<void> run_inventory(const IssuingOptions& options) {
    InventoryFilter filter;
    if (!options.only_kind.empty()) filter.kind = chip_kind(options.only_kind);
    if (!options.only_state.empty()) {
        filter.state = parse_chip_state(options.only_state);
        if (!filter.state) {
            return refuse(RefusalKind::input_wrong,
                          "--state-is: ordered, bound, issued, activated, blocked, lost or "
                          "retired expected");
        }
    }
    if (options.key_version != 0) filter.version = protocol::KeyVersion{options.key_version};
    ONECARD_TRY(state, open_state(options));
    IssueCounts counts;
    ONECARD_CHECK(
        Fleet{state}.each(filter, [&](const FleetChip& chip, std::span<const KeyStamp> keys) {
            print_chip(options, chip, keys);
            ++counts.by_kind.at(chip.kind == ChipKind::sam ? 1 : 0)
                  .at(static_cast<std::size_t>(chip.state));
        }));
    print_counts(options, counts);
    return {};
}

}  // namespace host::keys
