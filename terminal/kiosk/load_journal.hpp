#pragma once
// The kiosk's durable memory: one row a load, written before each step that cannot be taken back.
// docs/kiosk.md.
#include <optional>
#include <vector>

#include "platform/sqlite.hpp"
#include "protocol/load.hpp"

namespace terminal {

/// The numbers are in the file: never change one, only add.
enum class LoadState : std::uint8_t {
    requested = 1,  ///< the host may know of it
    approved = 2,   ///< MAC2 is here; CREDIT has not left
    crediting = 3,  ///< CREDIT may have left: only the card can tell
    credited = 4,   ///< the TAC is here: to be confirmed
    reversing = 5,  ///< to be reversed, for `reason`
    done = 6,       ///< confirmed, reversed or refused, as `outcome` says
    dispute = 7,    ///< card and host disagree: for people
};
[[nodiscard]] const char* name(LoadState state);

struct LoadRow {
    LoadState state = LoadState::requested;
    protocol::LoadRequest request;
    std::optional<protocol::LoadAnswer> approval;
    std::optional<protocol::Mac> tac;
    std::optional<protocol::ReversalReason> reason;
    std::optional<protocol::LoadOutcome> outcome;  ///< the host's last word
};

/// For one thread at a time. A load's row is never deleted: its number must not come again.
class LoadJournal {
public:
    template <class T>
    using Stored = platform::sqlite::Result<T>;

    [[nodiscard]] static Stored<LoadJournal> open(
        const std::filesystem::path& path, const protocol::DeviceId& device,
        const platform::sqlite::Options& options = default_options());
    [[nodiscard]] static platform::sqlite::Options default_options();

    /// Gives the load its number (request.key is filled in) and writes it as `requested`.
    [[nodiscard]] Stored<LoadRow> begin(protocol::LoadRequest request);
    /// Writes everything of the row but its request.
    [[nodiscard]] Stored<void> update(const LoadRow& row);
    /// Rows that are neither done nor in dispute, oldest first.
    [[nodiscard]] Stored<std::vector<LoadRow>> open_rows();
    /// Whether this card has a confirmed load here.
    [[nodiscard]] Stored<bool> was_loaded(const protocol::CardNumber& card);

private:
    LoadJournal(platform::sqlite::Database database, const protocol::DeviceId& device)
        : database_{std::move(database)}, device_{device} {}
    platform::sqlite::Database database_;
    protocol::DeviceId device_;
};

}  // namespace terminal
