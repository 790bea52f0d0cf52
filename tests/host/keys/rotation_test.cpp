// The road of a version, every refusal of it, and deliveries that are killed: docs/rotation.md, 1.
#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/host/keys/rotation_scene.hpp"

using crypto::keys::city_key;
using crypto::keys::KeyAlgorithm;
using crypto::keys::KeyState;
using crypto::keys::national_key;
using host::keys::ChipCount;
using host::keys::KeyUse;
using host::keys::KeyVersion;
using host::keys::Rotation;
using host::keys::RotationTerms;
using host::keys::Suite;
using keys_test::city_code;
using keys_test::refusal;
using keys_test::RotationScene;
using keys_test::state_of;

namespace {

constexpr Rotation load{KeyUse::load, KeyAlgorithm::sm4};
constexpr Rotation purchase{KeyUse::purchase, KeyAlgorithm::sm4};
constexpr KeyVersion v1{1};
constexpr KeyVersion v2{2};

host::keys::KeyName named(KeyUse use, unsigned version) {
    return city_key(city_code, use, Suite::sm4, KeyVersion{static_cast<std::uint8_t>(version)});
}
std::string prepared(RotationScene& scene, const Rotation& rotation, bool with_nation = true) {
    const auto version = host::keys::prepare(
        scene.city, rotation, with_nation ? &scene.nation : nullptr, scene.random, scene.clock);
    return version ? "v" + std::to_string(version->value()) : refusal(version);
}
std::string activated(RotationScene& scene, const Rotation& rotation, const RotationTerms& terms) {
    return refusal(host::keys::activate(scene.city, rotation, terms, scene.clock));
}
std::string retired(RotationScene& scene, const Rotation& rotation, KeyVersion version) {
    return refusal(host::keys::retire(scene.city, rotation, version, scene.terms(), scene.clock));
}
std::string destroyed(RotationScene& scene, const Rotation& rotation, KeyVersion version) {
    return refusal(host::keys::destroy(scene.city, rotation, version, scene.terms(), scene.clock));
}
std::string next_step(RotationScene& scene, const Rotation& rotation) {
    const auto known = host::keys::fold_log(scene.city.store->log()).value();
    const auto rows =
        host::keys::plan(city_code, host::keys::held_keys(*scene.city.store), known, &scene.fleet)
            .value();
    for (const auto& row : rows) {
        if (row.rotation.use == rotation.use && row.rotation.algorithm == rotation.algorithm) {
            return row.next;
        }
    }
    return "no such row";
}

/// Kills the process when the time is asked for the n-th time: between two commits.
struct KillingClock final : platform::Clock {
    explicit KillingClock(int calls) : left{calls} {}
    [[nodiscard]] std::int64_t unix_ms() const override {
        if (--left == 0) (void)::raise(SIGKILL);
        return keys_test::test_clock().unix_ms();
    }
    mutable int left;
};
/// A delivery in a process of its own, killed when it asks for the time the n-th time.
void deliver_and_die(RotationScene& scene, const char* place, int calls) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const KillingClock clock{calls};
        (void)host::keys::deliver(scene.to(place), scene.city, scene.random, clock);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    scene.reopen();
}

}  // namespace

