#pragma once
// Where every rotation stands and what comes next. Pure: reads what it is given, changes nothing.
// docs/rotation.md, 1.
#include "host/keys/rotation.hpp"

namespace host::keys {

struct PlanVersion {
    KeyVersion version{1};
    KeyState state = KeyState::active;
    std::optional<ChipCount> carried;  ///< by chips in use; nothing: not asked
    std::vector<std::string> holders;  ///< places in service that have it
    std::vector<std::string> behind;   ///< places that lack it, or its state
};
struct PlanRow {
    Rotation rotation;
    std::vector<KeyUse> uses;  ///< what moves together; the first is rotation.use
    std::vector<PlanVersion> versions;
    std::string next;  ///< a command, or what to wait for; "-": nothing is open
};

/// One row for each key of the city that can be rotated. `fleet` may be missing: nothing is counted
/// then, and the plan says so where it matters.
[[nodiscard]] Result<std::vector<PlanRow>> plan(CityCode city, const HeldKeys& keys,
                                                const CityRegister& known, FleetView* fleet);

}  // namespace host::keys
