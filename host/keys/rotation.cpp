#include "host/keys/rotation.hpp"

#include <boost/json.hpp>

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::city_key;
using crypto::keys::city_label;
using crypto::keys::national_key;

constexpr std::uint8_t version_last = 0xFE;  // FF: a chip without a transport key

struct Rotatable {
    KeyUse use;
    KeyUse with;  ///< the same: nothing
};
constexpr std::array rotatable{
    Rotatable{KeyUse::purchase, KeyUse::transaction_certificate},
    Rotatable{KeyUse::load, KeyUse::load},
    Rotatable{KeyUse::unload, KeyUse::unload},
    Rotatable{KeyUse::overdraft, KeyUse::overdraft},
    Rotatable{KeyUse::application_lock, KeyUse::application_lock},
    Rotatable{KeyUse::application_unlock, KeyUse::application_unlock},
    Rotatable{KeyUse::application_maintenance, KeyUse::application_maintenance},
    Rotatable{KeyUse::card_maintenance, KeyUse::card_maintenance},
    Rotatable{KeyUse::pin_unblock, KeyUse::pin_unblock},
    Rotatable{KeyUse::pin_reload, KeyUse::pin_reload},
    Rotatable{KeyUse::external_authentication, KeyUse::external_authentication},
    Rotatable{KeyUse::internal_authentication, KeyUse::internal_authentication},
    Rotatable{KeyUse::card_transport, KeyUse::card_transport},
    Rotatable{KeyUse::sam_transport, KeyUse::sam_transport},
    Rotatable{KeyUse::application_cryptogram, KeyUse::application_cryptogram},
    Rotatable{KeyUse::script_integrity, KeyUse::script_integrity},
    Rotatable{KeyUse::script_confidentiality, KeyUse::script_confidentiality},
    Rotatable{KeyUse::secure_channel, KeyUse::secure_channel},
};

const char* instead(KeyUse use) {
    switch (use) {
        case KeyUse::transaction_certificate: return "it moves with purchase: --use purchase";
        case KeyUse::list_signature:
        case KeyUse::day_signature:
            return "terminals and other cities know one public key of it, from their files: a new "
                   "one would be refused by all of them (docs/rotation.md, 4)";
        case KeyUse::tls_identity: return "renew the certificate, with a new key";
        case KeyUse::batch_signature: return "deploy the terminal again";
        default: return "it is no master of a city";
    }
}

/// The versions of one key in a store, oldest first.
std::map<KeyVersion, KeyState> versions_of(const KeyStore& store, const KeyName& key) {
    std::map<KeyVersion, KeyState> out;
    for (const auto& [name, state] : held_keys(store)) {
        if (name.label == key.label && name.use == key.use && name.algorithm == key.algorithm) {
            out.emplace(name.version, state);
        }
    }
    return out;
}
std::optional<KeyVersion> planned_version(const std::map<KeyVersion, KeyState>& versions) {
    for (const auto& [version, state] : versions) {
        if (state == KeyState::planned) return version;
    }
    return std::nullopt;
}
std::string version_text(KeyVersion version) {
    return "v" + std::to_string(version.value());
}

/// {"use", "suite", "version"} and what `more` says.
std::string detail_of(const Rotation& rotation, KeyVersion version, json::object more = {}) {
    json::object object{{"use", name(rotation.use)},
                        {"suite", name(rotation.algorithm)},
                        {"version", version.value()}};
    for (auto& [member, value] : more) object[member] = std::move(value);
    return json::serialize(object);
}
json::object said(const RotationTerms& terms) {
    json::object out;
    if (terms.no_chips) out["no_chips"] = true;
    if (terms.witness) {
        out["state"] = {{"owner", terms.witness->owner},
                        {"head", terms.witness->head},
                        {"entries", terms.witness->entries},
                        {"cards", terms.witness->in_use.cards},
                        {"sams", terms.witness->in_use.sams}};
    }
    if (terms.confirmed.empty()) return out;
    json::array cities;
    for (const CityCode city : terms.confirmed) cities.emplace_back(city_digits(city));
    out["confirmed"] = std::move(cities);
    return out;
}

/// One key's next state.
struct Move {
    KeyName key;
    KeyState to;
};
/// In one commit; nothing to move is no commit.
Result<void> move_all(KeyStore& store, std::span<const Move> moves, crypto::keys::Command command) {
    if (moves.empty()) return {};
    ONECARD_TRY(change, StoreChange::begin(store, std::move(command)));
    for (const Move& move : moves) {
        const auto id = store.find(move.key);
        const auto moved = id ? store.set_state(*id, move.to) : std::unexpected{id.error()};
        if (!moved) return store_refusal(text(move.key), moved.error());
    }
    return change.commit();
}

