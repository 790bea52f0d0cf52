#pragma once
// The life of every chip, durably: which line belongs to which chip (no chip twice, no line twice),
// what became of it, who did it, which keys it holds. docs/keys.md, 5, I1-I4; docs/issuing.md.
// SQLite, synchronous=FULL, one writer at a time, any number of programs.
#include <functional>
#include <limits>
#include <optional>

#include "host/keys/chip_life.hpp"
#include "host/keys/issuing.hpp"
#include "host/keys/pin_seal.hpp"
#include "platform/clock.hpp"
#include "platform/sqlite.hpp"

namespace host::keys {

/// Who changes the store.
struct Actor {
    enum class Kind : std::uint8_t { desk, person } kind = Kind::person;
    std::string name;  ///< a desk's from its certificate
    [[nodiscard]] std::string text() const {
        return (kind == Kind::desk ? "desk:" : "person:") + name;
    }
};
/// Called inside each changing transaction, after the change and before the commit, with a JSON
/// object that says what changes (docs/issuing.md, 6; cards' numbers are masked). A refusal rolls
/// the change back. It neither commits nor begins a transaction.
using ChangeHook =
    std::function<Result<void>(platform::sqlite::Database& database, std::string_view change)>;

struct IssueLine {
    std::int64_t id = 0;
    IssueOrder order;
    ChipState state = ChipState::ordered;
    std::optional<ChipSerial> chip;
};
/// A desk's own name for one chip on its table.
struct DeskReference {
    std::string desk;       ///< from its certificate
    std::string reference;  ///< from its request
};
struct IssueCounts {
    std::array<std::array<std::int64_t, chip_state_last + 1>, 2> by_kind{};
    [[nodiscard]] std::int64_t of(ChipKind kind, ChipState state) const {
        return by_kind.at(kind == ChipKind::sam ? 1 : 0).at(static_cast<std::size_t>(state));
    }
    [[nodiscard]] std::int64_t of(ChipState state) const {
        return of(ChipKind::card, state) + of(ChipKind::sam, state);
    }
};
/// activate, lose, find, block or retire of one chip.
struct StepOrder {
    ChipStep step = ChipStep::activate;
    ChipKind kind = ChipKind::card;
    std::array<std::uint8_t, 10> number{};
    std::optional<protocol::HotReason> reason;  ///< lose, block, retire
    std::optional<protocol::DateTime> since;    ///< lose, block
};
struct ChipEvent {
    std::int64_t at_ms = 0;  ///< Unix time
    std::string who;
    ChipStep step = ChipStep::import;
    std::optional<ChipState> from;
    std::optional<ChipState> to;
    std::string detail;  ///< JSON object: reason, since, chip
};

class IssueStore {
public:
    /// Makes the file when missing, readable by its owner only; one that others may read is
    /// refused. Its mark must be the key store's: `mark_mismatch`. An earlier or later program's
    /// file is refused: `wrong_application`, `schema_too_new`. `clock` outlives the store. Without
    /// `seal`, cards with a PIN are refused.
    [[nodiscard]] static Result<IssueStore> open(const std::filesystem::path& file, Mark mark,
                                                 CityCode city, const platform::Clock& clock,
                                                 ChangeHook hook = {},
                                                 std::optional<PinSeal> seal = {});
    /// The same to be read: never makes or changes the file, and every question sees the moment at
    /// which it was opened.
    [[nodiscard]] static Result<IssueStore> open_to_read(const std::filesystem::path& file,
                                                         Mark mark, CityCode city,
                                                         const platform::Clock& clock);

    using Progress = std::function<void(std::size_t done, std::size_t all)>;
    /// All or nothing. A number that is there with the same content is skipped; with other content
    /// the import is refused. A line that replaces a chip makes that one lost (docs/issuing.md, 3).
    /// Answers how many lines are new.
    [[nodiscard]] Result<std::int64_t> import(const std::vector<IssueOrder>& orders,
                                              const Actor& who, const Progress& progress = {});

    /// The line that this reference stands for; else the next open one, given to it.
    [[nodiscard]] IssuingResult<IssueLine> claim(const DeskReference& who, ChipKind kind);
    /// I1: before any secret command leaves. The same chip again is right. `entry` is what the
    /// registry will say when this chip is issued, `keys` what it will hold.
    [[nodiscard]] IssuingResult<void> bind(const IssueLine& line, const ChipSerial& chip,
                                           const std::string& entry, std::span<const KeyStamp> keys,
                                           const std::string& desk);
    /// I4: the line and its registry entry in one commit. The same again is right.
    [[nodiscard]] IssuingResult<void> finish(const IssueLine& line, const std::string& desk);
    /// I3: a person gives up the bound chip. It is scrap from now on.
    [[nodiscard]] Result<void> release(ChipKind kind, const std::array<std::uint8_t, 10>& number,
                                       const Actor& who);
    /// The state after it; the same step again changes nothing. A refusal's detail begins with
    /// LifeRefusal's name.
    [[nodiscard]] Result<ChipState> take_step(const StepOrder& order, const Actor& who);
    /// A desk sent APPLICATION BLOCK to the line's chip, which said yes.
    [[nodiscard]] IssuingResult<void> chip_blocked(const IssueLine& line, const std::string& desk);

