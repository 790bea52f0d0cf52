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

/// What a firmware knows: the version that it reads, and how to get there: one step for each older
/// version that cards in the field may still have.
struct ContentKnown {
    std::uint16_t version = content_version_known;
    std::span<const Migration> steps{};
};

/// Brings the content to the known version, after mount and before the first command; `change` is
/// for its use, and empty before and after. conditions_not_satisfied: the content is newer, or a
/// step is missing; nothing is changed then. Other errors: as Store::commit and the steps return.
[[nodiscard]] Outcome<void> migrate(Store& store, Transaction& change, const ContentKnown& known);

}  // namespace firmware