Result<void> check_nation(const City& city, const Nation* nation, KeyUse use) {
    if (nation == nullptr) {
        return refuse(RefusalKind::nation_missing,
                      std::string{name(use)} + " derives from the nation's root: --nation-dir");
    }
    return check_nation_of(city, *nation);
}

/// Every city that the nation founded, but for this one, is among the confirmed.
Result<void> check_cities(const City& city, const RotationTerms& terms) {
    ONECARD_TRY(known, fold_log(terms.nation->store->log()));
    std::string missing;
    for (const KnownCity& other : known.cities) {
        if (other.city == city.identity.city) continue;
        if (std::ranges::count(terms.confirmed, other.city) == 0) {
            missing += " " + city_digits(other.city);
        }
    }
    if (missing.empty()) return {};
    return refuse(RefusalKind::cities_unconfirmed,
                  "other cities' SAMs and cards carry the root too: ask them to run `rotate plan`, "
                  "then name each with --confirmed:" +
                      missing);
}

Result<void> check_fleet(const RotationTerms& terms) {
    if (terms.fleet != nullptr || terms.no_chips) return {};
    return refuse(RefusalKind::fleet_unknown,
                  "which chips carry it is not known: --state FILE of the issuing service, or "
                  "--no-chips when this city has issued none");
}

// ---- prepare

/// Of the nation's roots, the one that comes after the city's newest; made when there is none.
Result<KeyVersion> next_national(Nation& nation, const Rotation& rotation, KeyVersion newest,
                                 crypto::Random& random, const platform::Clock& clock) {
    const auto versions =
        versions_of(*nation.store, national_key(rotation.use, rotation.algorithm));
    for (const auto& [version, state] : versions) {
        const bool usable = state == KeyState::active || state == KeyState::verify_only;
        if (version > newest && usable) return version;
    }
    const auto last = versions.empty() ? newest : std::max(newest, versions.rbegin()->first);
    if (last.value() >= version_last) return refuse(RefusalKind::versions_used_up, "254 versions");
    const KeyVersion next{static_cast<std::uint8_t>(last.value() + 1)};
    ONECARD_TRY(change, StoreChange::begin(*nation.store, command(clock, "rotate-prepare",
                                                                  detail_of(rotation, next))));
    // Active at once: a root makes nothing by itself, and SAMs must have it long before a card
    // does.
    ONECARD_CHECK(generate_key(*nation.store, national_key(rotation.use, rotation.algorithm, next),
                               crypto::purse::key_size, random));
    ONECARD_CHECK(change.commit());
    return next;
}

Result<KeyVersion> next_version(City& city, const Rotation& rotation, Nation* nation,
                                crypto::Random& random, const platform::Clock& clock) {
    const KeyName any = city_key(city.identity.city, rotation.use, rotation.algorithm);
    if (std::ranges::count(algorithms_of(rotation.use), rotation.algorithm) == 0) {
        return refuse(RefusalKind::key_not_rotatable, std::string{name(rotation.use)} + ": no " +
                                                          name(rotation.algorithm) +
                                                          " key has this use");
    }
    const auto versions = versions_of(*city.store, any);
    if (const auto planned = planned_version(versions)) {
        return refuse(
            RefusalKind::rotation_open,
            version_text(*planned) + " is planned already: deliver and activate it, or retire it");
    }
    const KeyVersion newest = versions.empty() ? KeyVersion{0} : versions.rbegin()->first;
    if (is_national(rotation.use)) {
        ONECARD_CHECK(check_nation(city, nation, rotation.use));
        return next_national(*nation, rotation, newest, random, clock);
    }
    if (newest.value() >= version_last) {
        return refuse(RefusalKind::versions_used_up, "254 versions");
    }
    return KeyVersion{static_cast<std::uint8_t>(newest.value() + 1)};
}

// ---- activate

/// Every place in service that does not have what it must have.
std::string places_behind(const City& city, const CityRegister& known, const Rotation& rotation,
                          std::span<const KeyUse> uses, KeyVersion version) {
    std::string names;
    for (const Place& place : known.places) {
        bool behind = false;
        for (const KeyUse use : uses) {
            behind |=
                is_behind(place, city_key(city.identity.city, use, rotation.algorithm, version),
                          KeyState::planned);
        }
        if (is_national(rotation.use) && place.in_service() && place.makes_sams()) {
            behind |= !place.keys.contains(national_key(rotation.use, rotation.algorithm, version));
        }
        if (behind) names += (names.empty() ? "" : ", ") + place.text();
    }
    return names;
}