TEST_CASE("rotation: a city's own key walks the whole road") {
    RotationScene scene;
    CHECK(next_step(scene, load) == "-");
    REQUIRE(prepared(scene, load, false) == "v2");
    CHECK(state_of(*scene.city.store, named(KeyUse::load, 2)) == "planned");
    CHECK(next_step(scene, load).starts_with("deliver --to DIR of: city-host host-1, issuer"));

    REQUIRE(scene.deliver_to("host").value().changes.size() == 1);
    // A host accepts it before the first card has it; an issuer does not use it yet.
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 2)) == "active");
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 1)) == "active");
    CHECK(activated(scene, load, {}) == "not_delivered");
    REQUIRE(scene.deliver_to("issuer").value().changes.size() == 1);
    CHECK(state_of(*scene.open("issuer"), named(KeyUse::load, 2)) == "planned");
    CHECK(host::keys::newest_active(*scene.open("issuer"), "city/3100", KeyUse::load, Suite::sm4)
              ->version == v1);

    CHECK(next_step(scene, load) == "rotate activate --use load --suite sm4");
    REQUIRE(activated(scene, load, {}) == "accepted");
    CHECK(state_of(*scene.city.store, named(KeyUse::load, 1)) == "verify_only");
    CHECK(state_of(*scene.city.store, named(KeyUse::load, 2)) == "active");
    CHECK(next_step(scene, load).starts_with("deliver"));
    REQUIRE(scene.deliver_to("issuer").value().changes.size() == 2);
    REQUIRE(scene.deliver_to("host").value().changes.size() == 1);
    CHECK(host::keys::newest_active(*scene.open("issuer"), "city/3100", KeyUse::load, Suite::sm4)
              ->version == v2);

    scene.fleet.held[{KeyUse::load, Suite::sm4, v1, false}] = {3, 0};
    CHECK(next_step(scene, load) == "wait: 3 cards and 0 SAMs carry v1");
    const auto needed = host::keys::retire(scene.city, load, v1, scene.terms(), scene.clock);
    CHECK(refusal(needed) == "still_needed");
    CHECK(needed.error().detail.starts_with("3 cards and 0 SAMs"));
    scene.fleet.held.clear();
    CHECK(next_step(scene, load) == "rotate retire --use load --suite sm4 --version 1");
    REQUIRE(retired(scene, load, v1) == "accepted");
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 1)) == "retired");
    CHECK(next_step(scene, load) == "rotate destroy --use load --suite sm4 --version 1");
    REQUIRE(destroyed(scene, load, v1) == "accepted");
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 1)) == "destroyed");
    CHECK(state_of(*scene.open("issuer"), named(KeyUse::load, 1)) == "destroyed");
    CHECK(next_step(scene, load) == "-");
    CHECK(prepared(scene, load) == "v3");
}

