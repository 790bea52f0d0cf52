// A card's life: a million debits in 128 KB of 10,000-cycle flash. docs/card_storage.md, 4.
// Sanitized builds take a sample of it and extrapolate; ONECARD_WEAR_DEBITS=n takes n. The figures
// stand in the document, and are compared with it.
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include "firmware/kernel/store.hpp"
#include "tests/firmware/support/documented.hpp"
#include "tests/firmware/support/tearing_flash.hpp"

using firmware::Housekeeping;
using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint32_t debits_default = 10'000;
#else
constexpr std::uint32_t debits_default = 1'000'000;
#endif
constexpr std::uint32_t debits_of_a_life = 1'000'000;
constexpr std::array<std::uint8_t, 8> seed{8, 7, 6, 5, 4, 3, 2, 1};
constexpr ObjectId tries{32};
constexpr ObjectId purse{40};
constexpr std::uint16_t log_first = 200;   // 10 records of the purse's log
constexpr std::uint16_t trip_first = 210;  // 30 records of file 1E
constexpr std::uint16_t data_first = 300;  // everything else on the card

std::uint32_t debits() {
    const char* text = std::getenv("ONECARD_WEAR_DEBITS");
    return text == nullptr ? debits_default
                           : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

Value pattern(std::size_t size, std::uint32_t salt) {
    Value out(size);
    for (std::size_t i = 0; i < size; ++i) {
        out[i] = static_cast<std::uint8_t>(salt >> (8 * (i % 4)) ^ i);
    }
    return out;
}

void put(Store& store, std::uint16_t id, const Value& value) {
    Transaction change;
    REQUIRE(change.put(ObjectId{id}, value).has_value());
    REQUIRE(store.commit(change, Urgency::ordinary).has_value());
}

void check(const Store& store, std::uint16_t id, const Value& expected) {
    Value value(255);
    const auto size = store.read(ObjectId{id}, value);
    REQUIRE(size.has_value());
    value.resize(*size);
    REQUIRE(value == expected);
}

void tap(Store& store, std::uint32_t number) {
    REQUIRE(store.tick(tries).has_value());
    Transaction change;
    REQUIRE(change.put(purse, pattern(27, number)).has_value());
    REQUIRE(
        change
            .put(ObjectId{static_cast<std::uint16_t>(log_first + number % 10)}, pattern(24, number))
            .has_value());
    REQUIRE(change
                .put(ObjectId{static_cast<std::uint16_t>(trip_first + number % 30)},
                     pattern(49, number))
                .has_value());
    REQUIRE(change.reset_counter(tries).has_value());
    REQUIRE(store.commit(change, Urgency::tap).has_value());
}

struct Wear {
    std::uint32_t erases_max;
    std::uint32_t erases_min;
    double erases_per_10000_taps;
};

/// `objects` other objects of 128 bytes are on the card throughout.
Wear live(std::uint16_t objects, std::uint32_t taps) {
    TearingFlash flash{firmware::flash_model::page_count_default};
    REQUIRE(Store::format(flash, seed).has_value());
    Store store{flash};
    REQUIRE(store.mount().has_value());
    for (std::uint16_t i = 0; i < objects; ++i) {
        put(store, static_cast<std::uint16_t>(data_first + i), pattern(128, i));
    }
    const auto before = flash.counts().erases;
    for (std::uint32_t number = 0; number < taps; ++number) {
        if (number % 25 == 0) {  // a reset costs one more unit of the tap that follows it
            flash.reboot();
            REQUIRE(store.mount().has_value());
        }
        tap(store, number);
        REQUIRE(store.housekeeping_step().has_value());
        REQUIRE(store.housekeeping_step().has_value());
    }
    const auto erases = static_cast<double>(flash.counts().erases - before);
    flash.reboot();
    REQUIRE(store.mount().has_value());
    for (std::uint16_t i = 0; i < objects; ++i) {
        check(store, static_cast<std::uint16_t>(data_first + i), pattern(128, i));
    }
    check(store, purse.value(), pattern(27, taps - 1));
    for (std::uint32_t i = 1; i <= 10; ++i) {
        check(store, static_cast<std::uint16_t>(log_first + (taps - i) % 10),
              pattern(24, taps - i));
    }
    REQUIRE(store.counter(tries).value() == 0);
    return {flash.erases_max(), flash.erases_min(), erases * 10'000 / taps};
}

void check_life(std::uint16_t objects, const char* documented) {
    const std::uint32_t taps = debits();
    const Wear wear = live(objects, taps);
    MESSAGE("debits: " << taps << ", KB of other data: " << objects / 8
                       << ", erasures of a page: " << wear.erases_min << " to " << wear.erases_max
                       << ", erasures per 10,000 taps: " << wear.erases_per_10000_taps);
    const double of_a_life = wear.erases_per_10000_taps * debits_of_a_life / 10'000 /
                             firmware::flash_model::page_count_default;
    CHECK(of_a_life < firmware::flash_model::endurance_erases);
    CHECK(wear.erases_max <= firmware::flash_model::endurance_erases);
    CHECK(wear.erases_max - wear.erases_min <= 2 + wear.erases_max / 20);  // levelled
    if (taps != debits_of_a_life) return;
    const auto rounded = static_cast<std::uint64_t>(wear.erases_per_10000_taps + 0.5);
    tests::check_documented("card_storage.md", documented,
                            {wear.erases_min, wear.erases_max, rounded});
}

}  // namespace

TEST_CASE("wear: 1,000,000 debits on a card with 8 KB of data, its log kept short") {
    check_life(64, "8 KB of other data, the log kept short");
}

TEST_CASE("wear: 1,000,000 debits on a card with 32 KB of data") {
    check_life(256, "32 KB of other data");
}

TEST_CASE("wear: 1,000,000 debits on a card filled to its limit (68 KB)") {
    check_life(550, "filled to the limit, 68 KB of other data");
}
