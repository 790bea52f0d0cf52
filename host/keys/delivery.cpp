#include "host/keys/delivery.hpp"

#include <boost/json.hpp>

#include "host/keys/deployment.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

constexpr std::size_t deployment_size_max = 64 * 1024;

/// A key that the place should hold, and where its secret is.
struct Wish {
    const KeyStore* from;
    KeyName key;
    KeyState state;
};

Result<void> check_directory(const std::filesystem::path& directory, const City& city) {
    const auto file = directory / deployment_file;
    auto content = platform::read_text_file(file, deployment_size_max);
    if (!content) return refuse(RefusalKind::file_failed, content.error().detail);
    ONECARD_TRY(deployment, parse_deployment(*content, file.string()));
    if (deployment.city != city.identity.city) {
        return refuse(RefusalKind::city_mismatch,
                      directory.string() + " is of city " + city_digits(deployment.city));
    }
    if (deployment.mark != city.identity.mark) {
        return refuse(RefusalKind::mark_mismatch, directory.string() + " is " +
                                                      word(deployment.mark) + ", the city is " +
                                                      word(city.identity.mark));
    }
    return {};
}

/// The place as the city's log knows it: by its store's own id, which its file authenticates.
Result<Place> place_of(const KeyStore& store, const CityRegister& known,
                       const std::filesystem::path& directory) {
    const Place* place = known.find(platform::to_hex(store.identity().id));
    const auto refused = [&](const char* why) {
        return refuse(RefusalKind::not_deployed_here, directory.string() + ": " + why);
    };
    if (place == nullptr) return refused("this city did not deploy it");
    if (place->revoked) return refused("its certificate is revoked: it gets no more keys");
    if (place->replaced) return refused("this unit was deployed again, with another store");
    return *place;
}

std::vector<Wish> wishes_of(const Place& place, const City& city, const Nation* nation) {
    std::vector<Wish> wishes;
    for (const auto& [key, state] : held_keys(*city.store)) {
        if (!suite_of(key) || !holds_master(place.role, key.use)) continue;
        wishes.push_back({city.store.get(), key, state_at(place.role, key.use, state)});
    }
    if (nation == nullptr || !place.makes_sams()) return wishes;
    for (const auto& [key, state] : held_keys(*nation->store)) {
        if (suite_of(key)) wishes.push_back({nation->store.get(), key, state});
    }
    return wishes;
}

Result<void> check_same_secret(const Wish& wish, const KeyStore& store) {
    const auto here = store.find(wish.key);
    const auto there = wish.from->find(wish.key);
    if (!here || !there) return store_refusal(text(wish.key), crypto::keys::KeyError::key_unknown);
    const auto mine = store.check_value(*here);
    const auto theirs = wish.from->check_value(*there);
    if (!mine || !theirs || *mine == *theirs) return {};  // a destroyed key has none
    return refuse(RefusalKind::key_mismatch,
                  text(wish.key) + " is another key there: the check values differ");
}

Result<std::vector<DeliveredKey>> changes_of(std::span<const Wish> wishes, const KeyStore& store) {
    const HeldKeys held = held_keys(store);
    std::vector<DeliveredKey> changes;
    for (const Wish& wish : wishes) {
        const auto found = held.find(wish.key);
        if (found == held.end()) {
            if (in_window(wish.state)) changes.push_back({wish.key, wish.state, true});
            continue;
        }
        ONECARD_CHECK(check_same_secret(wish, store));
        if (found->second < wish.state) changes.push_back({wish.key, wish.state, false});
    }
    return changes;
}

/// What a city is the only source of: a place with more has it from a newer copy of the store.
Result<void> check_city_knows(const KeyStore& store, const City& city) {
    for (const auto& [key, state] : held_keys(store)) {
        if (key.label != crypto::keys::city_label(city.identity.city)) continue;
        if (city.store->find(key)) continue;
        return refuse(RefusalKind::city_outdated,
                      text(key) +
                          " is there and not in the city's store, which is an old copy: "
                          "work with the newest one");
    }
    return {};
}

/// What the city's log keeps of a delivery, and the nation's of its roots: docs/rotation.md, 3.
std::string detail_of(const Place& place, const HeldKeys& held, bool roots_only = false) {
    json::object keys;
    for (const auto& [key, state] : held) {
        if (!roots_only || key.label == "national") keys[text(key)] = name(state);
    }
    return json::serialize(json::object{{"role", platform::name(place.role)},
                                        {"organisation", place.organisation},
                                        {"unit", place.unit},
                                        {"store", place.store},
                                        {"keys", std::move(keys)}});
}

/// The nation's log, if it knows the place, hears which of its roots are about to be there.
Result<void> tell_nation(Nation& nation, const Place& place, const HeldKeys& announced,
                         const platform::Clock& clock) {
    ONECARD_TRY(known, fold_log(nation.store->log()));
    const Place* ours = known.find(place.store);
    const std::string detail = detail_of(place, announced, true);
    if (ours == nullptr || detail == detail_of(place, ours->keys, true)) return {};
    return record(*nation.store, command(clock, "delivered", detail));
}

Result<void> change_place(KeyStore& store, std::span<const DeliveredKey> changes,
                          std::span<const Wish> wishes, crypto::keys::Command command) {
    ONECARD_TRY(change, StoreChange::begin(store, std::move(command)));
    for (const DeliveredKey& delivered : changes) {
        if (delivered.added) {
            const auto wish = std::ranges::find(wishes, delivered.key, &Wish::key);
            ONECARD_CHECK(copy_key(*wish->from, store, delivered.key, delivered.state));
            continue;
        }
        const auto id = store.find(delivered.key);
        const auto moved = id ? store.set_state(*id, delivered.state) : std::unexpected{id.error()};
        if (!moved) return store_refusal(text(delivered.key), moved.error());
    }
    return change.commit();
}

}  // namespace

Result<Delivery> deliver(const DeliveryOrder& order, City& city, crypto::Random& random,
                         const platform::Clock& clock) {
    ONECARD_CHECK(check_directory(order.directory, city));
    ONECARD_TRY(store, open_store(order.directory / store_file, order.passphrase, random));
    if (mark_of(*store) != city.identity.mark) {
        return refuse(RefusalKind::mark_mismatch, "the stores of city and place differ");
    }
    if (order.nation != nullptr) ONECARD_CHECK(check_nation_of(city, *order.nation));
    ONECARD_TRY(known, fold_log(city.store->log()));
    ONECARD_TRY(place, place_of(*store, known, order.directory));
    ONECARD_CHECK(check_city_knows(*store, city));
    const auto wishes = wishes_of(place, city, order.nation);
    ONECARD_TRY(changes, changes_of(wishes, *store));
    if (!changes.empty()) {
        HeldKeys announced = held_keys(*store);
        for (const DeliveredKey& each : changes) announced[each.key] = each.state;
        if (order.nation != nullptr && place.makes_sams()) {
            ONECARD_CHECK(tell_nation(*order.nation, place, announced, clock));
        }
        ONECARD_CHECK(record(*city.store, command(clock, "deliver", detail_of(place, announced))));
        const std::string from =
            json::serialize(json::object{{"city", city_digits(city.identity.city)}});
        ONECARD_CHECK(change_place(*store, changes, wishes, command(clock, "deliver", from)));
    }
    const HeldKeys held = held_keys(*store);
    if (!changes.empty() || held != place.keys || !place.announced.empty()) {
        ONECARD_CHECK(record(*city.store, command(clock, "delivered", detail_of(place, held))));
    }
    return Delivery{place.text(), std::move(changes)};
}

}  // namespace host::keys