TEST_CASE(
    "rotation: the purchase key asks the nation and the SAMs, and the TAC's key moves along") {
    RotationScene scene;
    CHECK(prepared(scene, purchase, false) == "nation_missing");
    REQUIRE(prepared(scene, purchase) == "v2");
    CHECK(state_of(*scene.nation.store, national_key(KeyUse::purchase, Suite::sm4, v2)) ==
          "active");
    CHECK(state_of(*scene.city.store, named(KeyUse::purchase, 2)) == "planned");
    CHECK(state_of(*scene.city.store, named(KeyUse::transaction_certificate, 2)) == "planned");
    const auto root = host::keys::reveal_purse(*scene.nation.store,
                                               national_key(KeyUse::purchase, Suite::sm4, v2))
                          .value();
    const auto master =
        host::keys::reveal_purse(*scene.city.store, named(KeyUse::purchase, 2)).value();
    CHECK(std::ranges::equal(
        master.value.bytes(),
        crypto::purse::diversify(root, crypto::purse::factor_of(keys_test::issuer_id))
            .value.bytes()));

    REQUIRE(scene.deliver_to("host").has_value());
    CHECK(state_of(*scene.open("host"), named(KeyUse::purchase, 2)) == "-");
    CHECK(state_of(*scene.open("host"), named(KeyUse::transaction_certificate, 2)) == "active");
    REQUIRE(scene.deliver_to("issuer", false).has_value());
    // The issuer makes SAMs, and lacks the nation's new root.
    CHECK(activated(scene, purchase, scene.terms()) == "not_delivered");
    CHECK(next_step(scene, purchase) == "deliver --to DIR of: issuer issuer-1");
    REQUIRE(scene.deliver_to("issuer").value().changes.size() == 1);

    RotationTerms terms = scene.terms();
    terms.nation = nullptr;
    CHECK(activated(scene, purchase, terms) == "nation_missing");
    terms = scene.terms();
    terms.fleet = nullptr;
    CHECK(activated(scene, purchase, terms) == "fleet_unknown");
    scene.fleet.all = {100, 5};
    scene.fleet.held[{KeyUse::purchase, Suite::sm4, v2, true}] = {0, 3};
    const auto lacking = host::keys::activate(scene.city, purchase, scene.terms(), scene.clock);
    CHECK(refusal(lacking) == "sams_lack_it");
    CHECK(lacking.error().detail.starts_with("2 of 5 SAMs"));
    CHECK(next_step(scene, purchase) == "replace 2 of 5 SAMs, which lack v2");
    scene.fleet.held[{KeyUse::purchase, Suite::sm4, v2, true}] = {0, 5};
    REQUIRE(activated(scene, purchase, scene.terms()) == "accepted");
    CHECK(state_of(*scene.nation.store, national_key(KeyUse::purchase, Suite::sm4, v1)) ==
          "verify_only");
    CHECK(state_of(*scene.city.store, named(KeyUse::transaction_certificate, 1)) == "verify_only");

    // A SAM with the old root does not need the old master; a card does.
    scene.fleet.held[{KeyUse::purchase, Suite::sm4, v1, true}] = {0, 5};
    scene.fleet.held[{KeyUse::transaction_certificate, Suite::sm4, v1, false}] = {1, 0};
    CHECK(retired(scene, purchase, v1) == "still_needed");
    scene.fleet.held[{KeyUse::transaction_certificate, Suite::sm4, v1, false}] = {};
    REQUIRE(retired(scene, purchase, v1) == "accepted");
    CHECK(state_of(*scene.nation.store, national_key(KeyUse::purchase, Suite::sm4, v1)) ==
          "retired");
    REQUIRE(destroyed(scene, purchase, v1) == "accepted");
    CHECK(state_of(*scene.nation.store, national_key(KeyUse::purchase, Suite::sm4, v1)) ==
          "destroyed");
    REQUIRE(scene.deliver_to("issuer").has_value());
    CHECK(state_of(*scene.open("issuer"), national_key(KeyUse::purchase, Suite::sm4, v1)) ==
          "destroyed");
}

TEST_CASE("rotation: another city of the nation is asked, and follows with the same root") {
    RotationScene scene;
    constexpr protocol::CityCode other_code{0x4401};
    constexpr protocol::IssuerId other_issuer{{0x44, 0x01, 0, 0, 0, 0, 0, 0x01}};
    const auto at = scene.directory.path / "other";
    const auto people = keys_test::two_people();
    host::keys::found_city({at, people, host::keys::Mark::rehearsal}, scene.nation, other_code,
                           other_issuer, scene.random, scene.clock)
        .value();
    REQUIRE(prepared(scene, purchase) == "v2");
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    const auto alone = host::keys::activate(scene.city, purchase, scene.terms(), scene.clock);
    CHECK(refusal(alone) == "cities_unconfirmed");
    CHECK(alone.error().detail.ends_with(" 4401"));
    auto other = host::keys::open_city(at, people.people, scene.random).value();
    CHECK(host::keys::prepare(other, purchase, &scene.nation, scene.random, scene.clock).value() ==
          v2);
    CHECK_FALSE(
        scene.nation.store->find(national_key(KeyUse::purchase, Suite::sm4, KeyVersion{3})));
    RotationTerms terms = scene.terms();
    terms.confirmed = {other_code};
    CHECK(activated(scene, purchase, terms) == "accepted");
    CHECK(scene.city.store->log().back().line.find(R"("confirmed":["4401"])") != std::string::npos);
    // Without the nation the city's own master retires; the root stays for the other city.
    const RotationTerms local{nullptr, &scene.fleet, false, {}};
    CHECK(refusal(host::keys::retire(scene.city, purchase, v1, local, scene.clock)) == "accepted");
    CHECK(retired(scene, purchase, v1) == "cities_unconfirmed");
}

