#pragma once
// A founded city with a host and an issuer that makes SAMs, and chips that are only counted.
#include <map>

#include "host/keys/delivery.hpp"
#include "host/keys/rotation_plan.hpp"
#include "tests/host/keys/founded_city.hpp"

namespace keys_test {

struct CountedFleet final : host::keys::FleetView {
    host::keys::ChipCount all;
    std::map<host::keys::ChipKey, host::keys::ChipCount> held;
    std::map<host::keys::ChipKey, std::vector<host::keys::Carrier>> carriers;
    int questions = 0;

    host::keys::Result<host::keys::ChipCount> in_use() override {
        ++questions;
        return all;
    }
    host::keys::Result<host::keys::ChipCount> carrying(const host::keys::ChipKey& key) override {
        ++questions;
        return held[key];
    }
    host::keys::Result<host::keys::ChipCount> ever_carried(
        const host::keys::ChipKey& key) override {
        ++questions;
        return host::keys::ChipCount{held[key].cards + 1, held[key].sams};
    }
    host::keys::Result<void> each_ever(
        const host::keys::ChipKey& key,
        const std::function<void(const host::keys::Carrier&)>& each) override {
        ++questions;
        for (const auto& chip : carriers[key]) each(chip);
        return {};
    }
};

struct RotationScene : FoundedCity {
    CountedFleet fleet;

    explicit RotationScene(std::uint64_t seed = 1) : FoundedCity{seed} {
        host::keys::DeploymentOrder host;
        host.role = platform::PeerRole::city_host;
        host.unit = "host-1";
        (void)deploy(host, "host");
        host::keys::DeploymentOrder issuer;
        issuer.role = platform::PeerRole::issuer;
        issuer.unit = "issuer-1";
        issuer.nation = &nation;
        (void)deploy(issuer, "issuer");
    }
    [[nodiscard]] host::keys::DeliveryOrder to(const char* place, bool with_nation = true) {
        return {directory.path / place, bytes_of(words), with_nation ? &nation : nullptr};
    }
    host::keys::Result<host::keys::Delivery> deliver_to(const char* place,
                                                        bool with_nation = true) {
        return host::keys::deliver(to(place, with_nation), city, random, clock);
    }
    [[nodiscard]] std::unique_ptr<host::keys::KeyStore> open(const char* place) {
        return host::keys::open_store(directory.path / place / host::keys::store_file,
                                      bytes_of(words), random)
            .value();
    }
    [[nodiscard]] host::keys::RotationTerms terms() { return {&nation, &fleet, false, {}}; }
    void reopen() {
        const auto custodians = two_people();
        nation = {};
        city = {};
        nation =
            host::keys::open_nation(directory.path / "nation", custodians.people, random).value();
        city = host::keys::open_city(directory.path / "city", custodians.people, random).value();
    }
};

template <class T>
std::string refusal(const host::keys::Result<T>& result) {
    if (result.has_value()) return "accepted";
    CHECK_FALSE(result.error().detail.empty());
    return host::keys::name(result.error().kind);
}
/// "active", or "-" when there is none.
inline std::string state_of(const host::keys::KeyStore& store, const host::keys::KeyName& key) {
    const auto keys = host::keys::held_keys(store);
    const auto found = keys.find(key);
    return found == keys.end() ? "-" : crypto::keys::name(found->second);
}

}  // namespace keys_test
