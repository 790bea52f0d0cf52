// terminal/fares: docs/gate.md, "Fares".
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include "terminal/fares/fare_file.hpp"
#include "tests/terminal/scripted_tap.hpp"

using protocol::CardKind;
using protocol::LineCode;
using protocol::Money;
using protocol::StationCode;
using terminal::FareError;
using terminal::FareRules;
using terminal::FareTable;

namespace {

FareRules good_rules() {
    FareRules rules;
    rules.version = 1;
    rules.lines = {{LineCode{1}, {{StationCode{1}, 0}, {StationCode{2}, 3000}}},
                   {LineCode{2}, {{StationCode{2}, 0}, {StationCode{3}, 2000}}}};
    rules.bands = {{3000, Money::from_fen(200)}, {std::nullopt, Money::from_fen(300)}};
    return rules;
}
FareError refusal(const FareRules& rules) {
    const auto table = FareTable::make(rules);
    REQUIRE_FALSE(table.has_value());
    return table.error().error;
}

/// A network of a few lines over few stations, so that lines cross.
FareRules random_rules() {
    FareRules rules = good_rules();
    rules.lines.clear();
    rules.round_down_to_fen = *rc::gen::inRange(1U, 30U);
    const int lines = *rc::gen::inRange(1, 5);
    for (int l = 1; l <= lines; ++l) {
        FareRules::Line line{LineCode{static_cast<std::uint16_t>(l)}, {}};
        const auto drawn = *rc::gen::container<std::vector<std::uint16_t>>(
            12, rc::gen::inRange<std::uint16_t>(1, 13));
        std::vector<std::uint16_t> stations;  // a line stops once at each
        for (const std::uint16_t station : drawn) {
            if (std::ranges::find(stations, station) == stations.end()) stations.push_back(station);
        }
        std::uint32_t metres = 0;
        for (const std::uint16_t station : stations) {
            line.stops.push_back({StationCode{station}, metres});
            metres += *rc::gen::inRange(1U, 3000U);
        }
        if (line.stops.size() >= 2) rules.lines.push_back(line);
    }
    RC_PRE(!rules.lines.empty());
    rules.bands = {{1000, Money::from_fen(*rc::gen::inRange(0U, 200U))},
                   {5000, Money::from_fen(*rc::gen::inRange(200U, 400U))},
                   {std::nullopt, Money::from_fen(*rc::gen::inRange(400U, 900U))}};
    rules.class_percent = {{CardKind::student, *rc::gen::inRange(0U, 101U)}};
    return rules;
}

}  // namespace

TEST_CASE("fares: any network: the same both ways, capped, never dearer by a discount") {
    const bool held = rc::check("fares", [] {
        const auto table = FareTable::make(random_rules());
        RC_ASSERT(table.has_value());
        for (std::uint16_t a = 1; a < 13; ++a) {
            for (std::uint16_t b = 1; b < 13; ++b) {
                const auto there = table->journey(StationCode{a}, StationCode{b});
                RC_ASSERT(there == table->journey(StationCode{b}, StationCode{a}));
                if (!there) continue;
                RC_ASSERT(*there <= table->maximum());
                RC_ASSERT(*table->journey(StationCode{a}, StationCode{a}) <= *there);
                const Money paid = table->discounted(*there, CardKind::student);
                RC_ASSERT(paid <= *there);
                RC_ASSERT(table->discounted(*there, CardKind::ordinary) == *there);
            }
        }
    });
    CHECK(held);
}

TEST_CASE("fares: a longer stretch of one line never costs less") {
    const bool held = rc::check("monotone", [] {
        FareRules rules = random_rules();
        rules.lines.resize(1);
        const auto table = FareTable::make(rules);
        RC_ASSERT(table.has_value());
        const auto& stops = rules.lines[0].stops;
        for (std::size_t i = 1; i < stops.size(); ++i) {
            RC_ASSERT(*table->journey(stops[0].station, stops[i - 1].station) <=
                      *table->journey(stops[0].station, stops[i].station));
        }
    });
    CHECK(held);
}

TEST_CASE("fares: by hand: the shortest way crosses lines, the band's end is inside") {
    const auto table = FareTable::make(good_rules());
    REQUIRE(table.has_value());
    CHECK(table->journey(StationCode{1}, StationCode{2}) == Money::from_fen(200));  // 3,000 m
    CHECK(table->journey(StationCode{1}, StationCode{3}) == Money::from_fen(300));  // 5,000 m
    CHECK(table->maximum() == Money::from_fen(300));
    CHECK_FALSE(table->journey(StationCode{1}, StationCode{9}).has_value());
    CHECK_FALSE(table->single(LineCode{51}).has_value());
}

