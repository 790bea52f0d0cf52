// Somebody who tears every power-up on purpose, hundreds of times in a row and without one
// undisturbed mount in between: at one place of the mount, at one place of what follows it, or
// around it. Given power at last, the card must mount and write again; nothing may be lost, and no
// try gained. docs/card_storage.md, section 3, invariant 8.
#include <array>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "firmware/kernel/store.hpp"
#include "tests/firmware/support/cuts.hpp"

using firmware::Housekeeping;
using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using tests::Choices;
using tests::PowerCut;
using tests::PowerLost;
using tests::Tear;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

constexpr ObjectId purse{40}, tries{32};
constexpr std::uint16_t first_file = 200;
constexpr std::array<std::uint8_t, 8> mask_seed{8, 7, 6, 5, 4, 3, 2, 1};
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned lives_default = 8, place_step = 13, copy_lives = 2;
#else
constexpr unsigned lives_default = 120, place_step = 1, copy_lives = 40;
#endif

[[nodiscard]] bool put(Store& store, ObjectId id, const Value& value, Urgency urgency) {
    Transaction change;
    return change.put(id, value) && store.commit(change, urgency);
}
[[nodiscard]] Value read(const Store& store, ObjectId id) {
    Value value(255);
    const auto size = store.read(id, value);
    value.resize(size ? *size : 0);
    return value;
}
[[nodiscard]] Value purse_value(std::uint8_t mark) {
    return Value(60, mark);
}

/// A store, what is known to be in it, and what a torn commit may have put there.
class Victim {
public:
    enum class Fill : std::uint8_t { little, half, full, brimful };

    Victim(std::uint16_t pages, Fill fill, bool is_drained, Choices& choices) : flash_{pages} {
        REQUIRE(Store::format(flash_, mask_seed).has_value());
        flash_.reboot();
        Store store{flash_};
        REQUIRE(store.mount().has_value());
        REQUIRE(put(store, purse, purse_value(mark_), Urgency::ordinary));
        if (fill == Fill::brimful) {
            fill_pages(store);
        } else {
            fill_with_files(store, fill, choices);
        }
        // Debits without one housekeeping step, until the reserve is used up.
        while (is_drained && put(store, purse, purse_value(mark_ + 1), Urgency::tap)) ++mark_;
    }

    /// Power on, what a terminal does with the card, power lost at `cut` of it: counted from the
    /// reset, or from behind the mount.
    void tear(const PowerCut& cut, bool in_mount) {
        flash_.reboot();
        Store store{flash_};
        if (in_mount) flash_.cut_at(cut);
        try {
            const auto mounted = store.mount();
            CHECK_MESSAGE((mounted.has_value() || !flash_.is_armed()), "a mount was refused");
            if (!mounted) return;
            check(store);
            if (!in_mount) flash_.cut_at(cut);
            use(store);
            (void)store.housekeeping_step();
        } catch (const PowerLost&) {
        }
        flash_.disarm();
    }

    /// Power lost in the mount at the `nth` unit of the longest piece it writes: a copy, most
    /// often, and what opens its page.
    void tear_longest(std::uint64_t nth, Tear kind, std::uint64_t pattern) {
        std::vector<TearingFlash::Operation> operations;
        {
            TearingFlash rehearsal = flash_;
            rehearsal.reboot();
            rehearsal.trace_into(&operations);
            Store store{rehearsal};
            (void)store.mount();
        }
        std::uint64_t longest = 0, longest_at = 0, length = 0;
        for (std::uint64_t at = 0; at < operations.size(); ++at) {
            constexpr std::uint8_t all = 32;  // an erased unit that is zeroed; zeroed again: 0
            const bool is_word = operations[at].changing_bits % all != 0;
            length = is_word ? length + 1 : 0;
            if (length <= longest) continue;
            longest = length;
            longest_at = at + 1 - length;
        }
        tear({longest_at + nth, kind, pattern}, true);
    }

