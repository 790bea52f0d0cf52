// The object store without power loss. docs/card_storage.md.
#include "firmware/kernel/store.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/firmware/support/tearing_flash.hpp"

using firmware::Housekeeping;
using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using protocol::StatusWord;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

constexpr std::array<std::uint8_t, 8> seed{1, 2, 3, 4, 5, 6, 7, 8};
constexpr ObjectId purse{40};
constexpr ObjectId record{41};
constexpr ObjectId key{42};
constexpr ObjectId tries{43};

struct Card {
    explicit Card(std::uint16_t pages = 32) : flash{pages}, store{flash} {
        REQUIRE(Store::format(flash, seed).has_value());
        REQUIRE(store.mount().has_value());
    }
    void put(ObjectId id, const Value& value, Urgency urgency = Urgency::ordinary) {
        Transaction change;
        REQUIRE(change.put(id, value).has_value());
        REQUIRE(store.commit(change, urgency).has_value());
    }
    void reset() {
        flash.reboot();
        REQUIRE(store.mount().has_value());
    }
    TearingFlash flash;
    Store store;
};

Value read(const Store& store, ObjectId id) {
    Value out(255);
    const auto size = store.read(id, out);
    REQUIRE(size.has_value());
    out.resize(*size);
    return out;
}

Value pattern(std::size_t size, unsigned salt) {
    Value out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i * 7 + salt);
    return out;
}

}  // namespace

TEST_CASE("store: an object is there after a reset, and only the newest version of it") {
    Card card;
    card.put(purse, {1, 2, 3});
    card.put(purse, {4, 5});
    CHECK(read(card.store, purse) == Value{4, 5});
    card.reset();
    CHECK(read(card.store, purse) == Value{4, 5});
    CHECK(card.store.size(purse).value() == 2);
}

TEST_CASE("store: every size from 0 to 255, plain and masked") {
    Card card{64};
    for (std::size_t size = 0; size <= 255; ++size) {
        Transaction change;
        REQUIRE(change.put(purse, pattern(size, 1)).has_value());
        REQUIRE(change.put_masked(key, pattern(size, 9)).has_value());
        REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
        CHECK(read(card.store, purse) == pattern(size, 1));
        CHECK(read(card.store, key) == pattern(size, 9));
    }
    card.reset();
    CHECK(read(card.store, key) == pattern(255, 9));
}

TEST_CASE("store: values full of FF and of 00 are values like any other") {
    Card card;
    card.put(purse, Value(200, 0xFF));
    card.put(record, Value(200, 0x00));
    card.reset();
    CHECK(read(card.store, purse) == Value(200, 0xFF));
    CHECK(read(card.store, record) == Value(200, 0x00));
    card.put(key, Value(100, 0xFF));  // placed behind units that still look erased
    card.reset();
    CHECK(read(card.store, key) == Value(100, 0xFF));
}

TEST_CASE("store: reading what does not exist, or into too little room, is refused by name") {
    Card card;
    Value out(255);
    CHECK(card.store.read(purse, out).error() == StatusWord::referenced_data_not_found);
    CHECK_FALSE(card.store.contains(purse));
    card.put(purse, {1, 2, 3});
    Value small(2);
    CHECK(card.store.read(purse, small).error() == StatusWord::not_enough_memory);
    CHECK(small == Value(2));
    CHECK(card.store.counter(purse).error() == StatusWord::memory_failure);
}

TEST_CASE("store: an erased object is gone, after a reset and after its page was reclaimed") {
    Card card;
    card.put(purse, {1});
    Transaction change;
    REQUIRE(change.erase(purse).has_value());
    REQUIRE(change.erase(record).has_value());  // never existed
    REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
    CHECK_FALSE(card.store.contains(purse));
    card.reset();
    CHECK_FALSE(card.store.contains(purse));
    for (unsigned i = 0; i < 400; ++i) card.put(record, pattern(100, i));
    card.reset();
    CHECK_FALSE(card.store.contains(purse));
    CHECK(card.flash.counts().erases > 32);
}

