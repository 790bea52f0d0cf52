// Content of an older version in a card of a later firmware. docs/card_storage.md, section 7; the
// migration by itself: tests/firmware/kernel/migration_test.cpp.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"

using namespace tests;
using firmware::ObjectId;
using firmware::Outcome;

namespace {

constexpr ObjectId first_new{40}, second_new{41};

/// From version 1 to 2, in two parts: each an object that was not there.
Outcome<bool> add_objects(const firmware::Store&, firmware::Transaction& change,
                          std::uint16_t part) {
    const std::array<std::uint8_t, 2> value{2, static_cast<std::uint8_t>(part)};
    ONECARD_CHECK(change.put(part == 0 ? first_new : second_new, value));
    return part == 1;
}
constexpr std::array steps{firmware::Migration{1, add_objects}};
constexpr firmware::ContentKnown later{2, steps};

std::vector<std::uint8_t> answer_of(firmware::Card& card, Bytes command) {
    std::array<std::uint8_t, protocol::short_response_size_max> response{};
    const std::size_t size = card.process(command, response);
    return {response.begin(), response.begin() + static_cast<std::ptrdiff_t>(size)};
}

/// The later firmware on this flash: starts, has the new objects, and the money.
void check_brought_up(TearingFlash& flash, ScriptedRandom& random, Bytes balance) {
    flash.reboot();
    firmware::Card card{flash, random, later};
    REQUIRE(card.reset().has_value());
    (void)answer_of(card, protocol::select_by_name(protocol::transit_aid));
    CHECK(std::ranges::equal(answer_of(card, protocol::get_balance()), balance));
    flash.reboot();
    firmware::Store store{flash};
    REQUIRE(store.mount().has_value());
    CHECK(store.contains(first_new));
    CHECK(store.contains(second_new));
}

}  // namespace

TEST_CASE("content: reset brings older content up, cut at every operation, and the purse stays") {
    Chip chip = issued_card();
    load(chip, 500);
    const TearingFlash old = chip.flash();
    const auto balance = answer_of(chip.card(), protocol::get_balance());
    unsigned cuts = 0;
    for (const Tear tear :
         {Tear::not_begun, Tear::partly, Tear::subset, Tear::unstable, Tear::complete}) {
        bool was_cut = true;
        for (std::uint64_t operation = 0; was_cut; ++operation) {
            TearingFlash flash = old;
            was_cut = false;
            flash.reboot();
            flash.cut_at({operation, tear, operation * 31 + 7});
            try {
                firmware::Card card{flash, chip.random(), later};
                const auto started = card.reset();
                REQUIRE(started.has_value());
            } catch (const PowerLost&) {
                was_cut = true;
                ++cuts;
            }
            flash.disarm();
            check_brought_up(flash, chip.random(), balance);
        }
    }
    CHECK(cuts > 5 * 10);
}

TEST_CASE("content: of a later firmware, or with no way up to it, keeps the card mute and whole") {
    Chip chip = issued_card();
    TearingFlash flash = chip.flash();
    flash.reboot();
    constexpr firmware::ContentKnown without_steps{2, {}};
    const auto programs = flash.counts().programs;
    firmware::Card stuck{flash, chip.random(), without_steps};
    CHECK(stuck.reset().error() == protocol::StatusWord::conditions_not_satisfied);
    CHECK(flash.counts().programs == programs);
    flash.reboot();
    firmware::Card raised{flash, chip.random(), later};
    REQUIRE(raised.reset().has_value());
    flash.reboot();
    firmware::Card older{flash, chip.random()};
    CHECK(older.reset().error() == protocol::StatusWord::conditions_not_satisfied);
}
