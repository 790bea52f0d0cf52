#pragma once
// The other side of a tap as a table: expected command, canned answer. Anything else fails. Files:
// tests/data/terminal/*.tap, whose origin is make_taps.py beside them.
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "terminal/gate/tap.hpp"
#include "tests/protocol/hex.hpp"

namespace tests {

struct ScriptedExchange {
    enum class Kind : std::uint8_t { card, sam, record } kind;
    std::string command;
    std::string answer;
};
using Script = std::vector<ScriptedExchange>;

inline Script load_script(const std::string& file) {
    std::ifstream in{std::string{ONECARD_TEST_DATA} + "/terminal/" + file};
    REQUIRE_MESSAGE(in.good(), file);
    Script script;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words{line};
        std::string kind;
        ScriptedExchange exchange{};
        words >> kind >> exchange.command >> exchange.answer;
        exchange.kind = kind == "card"  ? ScriptedExchange::Kind::card
                        : kind == "sam" ? ScriptedExchange::Kind::sam
                                        : ScriptedExchange::Kind::record;
        script.push_back(exchange);
    }
    REQUIRE_FALSE(script.empty());
    return script;
}

class NoHotCards final : public terminal::HotCards {
public:
    bool in_force_ = true;
    std::optional<terminal::CardNumber> listed_;
    bool in_force() const override { return in_force_; }
    bool lists(const terminal::CardNumber& card, const terminal::DateTime&) const override {
        return listed_ == card;
    }
};
class WaitingEntries final : public terminal::UnresolvedEntries {
public:
    std::vector<terminal::BatchRecord> entries;
    std::vector<terminal::BatchRecord> of(const terminal::CardNumber& card) const override {
        std::vector<terminal::BatchRecord> out;
        for (const auto& entry : entries) {
            if (entry.card == card) out.push_back(entry);
        }
        return out;
    }
};

template <std::size_t size>
std::array<std::uint8_t, size> array_of(std::string_view text) {
    std::array<std::uint8_t, size> out{};
    const auto bytes = hex(text);
    if (bytes.size() != size) throw std::invalid_argument{"wrong size"};
    std::ranges::copy(bytes, out.begin());
    return out;
}
inline terminal::DateTime date_time(std::string_view digits) {
    return *terminal::DateTime::parse(array_of<7>(digits));
}
inline const terminal::CardNumber test_card{array_of<10>("03104000000000000017")};

/// Stations 101..103 of line 1 at 0, 1800 and 4100 m; line 51 flat; a student pays half.
inline terminal::FareTable test_fares() {
    using protocol::LineCode;
    using protocol::Money;
    using protocol::StationCode;
    terminal::FareRules rules;
    rules.version = 3;
    rules.round_down_to_fen = 10;
    rules.lines = {
        {LineCode{1}, {{StationCode{101}, 0}, {StationCode{102}, 1800}, {StationCode{103}, 4100}}}};
    rules.bands = {{4000, Money::from_fen(200)}, {std::nullopt, Money::from_fen(400)}};
    rules.single = {{LineCode{51}, Money::from_fen(200)}};
    rules.class_percent = {{protocol::CardKind::student, 50}, {protocol::CardKind::elder, 0}};
    auto table = terminal::FareTable::make(rules);
    REQUIRE(table.has_value());
    return *table;
}

inline terminal::GateProfile test_profile(terminal::GateMode mode) {
    terminal::GateProfile gate;
    gate.mode = mode;
    gate.device = terminal::DeviceId{array_of<8>("3100000000000101")};
    gate.operator_id = terminal::OperatorId{array_of<8>("0000000000003101")};
    gate.city = protocol::CityCode{0x3100};
    gate.line =
        protocol::LineCode{static_cast<std::uint16_t>(mode == terminal::GateMode::single ? 51 : 1)};
    gate.station = protocol::StationCode{
        static_cast<std::uint16_t>(mode == terminal::GateMode::single ? 1 : 103)};
    gate.industry = 2;
    gate.operator_code = 1;
    return gate;
}

/// Everything a tap looks at, for one test.
struct TapWorld {
    explicit TapWorld(terminal::GateMode mode) : profile{test_profile(mode)} {}
    terminal::GateProfile profile;
    terminal::FareTable fares = test_fares();
    NoHotCards hot_cards;
    WaitingEntries waiting;
    terminal::DateTime now = date_time("20261123083000");
    [[nodiscard]] terminal::TapContext context() const {
        return {profile,
                fares,
                hot_cards,
                waiting,
                terminal::TerminalNumber{array_of<6>("310000000001")},
                now};
    }
};

struct Played {
    terminal::Finished result;
    std::vector<terminal::Record> recorded;
    std::size_t debits = 0;
    std::size_t exchanges = 0;
    terminal::LinkCount card;
};

/// Plays the script; after `cut` exchanges with card or SAM the link is lost at the next one.
inline Played play(const TapWorld& world, const Script& script, std::size_t cut = SIZE_MAX) {
    terminal::Tap tap{world.context()};
    Played played;
    std::size_t line = 0;
    terminal::Step step = tap.begin();
    while (!std::holds_alternative<terminal::Finished>(step)) {
        REQUIRE_MESSAGE(line < script.size(), "a step after the end of the script");
        const ScriptedExchange& expected = script[line++];
        if (const auto* record = std::get_if<terminal::Record>(&step)) {
            CHECK(expected.kind == ScriptedExchange::Kind::record);
            played.recorded.push_back(*record);
            step = tap.on_recorded();
            continue;
        }
        const auto& send = std::get<terminal::Send>(step);
        CHECK((send.to == terminal::Party::sam) == (expected.kind == ScriptedExchange::Kind::sam));
        CHECK(to_hex(send.command) == expected.command);
        played.debits += send.command.bytes()[1] == 0x54 ? 1U : 0U;
        step =
            played.exchanges++ == cut ? tap.on_link_lost() : tap.on_response(hex(expected.answer));
    }
    played.result = std::get<terminal::Finished>(step);
    played.card = tap.card_traffic();
    return played;
}

}  // namespace tests
