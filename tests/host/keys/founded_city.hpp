#pragma once
// A rehearsal nation, a city and an issuer's store in a temporary directory, from one seed.
#include <filesystem>
#include <string_view>

#include "crypto/random/seeded_random.hpp"
#include "host/keys/deployment.hpp"

namespace keys_test {

inline crypto::Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "onecard-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
};

constexpr std::string_view words = "a rehearsal's passphrase";
/// Of nation and cities: two people, both are needed.
inline host::keys::Custodians two_people() {
    return {{{"first", bytes_of(words)}, {"second", bytes_of("the second one's passphrase")}}, 2};
}
constexpr protocol::CityCode city_code{0x3100};
constexpr protocol::IssuerId issuer_id{{0x31, 0x04, 0, 0, 0, 0, 0, 0x01}};

/// 2026-01-01 in the afternoon: founding writes certificates, nobody verifies them here.
inline platform::ManualClock test_clock() {
    return platform::ManualClock{
        protocol::DateTime{*protocol::Date::make(2026, 1, 1), *protocol::Time::make(15, 0, 0)}};
}

struct FoundedCity {
    Directory directory;
    crypto::SeededRandom random;
    platform::ManualClock clock = test_clock();
    host::keys::Nation nation;
    host::keys::City city;

    explicit FoundedCity(std::uint64_t seed = 1) : random{seed, "founded city"} {
        using host::keys::Mark;
        const auto at = [this](const char* name) { return directory.path / name; };
        const auto custodians = two_people();
        const auto roots = host::keys::draw_national_roots(random);
        host::keys::found_nation({at("nation"), custodians, Mark::rehearsal}, roots, "{}", random,
                                 clock)
            .value();
        nation = host::keys::open_nation(at("nation"), custodians.people, random).value();
        host::keys::found_city({at("city"), custodians, Mark::rehearsal}, nation, city_code,
                               issuer_id, random, clock)
            .value();
        city = host::keys::open_city(at("city"), custodians.people, random).value();
    }
    /// Deploys and opens what was deployed.
    std::unique_ptr<host::keys::KeyStore> deploy(host::keys::DeploymentOrder order,
                                                 const char* name) {
        order.directory = directory.path / name;
        order.passphrase = bytes_of(words);
        host::keys::deploy(order, city, random, clock).value();
        return host::keys::open_store(order.directory / host::keys::store_file, bytes_of(words),
                                      random)
            .value();
    }
};

}  // namespace keys_test
