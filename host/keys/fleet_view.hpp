#pragma once
// What rotation and compromise ask about chips: which carry a key. The issuing state answers.
#include <functional>

#include "host/keys/issue_order.hpp"
#include "host/keys/key_text.hpp"

namespace host::keys {

/// A key inside a chip. `national`: the nation's root itself, in a SAM; else derived from the
/// city's master.
struct ChipKey {
    KeyUse use = KeyUse::purchase;
    Suite suite = Suite::sm4;
    KeyVersion version{1};
    bool national = false;
    friend auto operator<=>(const ChipKey&, const ChipKey&) = default;
};
struct ChipCount {
    std::int64_t cards = 0;
    std::int64_t sams = 0;
    [[nodiscard]] std::int64_t all() const { return cards + sams; }
    friend bool operator==(const ChipCount&, const ChipCount&) = default;
};
struct Carrier {
    ChipKind kind = ChipKind::card;
    std::array<std::uint8_t, 10> number{};
    std::string state;  ///< in the issuing state's words
};

/// Which issuing state was asked, at which moment: the city's log keeps it.
struct StateWitness {
    std::string owner;  ///< the issuer's store id, 32 hex digits
    std::string head;   ///< of the state's log
    std::uint64_t entries = 0;
    ChipCount in_use;
    friend bool operator==(const StateWitness&, const StateWitness&) = default;
};

/// Each call is one query by index: its time does not grow with the chips that lack the key.
class FleetView {
public:
    virtual ~FleetView() = default;
    /// Chips that may still be met in the field.
    [[nodiscard]] virtual Result<ChipCount> in_use() = 0;
    /// Of those, the ones that carry `key`.
    [[nodiscard]] virtual Result<ChipCount> carrying(const ChipKey& key) = 0;
    /// Blocked, retired and scrap ones too: who holds the chip may hold the key.
    [[nodiscard]] virtual Result<ChipCount> ever_carried(const ChipKey& key) = 0;
    /// The same chips one by one, in no particular order.
    [[nodiscard]] virtual Result<void> each_ever(
        const ChipKey& key, const std::function<void(const Carrier&)>& each) = 0;
};

/// Chips in use that carry what a key of this name makes, or the nation's root itself. No chip
/// carries keys of other algorithms than the purse's two.
[[nodiscard]] inline Result<ChipCount> carrying(FleetView& fleet, const KeyName& key) {
    const auto suite = suite_of(key);
    if (!suite) return ChipCount{};
    return fleet.carrying({key.use, *suite, key.version, key.label == "national"});
}

}  // namespace host::keys