TEST_CASE("rotation: a city founded while a root is on its way has both versions") {
    RotationScene scene;
    REQUIRE(prepared(scene, purchase) == "v2");
    const auto at = scene.directory.path / "late";
    const auto people = keys_test::two_people();
    constexpr protocol::CityCode late{0x4401};
    host::keys::found_city({at, people, host::keys::Mark::rehearsal}, scene.nation, late,
                           protocol::IssuerId{{0x44, 0x01, 0, 0, 0, 0, 0, 0x01}}, scene.random,
                           scene.clock)
        .value();
    const auto city = host::keys::open_city(at, people.people, scene.random).value();
    for (const KeyUse use : {KeyUse::purchase, KeyUse::transaction_certificate}) {
        CHECK(state_of(*city.store, city_key(late, use, Suite::sm4, v1)) == "active");
        CHECK(state_of(*city.store, city_key(late, use, Suite::sm4, v2)) == "planned");
        CHECK(state_of(*city.store, city_key(late, use, Suite::triple_des, v2)) == "-");
    }
}

TEST_CASE("delivery: a city's store that was put back is found out by the first place") {
    RotationScene scene;
    const auto store = scene.directory.path / "city" / host::keys::store_file;
    const auto old = scene.directory.path / "old.store";
    std::filesystem::copy_file(store, old);
    REQUIRE(prepared(scene, load) == "v2");
    REQUIRE(scene.deliver_to("host").has_value());
    std::filesystem::copy_file(old, store, std::filesystem::copy_options::overwrite_existing);
    scene.reopen();
    CHECK(refusal(scene.deliver_to("host")) == "city_outdated");
    // A second version 2 is another key: the place that has the first one says so.
    REQUIRE(prepared(scene, load) == "v2");
    CHECK(refusal(scene.deliver_to("host")) == "key_mismatch");
    CHECK(activated(scene, load, {}) == "not_delivered");
}

TEST_CASE("delivery: the nation's log knows which of its roots an issuer has") {
    RotationScene scene;
    const auto held = [&](KeyVersion version) {
        const auto known = host::keys::fold_log(scene.nation.store->log()).value();
        REQUIRE(known.places.size() == 1);
        CHECK(known.places[0].text() == "issuer issuer-1");
        CHECK(known.places[0].keys.size() == (version == v1 ? 4 : 5));
        return known.places[0].may_hold(national_key(KeyUse::purchase, Suite::sm4, version));
    };
    CHECK(held(v1));
    REQUIRE(prepared(scene, purchase) == "v2");
    REQUIRE(scene.deliver_to("issuer", false).has_value());  // no root: nothing to tell
    CHECK(held(v1));
    REQUIRE(scene.deliver_to("issuer").has_value());
    CHECK(held(v2));
    RotationScene stranger{2};
    scene.nation = std::move(stranger.nation);
    CHECK(refusal(scene.deliver_to("issuer")) == "nation_mismatch");
    CHECK(prepared(scene, {KeyUse::application_lock, KeyAlgorithm::sm4}) == "nation_mismatch");
}

TEST_CASE("rotation: a card manager's AES master, which no chip carries yet") {
    RotationScene scene;
    const Rotation channel{KeyUse::secure_channel, KeyAlgorithm::aes};
    const auto key = [](KeyVersion version) {
        return city_key(city_code, KeyUse::secure_channel, KeyAlgorithm::aes, version);
    };
    REQUIRE(prepared(scene, channel) == "v2");
    CHECK(next_step(scene, channel) == "rotate activate --use secure_channel --suite aes");
    REQUIRE(activated(scene, channel, scene.terms()) == "accepted");
    CHECK(state_of(*scene.city.store, key(v1)) == "verify_only");
    CHECK(state_of(*scene.city.store, key(v2)) == "active");
    REQUIRE(retired(scene, channel, v1) == "accepted");
    REQUIRE(destroyed(scene, channel, v1) == "accepted");
    CHECK(next_step(scene, channel) == "-");
}

