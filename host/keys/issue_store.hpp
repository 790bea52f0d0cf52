#pragma once
// Which line belongs to which chip, durably: no chip twice, no line twice. docs/keys.md, 5, I1-I4.
// SQLite, synchronous=FULL, one writer.
#include <functional>
#include <limits>
#include <optional>

#include "host/keys/issuing.hpp"
#include "host/keys/stores.hpp"
#include "platform/sqlite.hpp"

namespace host::keys {

enum class LineState : std::uint8_t {
    open = 1,    ///< no chip yet
    bound = 2,   ///< to the chip that proved its transport key; its commands may have been sent
    issued = 3,  ///< done; the line never changes again
};
[[nodiscard]] const char* name(LineState state);

struct IssueLine {
    std::int64_t id = 0;
    IssueOrder order;
    LineState state = LineState::open;
    std::optional<ChipSerial> chip;
};
/// A desk's own name for one chip on its table.
struct DeskReference {
    std::string desk;       ///< from its certificate
    std::string reference;  ///< from its request
};
struct IssueCounts {
    std::int64_t open = 0;
    std::int64_t bound = 0;
    std::int64_t issued = 0;
};

class IssueStore {
public:
    /// Makes the file when missing. Its mark must be the key store's: `mark_mismatch`.
    [[nodiscard]] static Result<IssueStore> open(const std::filesystem::path& file, Mark mark,
                                                 CityCode city);

    /// All or nothing. A number that is there with the same content is skipped; with other content
    /// the import is refused. Answers how many lines are new.
    [[nodiscard]] Result<std::int64_t> import(const std::vector<IssueOrder>& orders);

    /// The line that this reference stands for; else the next open one, given to it.
    [[nodiscard]] IssuingResult<IssueLine> claim(const DeskReference& who, ChipKind kind);
    /// I1: before any secret command leaves. The same chip again is right. `entry` is what the
    /// registry will say when this chip is issued.
    [[nodiscard]] IssuingResult<void> bind(const IssueLine& line, const ChipSerial& chip,
                                           const std::string& entry);
    /// I4: the line and its registry entry in one commit. The same again is right.
    [[nodiscard]] IssuingResult<void> finish(const IssueLine& line);
    /// I3: a person gives up the bound chip. It must not be used any more.
    [[nodiscard]] Result<void> release(ChipKind kind, const std::array<std::uint8_t, 10>& number);

    [[nodiscard]] Result<IssueCounts> counts();
    /// Calls `each` with at most `count_max` registry lines after number `after`, in order; answers
    /// the last number.
    [[nodiscard]] Result<std::int64_t> registry(
        std::int64_t after, const std::function<void(const std::string&)>& each,
        std::int64_t count_max = std::numeric_limits<std::int64_t>::max());
    /// The last registry line that the city's host has confirmed; 0: none.
    [[nodiscard]] Result<std::int64_t> told();
    [[nodiscard]] Result<void> set_told(std::int64_t number);

private:
    explicit IssueStore(platform::sqlite::Database database) : database_{std::move(database)} {}
    [[nodiscard]] Result<void> check_owner(Mark mark, CityCode city);
    [[nodiscard]] IssuingResult<std::optional<IssueLine>> find_claimed(const DeskReference& who);
    [[nodiscard]] IssuingResult<IssueLine> claim_next(const DeskReference& who, ChipKind kind);
    platform::sqlite::Database database_;
};

/// A registry line: what onecard-host imports. `keys` are the purchase keys put into the chip.
[[nodiscard]] std::string registry_line(Mark mark, const IssuerPlace& place,
                                        const IssueOrder& order, const ChipSerial& chip,
                                        std::span<const KeyStamp> keys);

}  // namespace host::keys
