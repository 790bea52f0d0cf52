#pragma once
// Which chips carry which keys: questions that change nothing. docs/issuing.md, 4. Rotation asks
// whether anybody still needs a key version, a compromise drill who ever held it.
#include <functional>

#include "host/keys/issue_store.hpp"

namespace host::keys {

enum class Holding : std::uint8_t {
    in_use,  ///< bound, issued, activated, or lost and not replaced: it may need the key
    ever,    ///< and blocked, retired, replaced, released: it holds the key
};
struct KeyHolders {
    std::int64_t cards = 0;
    std::int64_t sams = 0;
    std::int64_t scrap = 0;  ///< released chips of either kind; only with Holding::ever
    [[nodiscard]] std::int64_t all() const { return cards + sams + scrap; }
    friend bool operator==(const KeyHolders&, const KeyHolders&) = default;
};
struct FleetChip {
    ChipKind kind = ChipKind::card;
    std::array<std::uint8_t, 10> number{};
    std::optional<ChipSerial> chip;  ///< nothing: ordered only
    ChipState state = ChipState::ordered;
    bool scrap = false;         ///< a released chip: number and state are those of its line
    bool replaced = false;      ///< its holder has another one, or it is ordered
    bool chip_blocked = false;  ///< a desk has blocked the chip itself
};
struct InventoryFilter {
    std::optional<ChipKind> kind;
    std::optional<ChipState> state;
    std::optional<protocol::KeyVersion> version;  ///< of any key
};

/// `store` outlives it. Rows are streamed: a million chips need no memory. What is committed while
/// a call runs is not seen by it.
class Fleet {
public:
    explicit Fleet(IssueStore& store) : database_{store.database_} {}

    /// Without `national`, the nation's roots in SAMs and keys derived from city masters alike.
    [[nodiscard]] Result<KeyHolders> count_by_key(KeyUse use, Suite suite,
                                                  protocol::KeyVersion version,
                                                  Holding holding = Holding::in_use,
                                                  std::optional<bool> national = {});
    /// All that may need their keys.
    [[nodiscard]] Result<KeyHolders> count_in_use();
    /// The same chips, in no particular order. `each` may not change the store.
    [[nodiscard]] Result<void> each_with_key(KeyUse use, Suite suite, protocol::KeyVersion version,
                                             const std::function<void(const FleetChip&)>& each,
                                             Holding holding = Holding::in_use,
                                             std::optional<bool> national = {});
    /// Lines in the order in which they were ordered, with the keys in their chips.
    [[nodiscard]] Result<void> each(
        const InventoryFilter& filter,
        const std::function<void(const FleetChip&, std::span<const KeyStamp>)>& each);
    /// What SQLite does for count_by_key and each_with_key, one step a line: they use an index.
    [[nodiscard]] Result<std::string> query_plan(Holding holding);

private:
    platform::sqlite::Database& database_;
};

}  // namespace host::keys
