#pragma once
// Changing what the objects mean, on cards in the field: a new firmware finds content of an older
// version and rewrites it, part by part. docs/card_storage.md, section 7.
//
// Each part is one commit that carries its own progress, so power may be lost anywhere: the next
// reset goes on with the part that is missing, and no part is done twice.
#include <cstdint>
#include <span>

#include "firmware/kernel/store.hpp"

namespace firmware {

/// From content version `from` to `from` + 1.
struct Migration {
    std::uint16_t from;
    /// Stages part `part` (0, 1, 2, ...) and says whether it was the last. It must leave room for
    /// one more object of 4 bytes, use ids below 1024 except 0 and 1, and read only from `store`.
    Outcome<bool> (*stage)(const Store& store, Transaction& change, std::uint16_t part);
};

/// Brings the content to `wanted`, after mount and before the first command. `steps` holds one
/// entry for each version that may be met. conditions_not_satisfied: the content is newer than
/// `wanted`, or a step is missing; nothing is changed then. Other errors: as Store::commit and the
/// steps return.
[[nodiscard]] Outcome<void> migrate(Store& store, std::span<const Migration> steps,
                                    std::uint16_t wanted);

}  // namespace firmware