    /// The line of this chip, if there is one.
    [[nodiscard]] IssuingResult<std::optional<IssueLine>> find_chip(const ChipSerial& chip);
    /// The keys that were written into the line's chip.
    [[nodiscard]] Result<std::vector<KeyStamp>> keys_of(const IssueLine& line);
    [[nodiscard]] Result<IssueCounts> counts();
    /// Oldest first; the order's import is the first.
    [[nodiscard]] Result<std::vector<ChipEvent>> history(
        ChipKind kind, const std::array<std::uint8_t, 10>& number);

    /// Calls `each` with at most `count_max` registry lines after number `after`, in order; answers
    /// the last number.
    [[nodiscard]] Result<std::int64_t> registry(
        std::int64_t after, const std::function<void(const std::string&)>& each,
        std::int64_t count_max = std::numeric_limits<std::int64_t>::max());
    /// The last registry line that the city's host has confirmed; 0: none.
    [[nodiscard]] Result<std::int64_t> told();
    [[nodiscard]] Result<void> set_told(std::int64_t number);

private:
    friend class Fleet;
    friend class IssueFleet;
    struct Life;  ///< a line's row, as the steps need it
    IssueStore(platform::sqlite::Database database, Mark mark, CityCode city,
               const platform::Clock& clock, ChangeHook hook, std::optional<PinSeal> seal)
        : database_{std::move(database)},
          mark_{mark},
          city_{city},
          clock_{clock},
          hook_{std::move(hook)},
          seal_{std::move(seal)} {}
    [[nodiscard]] Result<void> begin_owner();
    [[nodiscard]] Result<void> check_owner();
    [[nodiscard]] Result<std::vector<std::uint8_t>> sealed_pin(const IssueOrder& order,
                                                               const std::string& content) const;
    [[nodiscard]] IssuingResult<IssueLine> read_line(
        const platform::sqlite::Statement& statement) const;
    [[nodiscard]] IssuingResult<std::optional<IssueLine>> find_claimed(const DeskReference& who);
    [[nodiscard]] IssuingResult<IssueLine> claim_next(const DeskReference& who, ChipKind kind);
    [[nodiscard]] Result<std::int64_t> key_set(std::span<const KeyStamp> keys);

    // Inside a transaction, in this order: the event, everything that it changes, the hook, which
    // reads what stands then. `record`: event and hook, when all else is done.
    [[nodiscard]] Result<void> record(const struct IssueChange& change);
    [[nodiscard]] Result<std::int64_t> write_event(const struct IssueChange& change);
    [[nodiscard]] Result<void> tell_hook(const struct IssueChange& change);

    // Inside a transaction. issue_life.cpp.
    [[nodiscard]] Result<Life> life_of(ChipKind kind, const std::array<std::uint8_t, 10>& number);
    [[nodiscard]] Result<ChipState> step(const StepOrder& order, const Actor& who);
    [[nodiscard]] Result<void> enter(const Life& chip, const StepOrder& order, ChipState to,
                                     std::int64_t event);
    [[nodiscard]] Result<void> cancel(const Life& chip, const Actor& who);
    [[nodiscard]] Result<void> list(const Life& chip, std::int64_t event, bool listed,
                                    const std::optional<protocol::HotReason>& reason,
                                    const std::optional<protocol::DateTime>& since);
    [[nodiscard]] Result<void> replace(ChipKind kind, const std::array<std::uint8_t, 10>& number,
                                       std::int64_t by_line, const Actor& who);

    platform::sqlite::Database database_;
    Mark mark_;
    CityCode city_;
    std::reference_wrapper<const platform::Clock> clock_;
    ChangeHook hook_;
    std::optional<PinSeal> seal_;
};

/// A registry line: what onecard-host imports. Of `keys` it tells the purchase keys.
[[nodiscard]] std::string registry_line(Mark mark, const IssuerPlace& place,
                                        const IssueOrder& order, const ChipSerial& chip,
                                        std::span<const KeyStamp> keys);

}  // namespace host::keys
