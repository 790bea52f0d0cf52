// Content migrated under the knife. docs/card_storage.md, section 7.
#include "firmware/kernel/migration.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "tests/firmware/support/tearing_flash.hpp"

using firmware::Migration;
using firmware::ObjectId;
using firmware::Outcome;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using protocol::StatusWord;
using tests::PowerLost;
using tests::Tear;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

constexpr std::uint16_t first = 300;
constexpr std::uint16_t count = 20;
constexpr std::uint16_t parts = 5;

// Version 1 holds n in one byte; version 2 holds n + 1 in two: not a change that bears repeating.
Outcome<bool> widen(const Store& store, Transaction& change, std::uint16_t part) {
    for (std::uint16_t i = 0; i < count / parts; ++i) {
        const ObjectId id{static_cast<std::uint16_t>(first + part * (count / parts) + i)};
        std::array<std::uint8_t, 1> old{};
        ONECARD_TRY(size, store.read(id, old));
        if (size != 1) return protocol::fail(StatusWord::incorrect_data);
        const std::array<std::uint8_t, 2> wide{0, static_cast<std::uint8_t>(old[0] + 1)};
        ONECARD_CHECK(change.put(id, wide));
    }
    return part + 1 == parts;
}
// Version 3 has one object more.
Outcome<bool> add_object(const Store&, Transaction& change, std::uint16_t) {
    ONECARD_CHECK(change.put(ObjectId{500}, Value{3}));
    return true;
}
Outcome<bool> refuse(const Store&, Transaction&, std::uint16_t) {
    return protocol::fail(StatusWord::incorrect_data);
}
constexpr std::array steps{Migration{1, widen}, Migration{2, add_object}};

template <class T>
void must(const Outcome<T>& done) {
    REQUIRE(done.has_value());
}

TearingFlash version_1() {
    TearingFlash flash{32};
    must(Store::format(flash, {1, 1, 2, 3, 5, 8, 13, 21}));
    Store store{flash};
    must(store.mount());
    for (std::uint16_t i = 0; i < count; ++i) {
        Transaction change;
        must(change.put(ObjectId{static_cast<std::uint16_t>(first + i)},
                        Value{static_cast<std::uint8_t>(i)}));
        must(store.commit(change, Urgency::ordinary));
    }
    return flash;
}

constexpr firmware::ContentKnown version_3{3, steps};

Outcome<void> bring_up(Store& store, const firmware::ContentKnown& known) {
    Transaction change;
    const auto done = migrate(store, change, known);
    CHECK(change.empty());
    return done;
}

void check_version_3(const Store& store) {
    REQUIRE(store.content_version().value() == 3);
    for (std::uint16_t i = 0; i < count; ++i) {
        std::array<std::uint8_t, 2> value{};
        const auto size = store.read(ObjectId{static_cast<std::uint16_t>(first + i)}, value);
        REQUIRE(size.has_value());
        REQUIRE(*size == 2);
        REQUIRE(value[1] == i + 1);
    }
    REQUIRE(store.contains(ObjectId{500}));
}

}  // namespace

namespace {

constexpr std::array every_kind{Tear::not_begun, Tear::partly, Tear::subset, Tear::unstable,
                                Tear::complete};

/// Starts the card and lets it migrate, cut at this operation. False when it was over before.
bool cut_migration(TearingFlash& flash, std::uint64_t operation, Tear tear) {
    flash.reboot();
    flash.cut_at({operation, tear, operation * 77 + 1});
    try {
        Store store{flash};
        must(store.mount());
        must(bring_up(store, version_3));
    } catch (const PowerLost&) {
        return true;
    }
    flash.disarm();
    return false;
}

void check_goes_on(TearingFlash flash) {
    flash.reboot();
    Store store{flash};
    must(store.mount());
    must(bring_up(store, version_3));
    check_version_3(store);
    flash.reboot();
    must(store.mount());
    check_version_3(store);
}

}  // namespace

TEST_CASE("migration: every part once, cut at every operation in every kind") {
    const TearingFlash old = version_1();
    unsigned cuts = 0;
    for (const Tear tear : every_kind) {
        TearingFlash flash = old;
        for (std::uint64_t operation = 0; cut_migration(flash, operation, tear); ++operation) {
            ++cuts;
            check_goes_on(flash);
            flash = old;
        }
    }
    CHECK(cuts > 5 * 60);
}

TEST_CASE("migration: cut again at every operation of what follows the first cut") {
    const TearingFlash old = version_1();
    unsigned cuts = 0;
    for (std::uint64_t operation = 0;; ++operation) {
        TearingFlash torn = old;
        if (!cut_migration(torn, operation, Tear::unstable)) break;
        const Tear tear = every_kind[operation % every_kind.size()];
        for (std::uint64_t again = 0;; ++again) {
            TearingFlash flash = torn;
            if (!cut_migration(flash, again, tear)) break;
            ++cuts;
            check_goes_on(flash);
        }
    }
    CHECK(cuts > 3'000);
}

TEST_CASE("migration: newer content, a missing step or a refusing step changes nothing") {
    TearingFlash flash = version_1();
    Store store{flash};
    flash.reboot();
    must(store.mount());
    const auto before = flash.counts().programs;
    CHECK(bring_up(store, {3, std::span{steps}.first(1)}).error() ==
          StatusWord::conditions_not_satisfied);
    CHECK(bring_up(store, {0, steps}).error() == StatusWord::conditions_not_satisfied);
    constexpr std::array refusing{Migration{1, refuse}};
    CHECK(bring_up(store, {2, refusing}).error() == StatusWord::incorrect_data);
    CHECK(bring_up(store, {1, steps}).has_value());
    CHECK(flash.counts().programs == before);
    CHECK(store.content_version().value() == 1);
}