    /// As much power as it takes.
    void rest() {
        flash_.reboot();
        Store store{flash_};
        REQUIRE(store.mount().has_value());
        check(store);
        for (unsigned i = 0; i < 500; ++i) {
            const auto done = store.housekeeping_step();
            REQUIRE(done.has_value());
            if (*done == Housekeeping::nothing_to_do) break;
        }
        CHECK(put(store, purse, purse_value(mark_ = 1), Urgency::tap));
        flash_.reboot();
        Store again{flash_};
        REQUIRE(again.mount().has_value());
        CHECK(read(again, purse) == purse_value(1));
    }

private:
    void fill_with_files(Store& store, Fill fill, Choices& choices) {
        for (std::uint16_t i = 0; i < 400; ++i) {
            if (fill == Fill::little && i == 12) break;
            const auto usage = store.usage();
            if (fill == Fill::half && usage.bytes_live > usage.bytes_live_max / 2) break;
            const Value value(1 + choices.below(250), static_cast<std::uint8_t>(i));
            const ObjectId id{static_cast<std::uint16_t>(first_file + i)};
            if (!put(store, id, value, Urgency::ordinary)) break;
            files_[id.value()] = value;
        }
    }
    /// Two commits fill a page to its last unit, and all of it stays live: no copy holds more.
    void fill_pages(Store& store) {
        constexpr std::array<std::size_t, 3> greater{255, 255, 115};
        constexpr std::array<std::size_t, 2> smaller{255, 71};
        std::uint16_t id = first_file;
        for (unsigned page = 0; page < 8; ++page) {
            REQUIRE(put_all(store, id, greater));
            REQUIRE(put_all(store, id, smaller));
        }
    }
    bool put_all(Store& store, std::uint16_t& id, std::span<const std::size_t> sizes) {
        Transaction change;
        for (const std::size_t size : sizes) {
            files_[id] = Value(size, static_cast<std::uint8_t>(id));
            if (!change.put(ObjectId{id}, files_[id])) return false;
            ++id;
        }
        return store.commit(change, Urgency::ordinary).has_value();
    }
    void use(Store& store) {
        tries_most_ = tries_ + 1;
        if (tries_ < 0xFF && store.tick(tries)) ++tries_;
        tries_most_ = tries_;
        Transaction change;
        maybe_ = static_cast<std::uint8_t>(mark_ + 1);
        REQUIRE(change.put(purse, purse_value(maybe_)).has_value());
        REQUIRE(change.reset_counter(tries).has_value());
        const unsigned before = std::exchange(tries_, 0);
        if (store.commit(change, Urgency::tap)) {
            mark_ = maybe_;
            tries_most_ = 0;
        } else {
            maybe_ = mark_;
            tries_ = before;
        }
    }
    void check(const Store& store) {
        const Value value = read(store, purse);
        const bool is_known = value == purse_value(mark_) || value == purse_value(maybe_);
        REQUIRE(is_known);
        mark_ = maybe_ = value[0];
        const auto used = store.counter(tries);
        REQUIRE(used.has_value());
        CHECK(*used >= tries_);
        CHECK(*used <= tries_most_);
        tries_ = tries_most_ = *used;
        for (const auto& [id, content] : files_) REQUIRE(read(store, ObjectId{id}) == content);
    }

    TearingFlash flash_;
    std::map<std::uint16_t, Value> files_;
    std::uint8_t mark_ = 1, maybe_ = 1;
    unsigned tries_ = 0, tries_most_ = 0;
};

constexpr unsigned tears_in_a_row = 100;

void tear_at_each_place(const Victim& fresh) {
    for (std::uint64_t place = 0; place < 48; place += place_step) {
        for (const bool in_mount : {true, false}) {
            for (const Tear kind :
                 {Tear::not_begun, Tear::subset, Tear::unstable, Tear::complete}) {
                CAPTURE(place);
                CAPTURE(in_mount);
                CAPTURE(static_cast<int>(kind));
                Choices choices{place};
                Victim victim = fresh;
                for (unsigned i = 0; i < tears_in_a_row; ++i) {
                    victim.tear({place, kind, choices.next()}, in_mount);
                }
                victim.rest();
            }
        }
    }
}

}  // namespace

TEST_CASE("store: torn at one place of every mount or session it works again when it is let") {
    Choices choices{tests::setting("ONECARD_TEAR_SEED", 20'260'501)};
    for (const bool is_drained : {false, true}) {
        CAPTURE(is_drained);
        tear_at_each_place(Victim{48, Victim::Fill::little, is_drained, choices});
    }
}

TEST_CASE("store: the same, when the pages to be reclaimed are live to their last unit") {
    Choices choices{1};
    tear_at_each_place(Victim{48, Victim::Fill::brimful, true, choices});
}

TEST_CASE("store: every copy of a live page torn, and the room for it used up before") {
    for (std::uint64_t seed = 0; seed < copy_lives; ++seed) {
        CAPTURE(seed);
        Choices choices{seed};
        const auto fill = seed % 2 == 0 ? Victim::Fill::brimful : Victim::Fill::full;
        Victim victim{48, fill, true, choices};
        // Down to the last ready page; then the head zeroed away, unit by unit; then in what
        // follows.
        for (unsigned i = 0; i < 10; ++i) {
            victim.tear_longest(choices.below(8), Tear::subset, choices.next());
        }
        for (unsigned i = 0; i < firmware::flash_model::units_per_page + 20; ++i) {
            victim.tear_longest(0, Tear::not_begun, 0);
        }
        for (unsigned i = 0; i < 10; ++i) {
            victim.tear_longest(2 + choices.below(4), Tear::subset, choices.next());
        }
        victim.rest();
    }
}

TEST_CASE("store: torn around one place of every power-up it works again when it is let") {
    const std::uint64_t seed = tests::setting("ONECARD_TEAR_SEED", 20'260'501);
    const std::uint64_t lives = tests::setting("ONECARD_TEAR_LIVES", lives_default);
    for (std::uint64_t life = 0; life < lives; ++life) {
        CAPTURE(life);
        Choices choices{seed + life};
        const auto pages = static_cast<std::uint16_t>(32 + 16 * choices.below(3));
        const auto fill = static_cast<Victim::Fill>(choices.below(3));
        Victim victim{pages, fill, choices.below(2) == 0, choices};
        const std::uint64_t place = choices.below(120);
        const std::uint64_t width = 1 + choices.below(choices.below(2) == 0 ? 3 : 60);
        const std::uint64_t where = choices.below(3);
        for (unsigned i = 0; i < tears_in_a_row; ++i) {
            const PowerCut cut{place + choices.below(width), static_cast<Tear>(choices.below(5)),
                               choices.next()};
            victim.tear(cut, where == 2 ? choices.below(2) == 0 : where == 0);
        }
        victim.rest();
    }
}
