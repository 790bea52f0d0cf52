#include "terminal/kiosk/load_journal.hpp"

namespace terminal {

using platform::sqlite::Error;
using platform::sqlite::Failure;
using platform::sqlite::Migration;
using protocol::LoadAnswer;
using protocol::LoadOutcome;
using protocol::LoadRequest;

namespace {

constexpr std::uint32_t load_journal_application_id = 0x4F434B31;  // "OCK1"

constexpr std::array migrations{Migration{R"(
CREATE TABLE identity(device BLOB NOT NULL);
CREATE TABLE load(
    sequence INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    card BLOB NOT NULL,
    request BLOB NOT NULL,
    approval BLOB,
    tac BLOB,
    reason INTEGER,
    outcome INTEGER);
CREATE INDEX load_open ON load(sequence) WHERE state < 6;
CREATE INDEX load_card ON load(card);
)"}};

template <class T>
using Stored = LoadJournal::Stored<T>;

std::unexpected<Failure> broken(Error error, const char* text) {
    return std::unexpected{Failure{error, 0, text}};
}

Stored<LoadRow> read_row(const platform::sqlite::Statement& found) {
    const auto request = LoadRequest::parse(found.blob(1));
    if (!request) return broken(Error::corrupt, "load: request");
    LoadRow row;
    row.state = static_cast<LoadState>(found.integer(0));
    row.request = *request;
    if (!found.is_null(2)) {
        const auto approval = LoadAnswer::parse(found.blob(2));
        if (!approval) return broken(Error::corrupt, "load: approval");
        row.approval = *approval;
    }
    if (!found.is_null(3)) row.tac = found.array<4>(3);
    if (!found.is_null(4)) row.reason = static_cast<protocol::ReversalReason>(found.integer(4));
    if (!found.is_null(5)) row.outcome = static_cast<LoadOutcome>(found.integer(5));
    return row;
}

template <class Value>
std::optional<std::int64_t> as_integer(const std::optional<Value>& value) {
    if (!value) return std::nullopt;
    return static_cast<std::int64_t>(*value);
}

}  // namespace

const char* name(LoadState state) {
    switch (state) {
        case LoadState::requested: return "requested";
        case LoadState::approved: return "approved";
        case LoadState::crediting: return "crediting";
        case LoadState::credited: return "credited";
        case LoadState::reversing: return "reversing";
        case LoadState::done: return "done";
        case LoadState::dispute: return "dispute";
    }
    return "unknown";
}

platform::sqlite::Options LoadJournal::default_options() {
    platform::sqlite::Options options;
    options.application_id = load_journal_application_id;
    options.exclusive = true;
    return options;
}

Stored<LoadJournal> LoadJournal::open(const std::filesystem::path& path,
                                      const protocol::DeviceId& device,
                                      const platform::sqlite::Options& options) {
    ONECARD_TRY(database, platform::sqlite::Database::open(path, options));
    ONECARD_CHECK(database.migrate(migrations));
    {
        ONECARD_TRY(find, database.prepare("SELECT device FROM identity"));
        ONECARD_TRY(found, find.first());
        if (found && find.array<8>(0) != device.value()) {
            return broken(Error::wrong_application, "the journal belongs to another device");
        }
        if (!found) {
            ONECARD_TRY(insert, database.prepare("INSERT INTO identity VALUES(?1)"));
            ONECARD_CHECK(insert.run(device.value()));
        }
    }
    return LoadJournal{std::move(database), device};
}

Stored<LoadRow> LoadJournal::begin(LoadRequest request) {
    ONECARD_TRY(transaction, database_.begin());
    std::int64_t highest = 0;
    {
        ONECARD_TRY(find, database_.prepare("SELECT max(sequence) FROM load"));
        ONECARD_TRY(found, find.first());
        if (found) highest = find.integer(0);
    }
    request.key = {device_, protocol::LoadSequence{static_cast<std::uint32_t>(highest + 1)}};
    {
        ONECARD_TRY(insert, database_.prepare("INSERT INTO load(sequence, state, card, request) "
                                              "VALUES(?1, ?2, ?3, ?4)"));
        ONECARD_CHECK(insert.run(request.key.sequence.value(),
                                 static_cast<int>(LoadState::requested), request.card.value(),
                                 request.bytes()));
    }
    ONECARD_CHECK(transaction.commit());
    LoadRow row;
    row.request = request;
    return row;
}

Stored<void> LoadJournal::update(const LoadRow& row) {
    ONECARD_TRY(update, database_.prepare("UPDATE load SET state = ?2, approval = ?3, tac = ?4, "
                                          "reason = ?5, outcome = ?6 WHERE sequence = ?1"));
    std::optional<std::array<std::uint8_t, LoadAnswer::size>> approval;
    if (row.approval) approval = row.approval->bytes();
    return update.run(row.request.key.sequence.value(), static_cast<int>(row.state), approval,
                      row.tac, as_integer(row.reason), as_integer(row.outcome));
}

Stored<std::vector<LoadRow>> LoadJournal::open_rows() {
    std::vector<LoadRow> rows;
    ONECARD_TRY(find, database_.prepare("SELECT state, request, approval, tac, reason, outcome "
                                        "FROM load WHERE state < 6 ORDER BY sequence"));
    ONECARD_TRY(more, find.first());
    while (more) {
        ONECARD_TRY(row, read_row(find));
        rows.push_back(row);
        ONECARD_TRY(next, find.step());
        more = next;
    }
    return rows;
}

Stored<bool> LoadJournal::was_loaded(const protocol::CardNumber& card) {
    // A proof that the host found to be another load's has loaded nothing here.
    ONECARD_TRY(find, database_.prepare("SELECT 1 FROM load WHERE card = ?1 AND tac IS NOT NULL "
                                        "AND (outcome IS NULL OR outcome <> ?2)"));
    return find.first(card.value(), static_cast<std::int64_t>(LoadOutcome::reversed));
}

}  // namespace terminal