TEST_CASE("store: a counter rises one by one, survives a reset, and is given back in a commit") {
    Card card;
    CHECK(card.store.counter(tries).value() == 0);
    for (unsigned i = 1; i <= 3; ++i) CHECK(card.store.tick(tries).value() == i);
    card.reset();
    CHECK(card.store.counter(tries).value() == 3);
    Transaction change;
    REQUIRE(change.reset_counter(tries).has_value());
    REQUIRE(change.put(purse, Value{1}).has_value());
    REQUIRE(card.store.commit(change, Urgency::tap).has_value());
    CHECK(card.store.counter(tries).value() == 0);
    card.reset();
    CHECK(card.store.counter(tries).value() == 0);
}

TEST_CASE("store: a counter stops at 255") {
    Card card;
    Transaction change;
    REQUIRE(change.reset_counter(tries, 254).has_value());
    REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
    CHECK(card.store.tick(tries).value() == 255);
    CHECK(card.store.tick(tries).error() == StatusWord::counter_exhausted);
    CHECK(card.store.counter(tries).value() == 255);
}

TEST_CASE("store: a tick programs 8 bytes, a single-ride tap at most 160 in all") {
    Card card;
    card.put(purse, pattern(27, 0));
    for (unsigned tap = 0; tap < 40; ++tap) {
        card.reset();
        while (card.store.housekeeping_step().value() != Housekeeping::nothing_to_do) {
        }
        card.reset();
        const auto before = card.flash.counts();
        REQUIRE(card.store.tick(tries).has_value());
        Transaction change;
        REQUIRE(change.put(purse, pattern(27, tap)).has_value());   // balance, counters, proof
        REQUIRE(change.put(record, pattern(24, tap)).has_value());  // log record
        REQUIRE(change.put(ObjectId{200}, pattern(49, tap)).has_value());  // record 1E
        REQUIRE(change.reset_counter(tries).has_value());
        REQUIRE(card.store.commit(change, Urgency::tap).has_value());
        CHECK((card.flash.counts().programs - before.programs) * 4 <= 160);
        CHECK(card.flash.counts().erases == before.erases);
    }
}

TEST_CASE(
    "store: 64 journey taps without a housekeeping step erase nothing and all fit (section 5)") {
    Card card{64};
    for (unsigned i = 0; i < 600; ++i)
        card.put(ObjectId{static_cast<std::uint16_t>(300 + i % 90)}, pattern(100, i));
    while (card.store.housekeeping_step().value() != Housekeeping::nothing_to_do) {
    }
    const auto before = card.flash.counts();
    for (unsigned tap = 0; tap < 64; ++tap) {
        card.reset();
        REQUIRE(card.store.tick(tries).has_value());
        Transaction change;
        REQUIRE(change.put(purse, pattern(27, tap)).has_value());
        REQUIRE(change.put(record, pattern(24, tap)).has_value());
        REQUIRE(change.put(ObjectId{200}, pattern(49, tap)).has_value());
        REQUIRE(change.put(ObjectId{201}, pattern(128, tap)).has_value());  // record 1A
        REQUIRE(change.reset_counter(tries).has_value());
        REQUIRE(card.store.commit(change, Urgency::tap).has_value());
    }
    CHECK(card.flash.counts().erases == before.erases);
    CHECK((card.flash.counts().programs - before.programs) * 4 <= 64 * 320);
}

TEST_CASE("store: a housekeeping step erases one page at most, and comes to an end") {
    Card card;
    for (unsigned i = 0; i < 150; ++i) card.put(record, pattern(100, i), Urgency::tap);
    unsigned steps = 0;
    for (;; ++steps) {
        const auto before = card.flash.counts().erases;
        const auto done = card.store.housekeeping_step().value();
        CHECK(card.flash.counts().erases - before <= 1);
        if (done == Housekeeping::nothing_to_do) break;
        REQUIRE(steps < 100);
    }
    CHECK(steps > 0);
    CHECK(read(card.store, record) == pattern(100, 149));
}

