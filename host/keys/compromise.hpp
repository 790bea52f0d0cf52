#pragma once
// A key is in the wrong hands: what it touches, and what to do, in order. Reads, changes nothing.
// docs/rotation.md, 2.
#include "host/keys/rotation.hpp"

namespace host::keys {

/// Where the question is asked: a city's log and keys; the nation's, when it is open.
struct DrillScene {
    CityCode city;
    HeldKeys city_keys;
    CityRegister city_log;
    std::optional<CityRegister> nation_log;
    FleetView* fleet = nullptr;
};
struct DrillReport {
    KeyName key;
    std::optional<KeyState> state;          ///< nothing: no open store has it
    std::string opens;                      ///< what a thief can do with it, in one sentence
    std::vector<std::string> derived;       ///< keys that were made from it
    std::vector<std::string> places;        ///< deployed stores that hold it or may hold it
    std::vector<std::string> certificates;  ///< under it: serial and unit
    std::vector<ChipKey> chip_keys;         ///< what chips carry of it
    std::optional<ChipCount> in_use;        ///< chips that carry it, in the field
    std::optional<ChipCount> ever;          ///< and all that ever did
    std::vector<std::string> steps;         ///< in order; commands where there is one
};

/// `key_unknown`: neither the city's log nor a store that is open has heard of it.
[[nodiscard]] Result<DrillReport> drill(const KeyName& key, const DrillScene& scene);

/// Every chip that ever carried it, CSV with a header: kind,number,state. No chip twice. Cards'
/// numbers are masked unless `unmasked`.
[[nodiscard]] Result<std::string> list_carriers(const DrillReport& report, FleetView& fleet,
                                                bool unmasked);

}  // namespace host::keys
