// What taps cost: the gate's own state machine with a card and a SAM on the measured Cortex-M3
// image, each in its emulator, loads as a kiosk does them, and the other commands one by one. Every
// random number comes from a fixed seed, so that each run counts the same. Prints one line per
// command (measured.hpp), read by card_budget.py:
//
//   card_taps IMAGE DIRECTORY
#include <iostream>

#include "terminal/gate/tap.hpp"
#include "tests/firmware/budget/other_commands.hpp"

namespace {

using protocol::Suite;
using tests::budget::Measured;
using tests::budget::require;

constexpr int aging_taps =
    900;  // the log is then as long as it gets, and its oldest pages are reclaimed
constexpr int warm_up_taps = 6;
constexpr int taps_counted = 24;
constexpr int rounds_counted = 12;
constexpr int taps_between_rounds = 5;  // so that each finds the log at another place

class NoHotCards final : public terminal::HotCards {
public:
    bool in_force() const override { return true; }
    bool lists(const terminal::CardNumber&, const terminal::DateTime&) const override {
        return false;
    }
};
class NothingUnresolved final : public terminal::UnresolvedEntries {
public:
    std::vector<terminal::BatchRecord> of(const terminal::CardNumber&) const override { return {}; }
};

terminal::FareTable fares() {
    using protocol::LineCode;
    using protocol::Money;
    using protocol::StationCode;
    terminal::FareRules rules;
    rules.version = 1;
    rules.lines = {{LineCode{1}, {{StationCode{101}, 0}, {StationCode{102}, 1800}}}};
    rules.bands = {{std::nullopt, Money::from_fen(200)}};
    rules.single = {{LineCode{51}, Money::from_fen(200)}};
    auto table = terminal::FareTable::make(rules);
    require(table.has_value(), "the fare table");
    return *table;
}

terminal::GateProfile profile(terminal::GateMode mode) {
    const bool is_single = mode == terminal::GateMode::single;
    terminal::GateProfile gate;
    gate.mode = mode;
    gate.city = protocol::CityCode{0x2900};  // the card's
    gate.accepted_cities = {gate.city};
    gate.line = protocol::LineCode{static_cast<std::uint16_t>(is_single ? 51 : 1)};
    gate.station = protocol::StationCode{
        static_cast<std::uint16_t>(mode == terminal::GateMode::exit ? 102 : 101)};
    return gate;
}

struct City {
    Measured card, sam;
    terminal::FareTable table = fares();
    NoHotCards hot_cards{};
    NothingUnresolved unresolved{};

    void label(const std::string& text) {
        card.label(text);
        sam.label(text);
    }
    void tap(terminal::GateMode mode) {
        const auto gate = profile(mode);
        card.power_on();
        terminal::Tap tap{{gate, table, hot_cards, unresolved, tests::terminal, tests::noon()}};
        auto step = tap.begin();
        while (!std::holds_alternative<terminal::Finished>(step)) {
            if (const auto* send = std::get_if<terminal::Send>(&step)) {
                auto& party = send->to == terminal::Party::card ? card : sam;
                step = tap.on_response(party.exchange(send->command.bytes()).bytes());
            } else {
                step = tap.on_recorded();
            }
        }
        const auto& end = std::get<terminal::Finished>(step);
        require(end.open, "the gate stayed shut: " + end.detail);
    }
    /// As terminal/kiosk does: SELECT, VERIFY, INITIALIZE FOR LOAD, CREDIT FOR LOAD.
    void load(std::uint32_t fen, Suite suite) {
        card.power_on();
        card.must(protocol::select_by_name(protocol::transit_aid));
        tests::load(card, fen, suite);
    }
};

/// One tap on the host, not counted.
void age(tests::Chip& card, tests::Chip& sam) {
    const auto opened =
        tests::open_purchase(card, sam, 1, protocol::TransactionType::capp_purchase);
    card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, tests::trip(1)));
    card.must(tests::debit(opened));
    card.card().housekeeping();
}

/// A card of 128 KB, issued, and with years of taps behind it. They run on the host.
tests::Chip old_card(Suite suite, tests::Chip& sam) {
    tests::Chip card{"card", 1, firmware::flash_model::page_count_default};
    card.manufacture(tests::card_serial, suite);
    std::array<std::uint8_t, 8> challenge{};
    std::ranges::copy(card.must(protocol::get_challenge_8()), challenge.begin());
    for (const auto& command : tests::transit_card_script(challenge, tests::card_serial, suite)) {
        card.must(command);
    }
    card.power_on();
    card.must(protocol::select_by_name(protocol::transit_aid));
    tests::load(card, 10'000, suite);
    for (int tap = 0; tap < aging_taps; ++tap) age(card, sam);
    return card;
}

std::string name_of(Suite suite) {
    return suite == Suite::sm4 ? "sm4" : "3des";
}

void count_taps(const std::string& image, const std::string& directory, Suite suite) {
    const std::string name = name_of(suite);
    auto sam = tests::issued_sam();
    auto card = old_card(suite, sam);
    City city{{image, directory + "/card-" + name, card, "card"},
              {image, directory + "/sam-" + name, sam, "sam"}};
    city.sam.power_on();
    city.sam.must(protocol::select_by_name(protocol::sam_aid));
    const auto round = [&](const std::string& kind, int taps, auto&& action) {
        for (int tap = 0; tap < taps; ++tap) {
            city.label(kind.empty() ? kind : name + ' ' + kind + ' ' + std::to_string(tap));
            action();
        }
    };
    round("", warm_up_taps, [&] { city.load(10'000, suite); });
    round("", warm_up_taps, [&] { city.tap(terminal::GateMode::single); });
    round("single", taps_counted, [&] { city.tap(terminal::GateMode::single); });
    for (int journey = 0; journey < taps_counted; ++journey) {
        city.label(name + " entry " + std::to_string(journey));
        city.tap(terminal::GateMode::entry);
        city.label(name + " exit " + std::to_string(journey));
        city.tap(terminal::GateMode::exit);
    }
    round("load", taps_counted, [&] { city.load(100, suite); });
}

/// A round ends with a blocked card, so each has its own emulator, and its card is a bit older.
void count_other_commands(const std::string& image, const std::string& directory, Suite suite) {
    const std::string name = name_of(suite);
    auto host_sam = tests::issued_sam(1, suite);
    auto host_card = old_card(suite, host_sam);
    Measured sam{image, directory + "/sam-other-" + name, host_sam, "sam"};
    for (int round = 0; round < rounds_counted; ++round) {
        for (int tap = 0; tap < taps_between_rounds; ++tap) age(host_card, host_sam);
        Measured card{image, directory + "/card-other-" + name, host_card, "card"};
        tests::budget::OtherCommands{card, sam, suite, name, round}.count();
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: card_taps IMAGE DIRECTORY\n";
        return 2;
    }
    try {
        for (const auto suite : {Suite::sm4, Suite::triple_des}) {
            count_taps(argv[1], argv[2], suite);
            count_other_commands(argv[1], argv[2], suite);
        }
    } catch (const std::exception& error) {
        std::cerr << "card_taps: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