TEST_CASE("rotation: steps in the wrong order, and twice, are refused by name") {
    RotationScene scene;
    CHECK(activated(scene, load, {}) == "nothing_planned");
    CHECK(retired(scene, load, v1) == "step_out_of_order");
    CHECK(destroyed(scene, load, v1) == "step_out_of_order");
    CHECK(retired(scene, load, v2) == "key_unknown");
    for (const KeyUse use :
         {KeyUse::list_signature, KeyUse::day_signature, KeyUse::certificate_authority,
          KeyUse::tls_identity, KeyUse::batch_signature, KeyUse::transaction_certificate}) {
        CHECK(prepared(scene, {use, KeyAlgorithm::sm4}) == "key_not_rotatable");
    }
    CHECK(prepared(scene, {KeyUse::load, KeyAlgorithm::aes}) == "key_not_rotatable");
    CHECK(prepared(scene, {KeyUse::purchase, KeyAlgorithm::aes}) == "key_not_rotatable");
    CHECK(prepared(scene, {KeyUse::secure_channel, KeyAlgorithm::sm4}) == "key_not_rotatable");
    REQUIRE(prepared(scene, load) == "v2");
    CHECK(prepared(scene, load) == "rotation_open");
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    REQUIRE(activated(scene, load, {}) == "accepted");
    CHECK(activated(scene, load, {}) == "nothing_planned");
    const RotationTerms blind;
    CHECK(refusal(host::keys::retire(scene.city, load, v1, blind, scene.clock)) == "fleet_unknown");
    RotationTerms declared;
    declared.no_chips = true;
    CHECK(refusal(host::keys::retire(scene.city, load, v1, declared, scene.clock)) == "accepted");
    CHECK(scene.city.store->log().back().line.find(R"("no_chips":true)") != std::string::npos);
    CHECK(retired(scene, load, v1) == "step_out_of_order");
    REQUIRE(destroyed(scene, load, v1) == "accepted");
    CHECK(destroyed(scene, load, v1) == "step_out_of_order");
    CHECK(retired(scene, load, v1) == "step_out_of_order");
}

TEST_CASE("rotation: a planned version can be given up, and its number is not used again") {
    RotationScene scene;
    REQUIRE(prepared(scene, load) == "v2");
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(retired(scene, load, v2) == "accepted");
    REQUIRE(scene.deliver_to("host").has_value());
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 2)) == "retired");
    REQUIRE(scene.deliver_to("issuer").has_value());
    CHECK(state_of(*scene.open("issuer"), named(KeyUse::load, 2)) == "-");
    CHECK(prepared(scene, load) == "v3");
}

TEST_CASE("rotation: killed between the nation's commit and the city's, it goes on") {
    RotationScene scene;
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const KillingClock clock{2};
        (void)host::keys::prepare(scene.city, purchase, &scene.nation, scene.random, clock);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    scene.reopen();
    CHECK(state_of(*scene.nation.store, national_key(KeyUse::purchase, Suite::sm4, v2)) ==
          "active");
    CHECK(state_of(*scene.city.store, named(KeyUse::purchase, 2)) == "-");
    CHECK(prepared(scene, purchase) == "v2");
    CHECK(state_of(*scene.nation.store,
                   national_key(KeyUse::purchase, Suite::sm4, KeyVersion{3})) == "-");
}

TEST_CASE("deliver: killed between its commits, nothing is lost and nothing unknown") {
    RotationScene scene;
    REQUIRE(prepared(scene, load) == "v2");
    REQUIRE(scene.deliver_to("issuer").has_value());
    const auto place = [&] {
        return host::keys::fold_log(scene.city.store->log()).value().places.at(0);
    };
    const auto wanted = named(KeyUse::load, 2);
    SUBCASE("the city has announced, the place has nothing") {
        deliver_and_die(scene, "host", 2);
        CHECK(state_of(*scene.open("host"), wanted) == "-");
    }
    SUBCASE("the place has it, the city does not know that it does") {
        deliver_and_die(scene, "host", 3);
        CHECK(state_of(*scene.open("host"), wanted) == "active");
    }
    CHECK(place().may_hold(wanted));             // a drill names it
    CHECK_FALSE(place().keys.contains(wanted));  // a rotation does not count on it
    CHECK(activated(scene, load, {}) == "not_delivered");
    REQUIRE(scene.deliver_to("host").has_value());
    CHECK(place().keys.contains(wanted));
    CHECK(place().announced.empty());
    const auto entries = scene.city.store->log().size();
    CHECK(scene.deliver_to("host").value().changes.empty());
    CHECK(scene.city.store->log().size() == entries);  // nothing to do is no entry
    CHECK(activated(scene, load, {}) == "accepted");
}