Result<void> check_sams(const Rotation& rotation, KeyVersion version, FleetView* fleet) {
    if (fleet == nullptr) return {};  // no_chips
    ONECARD_TRY(all, fleet->in_use());
    ONECARD_TRY(have, carrying(*fleet, national_key(rotation.use, rotation.algorithm, version)));
    const std::int64_t lacking = all.sams - have.sams;
    if (lacking <= 0) return {};
    return refuse(RefusalKind::sams_lack_it,
                  std::to_string(lacking) + " of " + std::to_string(all.sams) +
                      " SAMs in use were made before " + version_text(version) +
                      " and would refuse its cards: replace them first");
}

/// Older roots make no new city and no new card; SAMs still get them.
Result<void> close_older_roots(Nation& nation, const Rotation& rotation, KeyVersion version,
                               const std::string& detail, const platform::Clock& clock) {
    std::vector<Move> moves;
    for (const auto& [older, state] :
         versions_of(*nation.store, national_key(rotation.use, rotation.algorithm))) {
        if (older < version && state == KeyState::active) {
            moves.push_back(
                {national_key(rotation.use, rotation.algorithm, older), KeyState::verify_only});
        }
    }
    return move_all(*nation.store, moves, command(clock, "rotate-activate", detail));
}

std::vector<Move> activation(const City& city, const Rotation& rotation,
                             std::span<const KeyUse> uses, KeyVersion version) {
    std::vector<Move> moves;
    for (const KeyUse use : uses) {
        const KeyName any = city_key(city.identity.city, use, rotation.algorithm);
        for (const auto& [each, state] : versions_of(*city.store, any)) {
            KeyName key = any;
            key.version = each;
            if (each == version) moves.push_back({key, KeyState::active});
            if (each < version && state == KeyState::active) {
                moves.push_back({key, KeyState::verify_only});
            }
        }
    }
    return moves;
}

// ---- retire and destroy

/// What is left to move to `to` in one store: keys of this version that are in one of `from`.
/// `key_unknown` and `step_out_of_order` speak of the city's.
Result<std::vector<Move>> moves_of(const City& city, const Rotation& rotation,
                                   std::span<const KeyUse> uses, KeyVersion version, KeyState to) {
    std::vector<Move> moves;
    for (const KeyUse use : uses) {
        const KeyName key = city_key(city.identity.city, use, rotation.algorithm, version);
        const auto id = city.store->find(key);
        if (!id) return refuse(RefusalKind::key_unknown, text(key) + ": there is no such key");
        const auto described = city.store->describe(*id);
        if (!described) return store_refusal(text(key), described.error());
        const KeyState state = described->state;
        if (state == to) continue;  // an interrupted run has done it
        const bool ready = to == KeyState::destroyed ? state == KeyState::retired
                                                     : state != KeyState::active && state < to;
        if (!ready) {
            return refuse(RefusalKind::step_out_of_order,
                          text(key) + " is " + name(state) +
                              (to == KeyState::destroyed
                                   ? ": retire it first"
                                   : ": activate the next version first, or it is gone already"));
        }
        moves.push_back({key, to});
    }
    return moves;
}
std::vector<Move> national_moves(const Nation* nation, const Rotation& rotation, KeyVersion version,
                                 KeyState to) {
    if (nation == nullptr || !is_national(rotation.use)) return {};
    const KeyName key = national_key(rotation.use, rotation.algorithm, version);
    const auto versions = versions_of(*nation->store, key);
    const auto found = versions.find(version);
    if (found == versions.end() || found->second >= to) return {};
    return {{key, to}};
}

Result<void> check_carriers(CityCode city, const Rotation& rotation, std::span<const KeyUse> uses,
                            KeyVersion version, FleetView* fleet) {
    if (fleet == nullptr) return {};  // no_chips
    for (const KeyUse use : uses) {
        // A SAM with the nation's root does not need the city's master, one with its own key does.
        ONECARD_TRY(count, carrying(*fleet, city_key(city, use, rotation.algorithm, version)));
        if (count.all() == 0) continue;
        return refuse(RefusalKind::still_needed,
                      std::to_string(count.cards) + " cards and " + std::to_string(count.sams) +
                          " SAMs in use carry " + name(use) + " " + name(rotation.algorithm) + " " +
                          version_text(version) + ": replace them, or wait");
    }
    return {};
}

