// What taps cost: the gate's own state machine with a card and a SAM on the measured Cortex-M3
// image, each in its emulator, and loads as a kiosk does them. Every random number comes from a
// fixed seed, so that each run counts the same. Prints one line per command, read by
// card_budget.py:
//
//   card_taps IMAGE DIRECTORY
//   -> suite kind tap party INS command_bytes answer_bytes, then
//   firmware/boards/mps2/measuring.hpp's numbers
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "firmware/boards/virtual/chip_file.hpp"
#include "firmware/boards/virtual/emulator.hpp"
#include "terminal/gate/tap.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace {

using firmware::boards::Emulator;
using firmware::boards::FrameKind;
using protocol::Bytes;
using protocol::Suite;
using Response = protocol::ByteBuffer<protocol::short_response_size_max>;

constexpr int aging_taps =
    900;  // the log is then as long as it gets, and its oldest pages are reclaimed
constexpr int warm_up_taps = 6;
constexpr int taps_counted = 24;

void require(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error{what};
}

/// A chip on the measured image, its costs printed.
class Measured {
public:
    Measured(const std::string& image, const std::string& path, tests::Chip& chip,
             std::string party)
        : party_{std::move(party)}, emulator_{start(image, path, chip)} {}

    /// Power off and on again, as between two taps; the loss of RAM is a warm reset's.
    void power_on() {
        std::array<std::uint8_t, firmware::boards::seed_size> seed{};
        seed[0] = static_cast<std::uint8_t>(++resets_);
        seed[1] = static_cast<std::uint8_t>(resets_ >> 8);
        const auto frame = emulator_.exchange(FrameKind::reset, seed);
        require(frame && !frame->payload.empty(), party_ + " is mute");
        print("00", 0, frame->payload.size());
    }
    Response send(Bytes command) {
        const auto frame = emulator_.exchange(FrameKind::command, command);
        require(frame && frame->kind == FrameKind::answer && frame->payload.size() >= 2,
                party_ + " does not answer");
        char ins[3];
        std::snprintf(ins, sizeof ins, "%02X", command[1]);
        print(ins, command.size(), frame->payload.size());
        Response response;
        require(response.append(frame->payload), party_ + " answers too much");
        return response;
    }
    std::vector<std::uint8_t> must(Bytes command) {
        const auto response = send(command);
        const auto bytes = response.bytes();
        require(bytes[bytes.size() - 2] == 0x90, party_ + " refused");
        return {bytes.begin(), bytes.end() - 2};
    }
    void label(std::string text) { label_ = std::move(text); }

private:
    static Emulator start(const std::string& image, const std::string& path, tests::Chip& chip) {
        std::vector<std::uint8_t> bytes(chip.flash().page_count() *
                                        firmware::flash_model::page_size);
        chip.flash().read(0, bytes);
        bytes.resize(std::size_t{firmware::flash_model::page_count_default} *
                         firmware::flash_model::page_size,
                     firmware::flash_model::erased_byte);
        std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                    static_cast<std::streamsize>(bytes.size()));
        std::filesystem::resize_file(path, firmware::boards::emulated_region_size);
        auto emulator =
            Emulator::start({.image = image, .nvm_path = path, .counts_instructions = true});
        require(emulator.has_value(), "the emulator does not start with " + image);
        return std::move(*emulator);
    }
    void print(const char* ins, std::size_t command_size, std::size_t answer_size) {
        const auto cost = emulator_.exchange(FrameKind::measure, {});
        require(cost && cost->kind == FrameKind::measured, "this is not the measured image");
        if (label_.empty()) return;
        std::cout << label_ << ' ' << party_ << ' ' << ins << ' ' << command_size << ' '
                  << answer_size;
        for (protocol::ByteReader in{cost->payload}; !in.empty();) {
            std::cout << ' ' << *in.take_u32();
        }
        std::cout << '\n';
    }

    std::string party_;
    std::string label_;
    Emulator emulator_;
    unsigned resets_ = 0;
};

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
                step = tap.on_response(party.send(send->command.bytes()).bytes());
            } else {
                step = tap.on_recorded();
            }
        }
        const auto& end = std::get<terminal::Finished>(step);
        require(end.open, "the gate stayed shut: " + end.detail);
    }
    /// terminal/kiosk: SELECT, VERIFY, INITIALIZE FOR LOAD, CREDIT FOR LOAD.
    void load(std::uint32_t fen, Suite suite) {
        card.power_on();
        card.must(protocol::select_by_name(protocol::transit_aid).bytes());
        card.must(protocol::verify_pin(tests::first_pin).bytes());
        const auto opened = protocol::LoadInitialised::parse(
            card.must(protocol::initialise_for_load(tests::initialise_data(fen)).bytes()));
        require(opened.has_value(), "INITIALIZE FOR LOAD's answer");
        const auto key = crypto::purse::online_process_key(
            tests::card_key(protocol::KeyUsage::load, suite), opened->random, opened->counter);
        const auto mac2 = crypto::purse::purse_mac(
            key, protocol::load_mac2_input(protocol::Money::from_fen(fen),
                                           protocol::TransactionType::load, tests::terminal,
                                           tests::noon()));
        card.must(protocol::credit_for_load({tests::noon(), mac2}).bytes());
    }
};

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
    for (int tap = 0; tap < aging_taps; ++tap) {
        const auto opened =
            tests::open_purchase(card, sam, 1, protocol::TransactionType::capp_purchase);
        card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, tests::trip(1)));
        card.must(tests::debit(opened));
        card.card().housekeeping();
    }
    return card;
}

void count(const std::string& image, const std::string& directory, Suite suite) {
    const std::string name = suite == Suite::sm4 ? "sm4" : "3des";
    auto sam = tests::issued_sam();
    auto card = old_card(suite, sam);
    City city{{image, directory + "/card-" + name, card, "card"},
              {image, directory + "/sam-" + name, sam, "sam"}};
    city.sam.power_on();
    city.sam.must(protocol::select_by_name(protocol::sam_aid).bytes());
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

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: card_taps IMAGE DIRECTORY\n";
        return 2;
    }
    try {
        count(argv[1], argv[2], Suite::sm4);
        count(argv[1], argv[2], Suite::triple_des);
    } catch (const std::exception& error) {
        std::cerr << "card_taps: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