TEST_CASE("fares: rounding favours the traveller, to the fen") {
    FareRules rules = good_rules();
    rules.round_down_to_fen = 10;
    rules.class_percent = {{CardKind::student, 50}, {CardKind::elder, 0}};
    const auto table = FareTable::make(rules);
    REQUIRE(table.has_value());
    CHECK(table->discounted(Money::from_fen(250), CardKind::student) == Money::from_fen(120));
    CHECK(table->discounted(Money::from_fen(19), CardKind::student) == Money::from_fen(0));
    CHECK(table->discounted(Money::from_fen(250), CardKind::elder) == Money::from_fen(0));
    CHECK(table->discounted(Money::from_fen(255), CardKind::military) == Money::from_fen(255));
}

TEST_CASE("fares: rules that contradict themselves are refused by name") {
    FareRules rules = good_rules();
    rules.version = 0;
    CHECK(refusal(rules) == FareError::version_zero);
    rules = good_rules();
    rules.round_down_to_fen = 0;
    CHECK(refusal(rules) == FareError::rounding_zero);
    rules = good_rules();
    rules.class_percent[CardKind::elder] = 101;
    CHECK(refusal(rules) == FareError::percent_above_100);
    rules = good_rules();
    rules.bands[0].fare = Money::from_fen(terminal::fare_fen_max + 1);
    CHECK(refusal(rules) == FareError::fare_too_high);
    rules = good_rules();
    rules.bands[1].fare = Money::from_fen(199);
    CHECK(refusal(rules) == FareError::bands_not_rising);
    rules = good_rules();
    rules.bands.push_back({std::nullopt, Money::from_fen(900)});
    CHECK(refusal(rules) == FareError::last_band_not_open);
    rules = good_rules();
    rules.lines[1].code = LineCode{1};
    CHECK(refusal(rules) == FareError::line_repeated);
    rules = good_rules();
    rules.lines[0].stops.pop_back();
    CHECK(refusal(rules) == FareError::line_too_short);
    rules = good_rules();
    rules.lines[0].stops[1].metres = 0;
    CHECK(refusal(rules) == FareError::stations_not_rising);
    rules = good_rules();
    rules.lines[0].stops[1].station = StationCode{1};
    CHECK(refusal(rules) == FareError::station_repeated);
    rules = good_rules();
    rules.lines.clear();
    CHECK(refusal(rules) == FareError::nothing_to_sell);
}

TEST_CASE("fares: the file of docs/gate.md loads") {
    const auto table = terminal::parse_fares(R"(
version = 3
round_down_to_fen = 10
[[line]]
code = 1
stations = [101, 102, 103]
metres   = [0, 1800, 4100]
[[band]]
up_to_metres = 4000
fare_fen = 200
[[band]]
fare_fen = 400
[[single]]
line = 51
fare_fen = 200
[class_percent]
student = 50
elder = 0
)",
                                             "fares.toml");
    REQUIRE_MESSAGE(table.has_value(), (table ? "" : table.error().text()));
    CHECK(table->version() == 3);
    CHECK(table->journey(StationCode{101}, StationCode{103}) == Money::from_fen(400));
    CHECK(table->single(LineCode{51}) == Money::from_fen(200));
    CHECK(table->discounted(Money::from_fen(400), CardKind::student) == Money::from_fen(200));
}

TEST_CASE("fares: a file with a mistake is refused with its key") {
    struct Case {
        const char* text;
        const char* key;
    };
    constexpr std::array cases{
        Case{"version = 1.5", "version"},
        Case{"version = 1\nfaer = 3\n[[single]]\nline=1\nfare_fen=2", "faer"},
        Case{"version = 1\n[[single]]\nline = 1\nfare_fen = -2", "fare_fen"},
        Case{"version = 1\n[[line]]\ncode = 300\nstations=[1]\nmetres=[0]", "code"},
        Case{"version = 1\n[[line]]\ncode = 3\nstations=[1,2]\nmetres=[0]", "metres"},
        Case{"version = 1\n[[line]]\ncode = 3\nstations=[70000,2]\nmetres=[0,9]", "stations"},
        Case{"version = 1\n[[single]]\nline=1\nfare_fen=2\n[class_percent]\nelder=200", "elder"},
        Case{"version = 1", "nothing_to_sell"},
        Case{"version = ", "fares.toml"},
    };
    for (const auto& [text, key] : cases) {
        CAPTURE(text);
        const auto table = terminal::parse_fares(text, "fares.toml");
        REQUIRE_FALSE(table.has_value());
        CHECK_MESSAGE(table.error().text().find(key) != std::string::npos, table.error().text());
    }
}