/// The last two steps of the road differ in where they begin and whom they ask.
struct End {
    KeyState to;
    const char* command;
    bool asks_fleet;
};
Result<void> end(City& city, const Rotation& rotation, KeyVersion version,
                 const RotationTerms& terms, const End& step, const platform::Clock& clock) {
    ONECARD_TRY(uses, rotation_set(rotation.use));
    ONECARD_TRY(moves, moves_of(city, rotation, uses, version, step.to));
    const auto roots = national_moves(terms.nation, rotation, version, step.to);
    if (moves.empty() && roots.empty()) {
        return refuse(RefusalKind::step_out_of_order,
                      version_text(version) + " is " + name(step.to) + " already");
    }
    if (step.asks_fleet) {
        ONECARD_CHECK(check_fleet(terms));
        ONECARD_CHECK(check_carriers(city.identity.city, rotation, uses, version, terms.fleet));
    }
    if (!roots.empty()) {
        ONECARD_CHECK(check_nation(city, terms.nation, rotation.use));
        ONECARD_CHECK(check_cities(city, terms));
    }
    const std::string detail = detail_of(rotation, version, said(terms));
    ONECARD_CHECK(move_all(*city.store, moves, command(clock, step.command, detail)));
    if (roots.empty()) return {};
    return move_all(*terms.nation->store, roots, command(clock, step.command, detail));
}

}  // namespace

bool is_national(KeyUse use) {
    return std::ranges::count(national_uses, use) != 0;
}

Result<std::vector<KeyUse>> rotation_set(KeyUse use) {
    for (const Rotatable& each : rotatable) {
        if (each.use != use) continue;
        std::vector<KeyUse> uses{use};
        if (each.with != use) uses.push_back(each.with);
        return uses;
    }
    return refuse(RefusalKind::key_not_rotatable, std::string{name(use)} + ": " + instead(use));
}

bool is_behind(const Place& place, const KeyName& key, KeyState state) {
    if (!place.in_service() || !holds_master(place.role, key.use)) return false;
    const auto held = place.keys.find(key);
    if (held == place.keys.end()) return in_window(state);
    return held->second < state_at(place.role, key.use, state);
}

Result<KeyVersion> prepare(City& city, const Rotation& rotation, Nation* nation,
                           crypto::Random& random, const platform::Clock& clock) {
    ONECARD_TRY(uses, rotation_set(rotation.use));
    ONECARD_TRY(version, next_version(city, rotation, nation, random, clock));
    ONECARD_TRY(change, StoreChange::begin(*city.store, command(clock, "rotate-prepare",
                                                                detail_of(rotation, version))));
    for (const KeyUse use : uses) {
        const KeyName key = city_key(city.identity.city, use, rotation.algorithm, version);
        const auto suite = suite_of(key);
        if (is_national(use) && suite) {
            ONECARD_CHECK(add_city_master(*nation->store, *city.store, city.identity,
                                          {use, *suite, version}, KeyState::planned));
            continue;
        }
        ONECARD_CHECK(generate_key(*city.store, key, master_size, random, KeyState::planned));
    }
    ONECARD_CHECK(change.commit());
    return version;
}

Result<KeyVersion> activate(City& city, const Rotation& rotation, const RotationTerms& terms,
                            const platform::Clock& clock) {
    ONECARD_TRY(uses, rotation_set(rotation.use));
    const auto version = planned_version(
        versions_of(*city.store, city_key(city.identity.city, rotation.use, rotation.algorithm)));
    if (!version) {
        return refuse(RefusalKind::nothing_planned,
                      std::string{name(rotation.use)} + " " + name(rotation.algorithm) +
                          ": `rotate prepare` makes the next version");
    }
    ONECARD_TRY(known, fold_log(city.store->log()));
    const std::string behind = places_behind(city, known, rotation, uses, *version);
    if (!behind.empty()) {
        return refuse(RefusalKind::not_delivered,
                      version_text(*version) + " is not there yet, `deliver` brings it: " + behind);
    }
    const std::string detail = detail_of(rotation, *version, said(terms));
    if (is_national(rotation.use)) {
        ONECARD_CHECK(check_nation(city, terms.nation, rotation.use));
        ONECARD_CHECK(check_cities(city, terms));
        ONECARD_CHECK(check_fleet(terms));
        ONECARD_CHECK(check_sams(rotation, *version, terms.fleet));
        ONECARD_CHECK(close_older_roots(*terms.nation, rotation, *version, detail, clock));
    }
    ONECARD_CHECK(move_all(*city.store, activation(city, rotation, uses, *version),
                           command(clock, "rotate-activate", detail)));
    return *version;
}

Result<void> retire(City& city, const Rotation& rotation, KeyVersion version,
                    const RotationTerms& terms, const platform::Clock& clock) {
    return end(city, rotation, version, terms, {KeyState::retired, "rotate-retire", true}, clock);
}

Result<void> destroy(City& city, const Rotation& rotation, KeyVersion version,
                     const RotationTerms& terms, const platform::Clock& clock) {
    return end(city, rotation, version, terms, {KeyState::destroyed, "rotate-destroy", false},
               clock);
}

}  // namespace host::keys
