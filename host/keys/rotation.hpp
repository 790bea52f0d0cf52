#pragma once
// The road of a city's key from one version to the next. docs/rotation.md, 1. Every step is one
// commit with its log line, and repeating a step that was interrupted ends it.
#include "host/keys/city_register.hpp"
#include "host/keys/fleet_view.hpp"
#include "host/keys/founding.hpp"

namespace host::keys {

/// Which key of the city: `rotate ... --use U --suite S`.
struct Rotation {
    KeyUse use = KeyUse::load;
    KeyAlgorithm algorithm = KeyAlgorithm::sm4;
};
/// What moves with it: a debit's record names one version for the purchase key and for the key of
/// its TAC, so these two move together. `key_not_rotatable`, with what to do instead.
[[nodiscard]] Result<std::vector<KeyUse>> rotation_set(KeyUse use);
/// Derived from a root of the nation, which SAMs hold.
[[nodiscard]] bool is_national(KeyUse use);

/// Whom and what a step may ask.
struct RotationTerms {
    Nation* nation = nullptr;               ///< for keys that derive from its roots
    FleetView* fleet = nullptr;             ///< which chips carry what
    bool no_chips = false;                  ///< declared: this city has issued none. Logged.
    std::vector<CityCode> confirmed;        ///< other cities that said they are ready. Logged.
    std::optional<StateWitness> witness{};  ///< where `fleet` has it from. Logged.
};

/// Makes the next version, planned. For national uses the nation's root is made first, unless the
/// nation has a newer one already (another city began). Answers the version.
/// Refusals in this order: key_not_rotatable, rotation_open, nation_missing, mark_mismatch,
/// versions_used_up, store_failed.
[[nodiscard]] Result<KeyVersion> prepare(City& city, const Rotation& rotation, Nation* nation,
                                         crypto::Random& random, const platform::Clock& clock);

/// planned -> active, active -> verify_only; of the nation's root, older ones -> verify_only.
/// Refusals in this order: key_not_rotatable, nothing_planned, not_delivered (by name),
/// nation_missing, cities_unconfirmed, fleet_unknown, sams_lack_it, store_failed.
[[nodiscard]] Result<KeyVersion> activate(City& city, const Rotation& rotation,
                                          const RotationTerms& terms, const platform::Clock& clock);

/// verify_only -> retired (or planned -> retired: given up). With a nation, its root too.
/// Refusals in this order: key_not_rotatable, key_unknown, step_out_of_order, fleet_unknown,
/// still_needed, mark_mismatch, cities_unconfirmed, store_failed.
[[nodiscard]] Result<void> retire(City& city, const Rotation& rotation, KeyVersion version,
                                  const RotationTerms& terms, const platform::Clock& clock);

/// retired -> destroyed: the secret is wiped, the line stays. With a nation, its root too.
/// Refusals in this order: key_not_rotatable, key_unknown, step_out_of_order, mark_mismatch,
/// cities_unconfirmed, store_failed.
[[nodiscard]] Result<void> destroy(City& city, const Rotation& rotation, KeyVersion version,
                                   const RotationTerms& terms, const platform::Clock& clock);

/// A place in service that must know of `key`, which has `state` in the city's store, and does not,
/// or not its state.
[[nodiscard]] bool is_behind(const Place& place, const KeyName& key, KeyState state);

}  // namespace host::keys
