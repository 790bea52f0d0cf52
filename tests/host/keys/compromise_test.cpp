// The drill: what a key touches, and what to do. docs/rotation.md, 2.
#include "host/keys/compromise.hpp"

#include <doctest/doctest.h>

#include "platform/mask.hpp"
#include "tests/host/keys/rotation_scene.hpp"

using crypto::keys::city_key;
using crypto::keys::KeyAlgorithm;
using crypto::keys::national_key;
using host::keys::ChipCount;
using host::keys::drill;
using host::keys::DrillScene;
using host::keys::KeyUse;
using host::keys::KeyVersion;
using host::keys::Suite;
using keys_test::city_code;
using keys_test::refusal;
using keys_test::RotationScene;
using Lines = std::vector<std::string>;

namespace {

constexpr KeyVersion v1{1};

DrillScene scene_of(RotationScene& scene) {
    return {city_code, host::keys::held_keys(*scene.city.store),
            host::keys::fold_log(scene.city.store->log()).value(),
            host::keys::fold_log(scene.nation.store->log()).value(), &scene.fleet};
}
bool any_says(const Lines& lines, std::string_view part) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("drill: a city's load key") {
    RotationScene scene;
    scene.fleet.held[{KeyUse::load, Suite::sm4, v1, false}] = {250'000, 0};
    const auto report = drill(city_key(city_code, KeyUse::load, Suite::sm4), scene_of(scene));
    REQUIRE(report.has_value());
    CHECK(report->places == Lines{"city-host host-1", "issuer issuer-1"});
    CHECK(report->derived.empty());
    CHECK(report->certificates.empty());
    CHECK(report->in_use == ChipCount{250'000, 0});
    CHECK(report->ever == ChipCount{250'001, 0});
    CHECK(scene.fleet.questions == 2);  // one query by index for each count
    CHECK(any_says(report->steps, "rotate prepare --city-dir CITY --use load --suite sm4"));
    CHECK(any_says(report->steps, "--version 1"));
    CHECK_FALSE(any_says(report->steps, "SAM, "));
}

TEST_CASE("drill: the nation's purchase root touches every city and every SAM") {
    RotationScene scene;
    constexpr protocol::CityCode other{0x4401};
    host::keys::found_city(
        {scene.directory.path / "other", keys_test::two_people(), host::keys::Mark::rehearsal},
        scene.nation, other, protocol::IssuerId{{0x44, 0x01, 0, 0, 0, 0, 0, 0x01}}, scene.random,
        scene.clock)
        .value();
    scene.fleet.held[{KeyUse::purchase, Suite::sm4, v1, true}] = {0, 40};
    scene.fleet.held[{KeyUse::purchase, Suite::sm4, v1, false}] = {1'000, 0};
    const auto report = drill(national_key(KeyUse::purchase, Suite::sm4), scene_of(scene));
    REQUIRE(report.has_value());
    CHECK(report->derived == Lines{"city/3100 purchase sm4 v1", "city/4401 purchase sm4 v1"});
    CHECK(report->places == Lines{"issuer issuer-1"});
    CHECK(report->in_use == ChipCount{1'000, 40});
    CHECK(any_says(report->steps, "replace every SAM"));
    CHECK(any_says(report->steps, "--nation-dir"));
}

TEST_CASE("drill: a TAC key moves with the purchase key") {
    RotationScene scene;
    const auto report =
        drill(city_key(city_code, KeyUse::transaction_certificate, Suite::sm4), scene_of(scene));
    REQUIRE(report.has_value());
    CHECK(any_says(report->steps, "rotate prepare --city-dir CITY --use purchase"));
}

TEST_CASE("drill: an authority names every certificate under it") {
    RotationScene scene;
    const auto report = drill(crypto::keys::city_authority(city_code), scene_of(scene));
    REQUIRE(report.has_value());
    REQUIRE(report->certificates.size() == 2);
    CHECK(any_says(report->certificates, "city-host host-1, until 2027"));
    CHECK(report->places.empty());
    const auto root = drill(crypto::keys::national_authority(), scene_of(scene));
    REQUIRE(root.has_value());
    CHECK(any_says(root->certificates, "authority of city/3100"));
}

TEST_CASE("drill: keys that do not rotate are told what to do instead") {
    RotationScene scene;
    const auto list =
        drill(crypto::keys::city_signature(city_code, KeyUse::list_signature), scene_of(scene));
    REQUIRE(list.has_value());
    CHECK(any_says(list->steps, "cannot be rotated"));
    CHECK(list->places == Lines{"city-host host-1"});
    const auto tls = drill(crypto::keys::tls_identity(), scene_of(scene));
    REQUIRE(tls.has_value());
    CHECK(any_says(tls->steps, "certificate revoke"));
    const auto transport =
        drill(city_key(city_code, KeyUse::card_transport, Suite::sm4), scene_of(scene));
    REQUIRE(transport.has_value());
    CHECK(any_says(transport->steps, "the chips that the maker made"));
    CHECK(transport->chip_keys.empty());
}

TEST_CASE("drill: a delivery that was announced counts, a destroyed copy does not") {
    RotationScene scene;
    REQUIRE(host::keys::prepare(scene.city, {KeyUse::load, KeyAlgorithm::sm4}, nullptr,
                                scene.random, scene.clock)
                .has_value());
    DrillScene seen = scene_of(scene);
    const auto key = city_key(city_code, KeyUse::load, Suite::sm4, KeyVersion{2});
    CHECK(drill(key, seen)->places.empty());
    seen.city_log.places[0].announced.emplace(key, crypto::keys::KeyState::active);
    CHECK(drill(key, seen)->places == Lines{"city-host host-1"});
    seen.city_log.places[0].announced[key] = crypto::keys::KeyState::destroyed;
    CHECK(drill(key, seen)->places.empty());
}

TEST_CASE("drill: a key nobody has heard of") {
    RotationScene scene;
    CHECK(refusal(drill(city_key(city_code, KeyUse::load, Suite::sm4, KeyVersion{9}),
                        scene_of(scene))) == "key_unknown");
    CHECK(refusal(drill(city_key(protocol::CityCode{0x4401}, KeyUse::load, Suite::sm4),
                        scene_of(scene))) == "key_unknown");
}

TEST_CASE("drill: the list of carriers is masked, and names no chip twice") {
    RotationScene scene;
    const auto card = platform::from_hex<10>("03104800000000000017").value();
    const auto sam = platform::from_hex<10>("10000000000000000001").value();
    using host::keys::ChipKind;
    scene.fleet.carriers[{KeyUse::application_lock, Suite::sm4, v1, true}] = {
        {ChipKind::sam, sam, "issued"}};
    scene.fleet.carriers[{KeyUse::application_lock, Suite::sm4, v1, false}] = {
        {ChipKind::sam, sam, "issued"}, {ChipKind::card, card, "blocked"}};
    const auto report =
        drill(national_key(KeyUse::application_lock, Suite::sm4), scene_of(scene)).value();
    const auto masked = host::keys::list_carriers(report, scene.fleet, false).value();
    CHECK(masked == "kind,number,state\nsam,10000000000000000001,issued\ncard," +
                        platform::mask(protocol::CardNumber{card}) + ",blocked\n");
    CHECK(masked.find("03104800000000000017") == std::string::npos);
    CHECK(host::keys::list_carriers(report, scene.fleet, true)
              ->ends_with("card,03104800000000000017,blocked\n"));
}
