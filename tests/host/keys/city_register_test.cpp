// The city's log, folded: docs/rotation.md, 3.
#include <doctest/doctest.h>

#include "tests/host/keys/rotation_scene.hpp"

using crypto::keys::KeyState;
using host::keys::fold_log;
using keys_test::refusal;

namespace {

std::vector<crypto::keys::LogEntry> log_of(const std::vector<std::string>& lines) {
    std::vector<crypto::keys::LogEntry> log;
    for (const std::string& line : lines) log.push_back({line, {}});
    return log;
}
std::string entry(const std::string& command, const std::string& detail) {
    return R"({"n":1,"at":"2026-01-01T15:00:00Z","by":["a","b"],"command":")" + command +
           R"(","detail":)" + detail + R"(,"changes":[]})";
}
std::string deployed(const std::string& unit, const std::string& store,
                     const std::string& more = "") {
    return entry("deploy", R"({"role":"city-host","organisation":"3100","unit":")" + unit +
                               R"(","store":")" + store + R"(","certificate":"C)" + store +
                               R"(","not_after":"2027-01-01T15:00:00Z","keys":)"
                               R"({"city/3100 load sm4 v1":"active"})" +
                               more + "}");
}
std::string delivery(const std::string& command, const std::string& store,
                     const std::string& state) {
    return entry(command, R"({"store":")" + store + R"(","keys":{"city/3100 load sm4 v1":")" +
                              state + R"("}})");
}

}  // namespace

TEST_CASE("register: what deploy and found-city write is what the fold reads") {
    keys_test::RotationScene scene;
    const auto city = fold_log(scene.city.store->log()).value();
    REQUIRE(city.places.size() == 2);
    const auto& host = city.places[0];
    CHECK(host.role == platform::PeerRole::city_host);
    CHECK(host.text() == "city-host host-1");
    CHECK(host.organisation == "3100");
    CHECK(host.store.size() == 32);
    CHECK(host.certificate.size() == 32);
    // 15:00 in China, ten minutes earlier, in UTC, a year later.
    CHECK(host.not_after == "2027-01-01T06:50:00Z");
    CHECK(host.keys == host::keys::held_keys(*scene.open("host")));
    CHECK_FALSE(host.makes_sams());
    CHECK(city.places[1].makes_sams());
    const auto nation = fold_log(scene.nation.store->log()).value();
    REQUIRE(nation.cities.size() == 1);
    CHECK(nation.cities[0].city == keys_test::city_code);
    CHECK(nation.cities[0].issuer == keys_test::issuer_id);
    // A place's own log folds too, and knows no place.
    CHECK(fold_log(scene.open("host")->log()).value().places.empty());
}

TEST_CASE("register: deliveries, replacements, revocations and custodians") {
    const auto known = fold_log(log_of(
        {deployed("host-1", "AA"), deployed("host-2", "BB", R"(,"note":"of a later program")"),
         delivery("deliver", "BB", "verify_only"), deployed("host-1", "CC"),
         delivery("deliver", "CC", "verify_only"), delivery("delivered", "CC", "verify_only"),
         entry("certificate-revoked", R"({"certificate":"CBB"})"),
         entry("certificate-issued", R"({"whatever":1})"), entry("of-a-later-program", "{}"),
         R"({"n":10,"at":"2026-01-02T00:00:00Z","command":"change-custodians","detail":{},)"
         R"("changes":[{"change":"custodians","quorum":2,"names":["a","c"]}]})"}));
    REQUIRE(known.has_value());
    REQUIRE(known->places.size() == 3);
    CHECK(known->places[0].replaced);
    CHECK_FALSE(known->places[0].in_service());
    CHECK(known->places[1].revoked);
    CHECK(known->places[1].keys.begin()->second == KeyState::active);
    CHECK(known->places[1].announced.begin()->second == KeyState::verify_only);
    CHECK(known->places[2].in_service());
    CHECK(known->places[2].keys.begin()->second == KeyState::verify_only);
    CHECK(known->places[2].announced.empty());
    REQUIRE(known->custodians.size() == 1);
    CHECK(known->custodians[0].names == std::vector<std::string>{"a", "c"});
    CHECK(known->custodians[0].quorum == 2);
    CHECK(known->find("CC") == &known->places[2]);
    CHECK(known->find("DD") == nullptr);
}

TEST_CASE("register: our own entries must be whole, and the refusal names the entry") {
    const std::string whole = deployed("host-1", "AA");
    const auto without = [&](const std::string& part, const std::string& with) {
        std::string line = whole;
        line.replace(line.find(part), part.size(), with);
        return fold_log(log_of({whole, line}));
    };
    for (const auto& [part, with] :
         {std::pair{R"("role":"city-host")", R"("role":"boss")"},
          std::pair{R"("unit":"host-1")", R"("unit":"")"},
          std::pair{R"("store":"AA")", R"("store":7)"},
          std::pair{R"("certificate":"CAA")", R"("c":"CAA")"},
          std::pair{R"("not_after")", R"("after")"}, std::pair{"load sm4 v1", "load sm4"},
          std::pair{R"(:"active"})", R"(:"asleep"})"},
          std::pair{R"({"city/3100 load sm4 v1":"active"})", R"(["city/3100 load sm4 v1"])"}}) {
        CAPTURE(part);
        const auto result = without(part, with);
        CHECK(refusal(result) == "log_malformed");
        if (!result) CHECK(result.error().detail.starts_with("entry 2 "));
    }
    CHECK(refusal(fold_log(log_of({"no JSON"}))) == "log_malformed");
    CHECK(refusal(fold_log(log_of({R"({"n":1})"}))) == "log_malformed");
    CHECK(refusal(fold_log(log_of({delivery("deliver", "AA", "active")}))) == "log_malformed");
    CHECK(refusal(fold_log(log_of({whole, delivery("delivered", "AA", "")}))) == "log_malformed");
    CHECK(refusal(fold_log(log_of({entry("found-city", R"({"city":"31"})")}))) == "log_malformed");
}

TEST_CASE("key names: text and back, and nothing else") {
    keys_test::FoundedCity founded;
    for (const auto& [key, state] : host::keys::held_keys(*founded.city.store)) {
        CHECK(host::keys::parse_key_name(host::keys::text(key)) == key);
    }
    for (const char* wrong :
         {"", " ", "city/3100", "city/3100 load sm4", "city/3100 load sm4 v0",
          "city/3100 load sm4 1", "city/3100 load sm4 v256", "city/3100 load sm4 v01",
          "city/3100 load sm4 v1 ", "city/3100  load sm4 v1", "city/3100 lode sm4 v1",
          "city/3100 load sm5 v1", " load sm4 v1", "city/3100 load sm4 v1x",
          "city/3100 load sm4 v"}) {
        CAPTURE(wrong);
        CHECK_FALSE(host::keys::parse_key_name(wrong).has_value());
    }
}