TEST_CASE("deliver: a place whose store came back from an old backup gets everything again") {
    RotationScene scene;
    const auto store = scene.directory.path / "host" / host::keys::store_file;
    const auto backup = scene.directory.path / "backup";
    std::filesystem::copy_file(store, backup);
    REQUIRE(prepared(scene, load) == "v2");
    REQUIRE(scene.deliver_to("host").value().changes.size() == 1);
    std::filesystem::copy_file(backup, store, std::filesystem::copy_options::overwrite_existing);
    CHECK(scene.deliver_to("host").value().changes.size() == 1);
    CHECK(state_of(*scene.open("host"), named(KeyUse::load, 2)) == "active");
}

TEST_CASE("deliver: stores that are not this city's, or not in service, get nothing") {
    RotationScene scene;
    RotationScene stranger{2};
    SUBCASE("a store that the city's log does not know") {
        host::keys::DeliveryOrder order = stranger.to("host");
        order.nation = nullptr;
        CHECK(refusal(host::keys::deliver(order, scene.city, scene.random, scene.clock)) ==
              "not_deployed_here");
    }
    SUBCASE("a unit that was deployed again") {
        host::keys::DeploymentOrder order;
        order.role = platform::PeerRole::city_host;
        order.unit = "host-1";
        (void)scene.deploy(order, "host-again");
        CHECK(refusal(scene.deliver_to("host")) == "not_deployed_here");
        CHECK(refusal(scene.deliver_to("host-again")) == "accepted");
    }
    SUBCASE("no directory, another city's, a wrong passphrase") {
        CHECK(refusal(scene.deliver_to("nowhere")) == "file_failed");
        host::keys::DeliveryOrder order = scene.to("host");
        order.passphrase = keys_test::bytes_of("not the passphrase");
        CHECK(refusal(host::keys::deliver(order, scene.city, scene.random, scene.clock)) ==
              "store_failed");
        host::keys::City moved = std::move(stranger.city);
        moved.identity.city = protocol::CityCode{0x4401};
        CHECK(refusal(host::keys::deliver(scene.to("host"), moved, scene.random, scene.clock)) ==
              "city_mismatch");
        moved.identity.city = city_code;
        moved.identity.mark = host::keys::Mark::live;
        CHECK(refusal(host::keys::deliver(scene.to("host"), moved, scene.random, scene.clock)) ==
              "mark_mismatch");
    }
    SUBCASE("the same name, another secret") {
        REQUIRE(prepared(scene, load) == "v2");
        auto host_store = scene.open("host");
        auto change =
            host::keys::StoreChange::begin(*host_store, host::keys::command(scene.clock, "tamper"))
                .value();
        REQUIRE(host::keys::generate_key(*host_store, named(KeyUse::load, 2), 16, scene.random));
        REQUIRE(change.commit().has_value());
        CHECK(refusal(scene.deliver_to("host")) == "key_mismatch");
    }
}

TEST_CASE("deliver: a place deployed in the middle of a rotation has the window at once") {
    RotationScene scene;
    REQUIRE(prepared(scene, load) == "v2");
    host::keys::DeploymentOrder order;
    order.role = platform::PeerRole::city_host;
    order.unit = "host-2";
    const auto store = scene.deploy(order, "host-2");
    CHECK(state_of(*store, named(KeyUse::load, 1)) == "active");
    CHECK(state_of(*store, named(KeyUse::load, 2)) == "active");
    CHECK(scene.deliver_to("host-2").value().changes.empty());
}