TEST_CASE("store: taps without housekeeping end in a refusal that changes nothing, and recover") {
    Card card;
    card.put(purse, {7});
    unsigned taps = 0;
    Transaction change;
    for (; taps < 10'000; ++taps) {
        REQUIRE(change.put(record, pattern(200, taps)).has_value());
        const auto done = card.store.commit(change, Urgency::tap);
        if (done) continue;
        CHECK(done.error() == StatusWord::not_enough_memory);
        break;
    }
    REQUIRE(taps > 64);
    REQUIRE(taps < 10'000);
    CHECK(read(card.store, record) == pattern(200, taps - 1));
    CHECK(change.staged(record).has_value());  // kept
    while (card.store.housekeeping_step().value() != Housekeeping::nothing_to_do) {
    }
    REQUIRE(card.store.commit(change, Urgency::tap).has_value());
    card.reset();
    CHECK(read(card.store, record) == pattern(200, taps));
    CHECK(read(card.store, purse) == Value{7});
}

TEST_CASE("store: a card that is full refuses ordinary growth and still takes taps") {
    Card card{40};
    card.put(purse, pattern(27, 0));
    std::uint16_t id = 300;
    Transaction change;
    for (;; ++id) {
        REQUIRE(id < 1000);
        REQUIRE(change.put(ObjectId{id}, pattern(128, id)).has_value());
        const auto done = card.store.commit(change, Urgency::ordinary);
        if (done) continue;
        CHECK(done.error() == StatusWord::not_enough_memory);
        break;
    }
    CHECK_FALSE(card.store.contains(ObjectId{id}));
    CHECK(card.store.usage().bytes_live <= card.store.usage().bytes_live_max);
    for (unsigned tap = 0; tap < 2000; ++tap) {
        card.put(purse, pattern(27, tap), Urgency::tap);
        REQUIRE(card.store.housekeeping_step().has_value());
    }
    card.reset();
    CHECK(read(card.store, purse) == pattern(27, 1999));
    for (std::uint16_t i = 300; i < id; ++i)
        CHECK(read(card.store, ObjectId{i}) == pattern(128, i));
    card.put(ObjectId{300}, pattern(128, 1));  // replacing is no growth
}

TEST_CASE("transaction: the last put of an id wins, and what does not fit leaves the rest alone") {
    Card card;
    Transaction change;
    REQUIRE(change.put(purse, pattern(100, 1)).has_value());
    REQUIRE(change.put(purse, pattern(120, 2)).has_value());
    REQUIRE(change.put(record, pattern(255, 3)).has_value());
    CHECK(change.put(key, pattern(255, 4)).error() == StatusWord::not_enough_memory);
    CHECK_FALSE(change.touches(key));
    CHECK(change.put(key, Value(256)).error() == StatusWord::incorrect_data);
    REQUIRE(change.staged(purse).has_value());
    CHECK(Value(change.staged(purse)->begin(), change.staged(purse)->end()) == pattern(120, 2));
    REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
    CHECK(change.empty());
    CHECK(read(card.store, purse) == pattern(120, 2));
    CHECK(read(card.store, record) == pattern(255, 3));
}

TEST_CASE("transaction: dropped, it changes nothing and programs nothing") {
    Card card;
    const auto before = card.flash.counts().programs;
    {
        Transaction change;
        REQUIRE(change.put(purse, Value{1}).has_value());
        REQUIRE(change.erase(record).has_value());
        CHECK(change.touches(record));
        CHECK_FALSE(change.staged(record).has_value());
    }
    CHECK(card.flash.counts().programs == before);
    CHECK_FALSE(card.store.contains(purse));
}

TEST_CASE("store: an empty transaction costs nothing") {
    Card card;
    const auto before = card.flash.counts().programs;
    Transaction change;
    REQUIRE(card.store.commit(change, Urgency::tap).has_value());
    CHECK(card.flash.counts().programs == before);
}

TEST_CASE("store: a flash that was never formatted is refused, and nothing can be done with it") {
    TearingFlash flash{32};
    Store store{flash};
    CHECK(store.mount().error() == StatusWord::conditions_not_satisfied);
    Transaction change;
    REQUIRE(change.put(purse, Value{1}).has_value());
    CHECK(store.commit(change, Urgency::tap).error() == StatusWord::memory_failure);
    CHECK(store.tick(tries).error() == StatusWord::memory_failure);
    CHECK(store.housekeeping_step().error() == StatusWord::memory_failure);
    CHECK(flash.counts().programs == 0);
}

TEST_CASE("store: when the flash fails, the commit is refused and so is everything after it") {
    Card card;
    card.put(purse, {1});
    card.flash.wear_out();
    Transaction change;
    REQUIRE(change.put(purse, Value{2}).has_value());
    CHECK(card.store.commit(change, Urgency::tap).error() == StatusWord::memory_failure);
    CHECK(change.empty());
    CHECK(card.store.tick(tries).error() == StatusWord::memory_failure);
    CHECK(read(card.store, purse) == Value{1});
}

TEST_CASE("store: a masked value does not stand in the flash as it is, a plain one does") {
    Card card;
    const Value secret = pattern(16, 0x51);
    Transaction change;
    REQUIRE(change.put_masked(key, secret).has_value());
    REQUIRE(change.put(record, pattern(16, 0x11)).has_value());
    REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
    Value image(32 * 1024);
    card.flash.read(0, image);
    CHECK(std::ranges::search(image, secret).empty());
    CHECK_FALSE(std::ranges::search(image, pattern(16, 0x11)).empty());
    CHECK(read(card.store, key) == secret);
}

TEST_CASE("store: one flipped bit anywhere is noticed, never another value (section 3)") {
    Card card;
    card.put(purse, pattern(27, 1));
    Transaction change;
    REQUIRE(change.put_masked(key, pattern(16, 2)).has_value());
    REQUIRE(card.store.commit(change, Urgency::ordinary).has_value());
    card.put(purse, pattern(27, 3));
    card.put(record, pattern(24, 4));
    Value image(1024);
    card.flash.read(0, image);
    unsigned noticed_at_mount = 0;
    for (std::uint32_t address = 0; address < 1024; ++address) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            TearingFlash flash = card.flash;
            flash.flip(address, bit);
            flash.reboot();
            Store store{flash};
            if (!store.mount()) {
                ++noticed_at_mount;
                continue;
            }
            Value out(255);
            for (const auto& [id, value] :
                 {std::pair{purse, pattern(27, 3)}, std::pair{record, pattern(24, 4)},
                  std::pair{key, pattern(16, 2)}}) {
                const auto size = store.read(id, out);
                if (size) CHECK(Value(out.begin(), out.begin() + static_cast<int>(*size)) == value);
            }
        }
    }
    CHECK(noticed_at_mount > 1000);
}

TEST_CASE("store: one flipped bit in any page's marks loses nothing (section 3)") {
    Card card;
    for (unsigned i = 0; i < 60; ++i) {
        card.put(purse, pattern(27, i), Urgency::tap);
        card.put(ObjectId{static_cast<std::uint16_t>(300 + i % 7)}, pattern(100, i), Urgency::tap);
    }
    const auto ready = card.store.usage().pages_ready;
    for (std::uint32_t page = 0; page < 32U - ready; ++page) {
        for (unsigned bit = 0; bit < 20 * 8; ++bit) {
            TearingFlash flash = card.flash;
            flash.flip(page * 1024 + bit / 8, bit % 8);
            flash.reboot();
            Store store{flash};
            REQUIRE(store.mount().has_value());
            CHECK(read(store, purse) == pattern(27, 59));
            for (unsigned i = 53; i < 60; ++i) {
                const ObjectId id{static_cast<std::uint16_t>(300 + i % 7)};
                CHECK(read(store, id) == pattern(100, i));
            }
        }
    }
}
