// Power lost at every flash operation of every kind of change, and again during recovery.
// docs/card_storage.md, section 3: all old or all new, and the same at every later look.
//
// Every cut is taken, and one in nineteen is cut again at every operation of the recovery, chosen
// by a counter, so that every session and operation is met (sanitized builds take fewer of both).
// ONECARD_TEAR_EVERY=1 cuts each again, ONECARD_TEAR_SAMPLES=n takes n patterns of each kind (a
// nightly run: every 1, samples 4), ONECARD_TEAR_SEED=n others. What the release run counts stands
// in the document, and is compared with it.
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "firmware/kernel/store.hpp"
#include "tests/firmware/support/cuts.hpp"
#include "tests/firmware/support/documented.hpp"

using firmware::Housekeeping;
using firmware::ObjectId;
using firmware::Store;
using firmware::Transaction;
using firmware::Urgency;
using tests::PowerCut;
using tests::PowerLost;
using tests::Tear;
using tests::TearingFlash;
using Value = std::vector<std::uint8_t>;

namespace {

constexpr std::array<std::uint8_t, 8> mask_seed{1, 2, 3, 4, 5, 6, 7, 8};
constexpr std::uint16_t pages = 32;
constexpr ObjectId tries{32};
constexpr ObjectId purse{40};
constexpr ObjectId key{41};
constexpr ObjectId ghost{42};  // put and erased in turn
constexpr std::array watched{32, 40, 41, 42, 43, 44, 200, 201, 202, 203, 204, 205, 206, 207};

/// What was broken. Millions of these are looked at: doctest's own REQUIRE would take longer than
/// the store.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};
void hold(bool condition, const char* what) {
    if (!condition) throw Violation{what};
}

/// Everything that can be seen of a store.
using Sight = std::map<int, Value>;

Sight look(const Store& store) {
    Sight sight;
    for (const int id : watched) {
        const ObjectId object{static_cast<std::uint16_t>(id)};
        if (object == tries) {
            sight[id] = {store.counter(object).value()};
            continue;
        }
        if (!store.contains(object)) continue;
        Value value(255);
        const auto size = store.read(object, value);
        hold(size.has_value(), "an object cannot be read");
        value.resize(*size);
        sight[id] = value;
    }
    return sight;
}

Value pattern(std::size_t size, unsigned salt) {
    Value out(size);
    for (std::size_t i = 0; i < size; ++i) {
        out[i] = static_cast<std::uint8_t>(i % 5 == 4 ? 0xFF : i * 31 + salt * 17);
    }
    return out;
}

template <class T>
void must(const protocol::Outcome<T>& done) {
    hold(done.has_value(), "the store refuses");
}

void put(Store& store, ObjectId id, const Value& value, Urgency urgency) {
    Transaction change;
    must(change.put(id, value));
    must(store.commit(change, urgency));
}

using Step = std::function<void(Store&)>;
/// What a card does between two answers; each step is atomic, the sequence is not.
struct Session {
    std::string name;
    std::vector<Step> steps;
};

Step tick_step() {
    return [](Store& store) { must(store.tick(tries)); };
}
Step tap_step(unsigned salt) {
    return [salt](Store& store) {
        Transaction change;
        must(change.put(purse, pattern(27, salt)));
        must(change.put(ObjectId{200}, pattern(24, salt + 1)));
        must(change.put(ObjectId{201}, pattern(49, salt + 2)));
        must(change.reset_counter(tries));
        must(store.commit(change, Urgency::tap));
    };
}
Step write_step(unsigned salt) {
    return [salt](Store& store) {
        Transaction change;
        must(change.put_masked(key, pattern(16, salt)));
        must(change.put(ObjectId{static_cast<std::uint16_t>(202 + salt % 6)}, pattern(128, salt)));
        must(change.erase(ghost));
        must(store.commit(change, Urgency::ordinary));
    };
}
Step ghost_step(unsigned salt) {
    return [salt](Store& store) { put(store, ghost, pattern(40, salt), Urgency::ordinary); };
}
Step housekeeping_step() {
    return [](Store& store) { must(store.housekeeping_step()); };
}

std::vector<Session> sessions() {
    return {{"idle", {}},
            {"tap", {tick_step(), tap_step(91)}},
            {"two taps", {tick_step(), tap_step(92), tick_step(), tap_step(93)}},
            {"wrong MAC", {tick_step()}},
            {"wrong MAC, then a step", {tick_step(), housekeeping_step()}},
            {"write", {write_step(94), ghost_step(95)}},
            {"housekeeping", {housekeeping_step(), housekeeping_step()}},
            {"tap and housekeeping", {tick_step(), tap_step(96), housekeeping_step()}}};
}

/// Cards at different points of their life: new, near a page's end, reclaiming, after earlier
/// tears.
std::vector<TearingFlash> lives() {
    std::vector<TearingFlash> out;
    TearingFlash flash{pages};
    must(Store::format(flash, mask_seed));
    out.push_back(flash);
    for (unsigned day = 0; day < 60; ++day) {
        Store store{flash};
        flash.reboot();
        must(store.mount());
        tick_step()(store);
        tap_step(day)(store);
        if (day % 3 == 0) write_step(day)(store);
        if (day % 4 == 0) ghost_step(day)(store);
        if (day % 2 == 0) housekeeping_step()(store);
        if (day % 7 == 3 || day > 56) out.push_back(flash);
    }
    for (unsigned i = 0; i < 4; ++i) {  // worn by tears at various places, not looked at since
        TearingFlash torn = out.back();
        Store store{torn};
        torn.reboot();
        must(store.mount());
        torn.cut_at({.operation = 3 + 9 * i, .tear = Tear::unstable, .pattern = i});
        try {
            for (unsigned k = 0;; ++k) tap_step(k)(store);
        } catch (const PowerLost&) {
        }
        out.push_back(torn);
    }
    return out;
}

constexpr std::uint64_t seed_default = 20'260'501;
std::uint64_t seed() {
    static const std::uint64_t chosen = tests::setting("ONECARD_TEAR_SEED", seed_default);
    return chosen;
}

std::vector<PowerCut> cuts_at(std::uint64_t operation, std::uint64_t samples, std::uint64_t salt) {
    tests::Choices choices{seed() ^ (salt * 1'000'003 + operation * 7919)};
    return tests::sampled_cuts(operation, samples, choices);
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t first_every = 29, again_every_default = 11;
constexpr std::size_t life_step = 4;
#else
constexpr std::uint64_t first_every = 1, again_every_default = 19;
constexpr std::size_t life_step = 1;
#endif
constexpr bool is_sampled = first_every != 1;

class Knife {
public:
    std::uint64_t cut_points = 0, cut_again = 0, recovery_cuts = 0, violations = 0;

    /// Cuts `session` at `cut`; false if the session was over before the cut came.
    bool run(const TearingFlash& start, const Session& session, const PowerCut& cut, bool twice) {
        TearingFlash flash = start;
        std::vector<Sight> allowed;
        try {
            if (!run_until_cut(flash, session, cut, allowed)) return false;
            ++cut_points;
            check(flash, allowed);
            if (twice) cut_recovery(flash, allowed, cut.pattern);
        } catch (const Violation& broken) {
            ++violations;
            FAIL_CHECK(session.name << ": " << std::string{broken.what()} << " (operation "
                                    << cut.operation << ", kind " << static_cast<int>(cut.tear)
                                    << ", pattern " << cut.pattern << ")");
        }
        return true;
    }

    /// Does the session come to `operation` at all?
    static bool reaches(TearingFlash flash, const Session& session, std::uint64_t operation) {
        flash.reboot();
        flash.cut_at({operation, Tear::not_begun, 0});
        try {
            Store store{flash};
            must(store.mount());
            for (const Step& step : session.steps) step(store);
        } catch (const PowerLost&) {
            return true;
        }
        return false;
    }

private:
    bool run_until_cut(TearingFlash& flash, const Session& session, const PowerCut& cut,
                       std::vector<Sight>& allowed) {
        flash.reboot();
        const Sight before = before_session(flash);
        std::size_t done = 0;
        std::vector<Sight> sights = sights_of(flash, session);
        flash.cut_at(cut);
        try {
            Store store{flash};
            must(store.mount());
            for (const Step& step : session.steps) {
                step(store);
                ++done;
            }
        } catch (const PowerLost&) {
            allowed.push_back(done == 0 ? before : sights[done - 1]);
            if (done < sights.size()) allowed.push_back(sights[done]);
            return true;
        }
        return false;
    }

    static Sight before_session(const TearingFlash& start) {
        TearingFlash flash = start;
        Store store{flash};
        must(store.mount());
        return look(store);
    }
    static std::vector<Sight> sights_of(const TearingFlash& start, const Session& session) {
        TearingFlash flash = start;
        Store store{flash};
        must(store.mount());
        std::vector<Sight> out;
        for (const Step& step : session.steps) {
            step(store);
            out.push_back(look(store));
        }
        return out;
    }

    /// One of the allowed states; the same one at every look, at every boot; and the card works on.
    static void check(TearingFlash flash, const std::vector<Sight>& allowed) {
        Sight seen;
        for (int boot = 0; boot < 4; ++boot) {
            flash.reboot();
            Store store{flash};
            must(store.mount());
            const Sight sight = look(store);
            if (boot == 0) {
                seen = sight;
                hold(std::ranges::find(allowed, seen) != allowed.end(), "neither old nor new");
            }
            hold(sight == seen, "reads differently after a reset");
            hold(look(store) == seen, "reads differently the second time");
        }
        Store store{flash};
        flash.reboot();
        must(store.mount());
        must(store.housekeeping_step());
        hold(look(store) == seen, "housekeeping changes something");
        tick_step()(store);
        tap_step(200)(store);
        write_step(201)(store);
        const Sight after = look(store);
        hold(after.at(32) == Value{0}, "a try does not come back");
        for (int boot = 0; boot < 2; ++boot) {
            flash.reboot();
            Store again{flash};
            must(again.mount());
            hold(look(again) == after, "what came after the tear is lost");
        }
    }

    /// Cuts the mount that follows the first cut at each of its own operations, in every kind, then
    /// the next mount once: at half of that.
    void cut_recovery(const TearingFlash& torn, const std::vector<Sight>& allowed,
                      std::uint64_t salt) {
        ++cut_again;
        for (std::uint64_t operation = 0; operation < 2'000; ++operation) {
            bool was_cut = false;
            for (const PowerCut& cut : cuts_at(operation, 1, salt)) {
                TearingFlash flash = torn;
                if (!cut_mount(flash, cut)) continue;
                was_cut = true;
                ++cut_points, ++recovery_cuts;
                check(flash, allowed);
                TearingFlash third = flash;  // and once more, with the pattern turned around
                if (cut_mount(third, {operation / 2, cut.tear, cut.pattern ^ 3})) {
                    ++cut_points, ++recovery_cuts;
                    check(third, allowed);
                }
            }
            if (!was_cut) return;
        }
    }

    static bool cut_mount(TearingFlash& flash, const PowerCut& cut) {
        flash.reboot();
        flash.cut_at(cut);
        try {
            Store store{flash};
            must(store.mount());
        } catch (const PowerLost&) {
            return true;
        }
        flash.disarm();
        return false;
    }
};

}  // namespace

namespace {
/// With the row of docs/card_storage.md, 3.1; sanitized builds count less.
void compare(const char* part, std::uint64_t number_of_lives, const Knife& knife) {
    if (is_sampled || seed() != seed_default) return;
    tests::check_documented("card_storage.md", std::string{"`store_tear_test`, "} + part,
                            {number_of_lives, knife.cut_points, knife.cut_again,
                             knife.recovery_cuts, knife.violations});
}
}  // namespace

TEST_CASE(
    "store: cut at every operation, every session, every life: all old or all new, for good") {
    Knife knife;
    const std::uint64_t samples = tests::setting("ONECARD_TEAR_SAMPLES", 1);
    const std::uint64_t again_every = tests::setting("ONECARD_TEAR_EVERY", again_every_default);
    std::uint64_t salt = 1;
    std::uint64_t turn = 0;
    const std::vector<TearingFlash> all_lives = lives();
    for (std::size_t at = 0; at < all_lives.size(); at += life_step) {
        const TearingFlash& life = all_lives[at];
        for (const Session& session : sessions()) {
            for (std::uint64_t operation = 0;; ++operation) {
                // The session is over when even an operation left out here would not be reached.
                if (!knife.reaches(life, session, operation)) break;
                for (const PowerCut& cut : cuts_at(operation, samples, ++salt)) {
                    if (++turn % first_every != 0) continue;
                    knife.run(life, session, cut, turn / first_every % again_every == 0);
                }
            }
        }
    }
    MESSAGE("tear run, store: " << all_lives.size() << " lives, cut points: " << knife.cut_points
                                << ", violations: " << knife.violations << ", seed: " << seed());
    CHECK(knife.violations == 0);
    CHECK(knife.cut_points > (is_sampled ? 1'000 : 150'000));
    if (again_every == again_every_default && samples == 1)
        compare("sessions", all_lives.size(), knife);
}

TEST_CASE("store: every single bit of every unit of a tap, programmed alone or left alone") {
    Knife knife;
    const unsigned bit_step = is_sampled ? 11 : 1;
    const Session tap{"tap", {tick_step(), tap_step(91)}};
    const TearingFlash life = lives()[4];
    for (std::uint64_t operation = 0;; ++operation) {
        bool was_cut = false;
        for (unsigned bit = 0; bit < 32; bit += bit_step) {
            const std::uint64_t one = std::uint64_t{1} << bit;
            was_cut = knife.run(life, tap, {operation, Tear::subset, one}, false) || was_cut;
            was_cut = knife.run(life, tap, {operation, Tear::subset, ~one}, false) || was_cut;
        }
        if (!was_cut) break;
    }
    MESSAGE("tear run, store, single bits of a tap: cut points: "
            << knife.cut_points << ", violations: " << knife.violations);
    CHECK(knife.violations == 0);
    CHECK(knife.cut_points * bit_step > 2'000);
    compare("single bits of a tap", 1, knife);
}

TEST_CASE("store: torn again and again without rest, a card is never stuck and never gains") {
    TearingFlash flash = lives().back();
    flash.reboot();
    Sight expected;
    {
        Store store{flash};
        must(store.mount());
        expected = look(store);
    }
    for (unsigned round = 0; round < 3'000 / life_step / life_step; ++round) {
        flash.reboot();
        flash.cut_at({round * 7 % 45, Tear::unstable, round});
        try {
            Store store{flash};
            must(store.mount());
            hold(look(store) == expected, "something is lost");
            // A reader that gives the card one step after the reset, then taps.
            must(store.housekeeping_step());
            tap_step(round)(store);
            expected = look(store);
        } catch (const PowerLost&) {
            Store store{flash};
            flash.reboot();
            must(store.mount());
            expected = look(store);
        }
        flash.disarm();
    }
}
