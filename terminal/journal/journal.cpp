#include "terminal/journal/journal.hpp"

namespace terminal {

using platform::sqlite::Error;
using platform::sqlite::Failure;
using platform::sqlite::Migration;
using protocol::BatchSequence;
using protocol::ListSequence;
using protocol::RecordKind;

namespace {

constexpr std::uint32_t journal_application_id = 0x4F434A31;  // "OCJ1"

// Entry states. The numbers are in the file: never change one, only add.
constexpr int pending = 1;
constexpr int complete = 2;
constexpr int void_ = 3;

constexpr std::array migrations{Migration{R"(
CREATE TABLE identity(device BLOB NOT NULL, mark INTEGER NOT NULL);
CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    record BLOB NOT NULL CHECK(length(record) = 96),
    made_ms INTEGER NOT NULL,
    batch INTEGER REFERENCES batch(sequence));
CREATE INDEX entry_pending ON entry(id) WHERE state = 1;
CREATE INDEX entry_unbatched ON entry(id) WHERE state = 2 AND batch IS NULL;
CREATE INDEX entry_of_batch ON entry(batch) WHERE batch IS NOT NULL;
CREATE TABLE waiting(
    issuer BLOB NOT NULL, terminal BLOB NOT NULL, sequence INTEGER NOT NULL,
    card BLOB NOT NULL, record BLOB NOT NULL, shared INTEGER NOT NULL,
    PRIMARY KEY(issuer, terminal, sequence)) WITHOUT ROWID;
CREATE INDEX waiting_card ON waiting(card);
CREATE TABLE settled(
    issuer BLOB NOT NULL, terminal BLOB NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY(issuer, terminal, sequence)) WITHOUT ROWID;
CREATE TABLE batch(
    sequence INTEGER PRIMARY KEY,
    records INTEGER NOT NULL,
    digest BLOB NOT NULL,
    file BLOB NOT NULL,
    cut_ms INTEGER NOT NULL,
    receipt TEXT,
    result TEXT,
    result_complete INTEGER NOT NULL DEFAULT 0);
CREATE INDEX batch_open ON batch(sequence) WHERE receipt IS NULL;
CREATE TABLE hot_list(sequence INTEGER PRIMARY KEY, effective BLOB NOT NULL, file BLOB NOT NULL);
)"}};

std::unexpected<Failure> broken(Error error, std::string text) {
    return std::unexpected{Failure{error, 0, std::move(text)}};
}

Stored<BatchRecord> read_record(Bytes blob) {
    const auto record = BatchRecord::parse(blob);
    if (!record) return broken(Error::corrupt, std::string{"entry: "} + name(record.error()));
    return *record;
}

}  // namespace

platform::sqlite::Options Journal::default_options() {
    platform::sqlite::Options options;
    options.application_id = journal_application_id;
    options.exclusive = true;
    return options;
}

Stored<std::unique_ptr<Journal>> Journal::open(const std::filesystem::path& path,
                                               const JournalOwner& owner,
                                               const platform::sqlite::Options& options) {
    ONECARD_TRY(database, platform::sqlite::Database::open(path, options));
    ONECARD_CHECK(database.migrate(migrations));
    std::unique_ptr<Journal> journal{new Journal{std::move(database), owner}};
    ONECARD_CHECK(journal->claim());
    return journal;
}

Stored<void> Journal::claim() {
    ONECARD_TRY(transaction, database_.begin());
    const auto mark = static_cast<std::int64_t>(owner_.mark);
    {
        ONECARD_TRY(find, database_.prepare("SELECT device, mark FROM identity"));
        ONECARD_TRY(found, find.first());
        if (found) {
            if (find.array<8>(0) != owner_.device.value() || find.integer(1) != mark) {
                return broken(Error::wrong_application,
                              "the journal belongs to another device or mark");
            }
            return {};
        }
    }
    ONECARD_TRY(insert, database_.prepare("INSERT INTO identity VALUES(?1, ?2)"));
    ONECARD_CHECK(insert.run(owner_.device.value(), mark));
    return transaction.commit();
}

// ---- taps ----

Stored<void> Journal::insert_complete(const BatchRecord& record, std::int64_t now_ms) {
    ONECARD_TRY(insert,
                database_.prepare("INSERT INTO entry(state, record, made_ms) VALUES(?1, ?2, ?3)"));
    return insert.run(complete, record.bytes(), now_ms);
}

Stored<void> Journal::add_waiting(const BatchRecord& record, bool shared) {
    ONECARD_TRY(insert, database_.prepare("INSERT OR IGNORE INTO waiting VALUES"
                                          "(?1, ?2, ?3, ?4, ?5, ?6)"));
    return insert.run(record.issuer.value(), record.terminal.value(),
                      record.terminal_sequence.value(), record.card.value(), record.bytes(),
                      shared);
}

Stored<void> Journal::settle(const std::vector<Resolution>& resolutions, std::int64_t now_ms) {
    if (resolutions.empty()) return {};
    ONECARD_TRY(remove, database_.prepare("DELETE FROM waiting WHERE issuer = ?1 AND terminal = ?2 "
                                          "AND sequence = ?3"));
    ONECARD_TRY(remember, database_.prepare("INSERT OR REPLACE INTO settled VALUES"
                                            "(?1, ?2, ?3, ?4)"));
    for (const auto& [end, record] : resolutions) {
        ONECARD_CHECK(remove.run(record.issuer.value(), record.terminal.value(),
                                 record.terminal_sequence.value()));
        ONECARD_CHECK(remember.run(record.issuer.value(), record.terminal.value(),
                                   record.terminal_sequence.value(), now_ms));
        if (end != Resolution::End::left_to_host) ONECARD_CHECK(insert_complete(record, now_ms));
    }
    return {};
}

Stored<EntryId> Journal::begin_entry(const Record& record, std::int64_t now_ms) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(transaction, database_.begin());
    ONECARD_CHECK(settle(record.resolutions, now_ms));
    ONECARD_TRY(insert,
                database_.prepare("INSERT INTO entry(state, record, made_ms) VALUES(?1, ?2, ?3)"));
    ONECARD_CHECK(insert.run(pending, record.pending.bytes(), now_ms));
    const EntryId id{database_.last_row_id()};
    ONECARD_CHECK(transaction.commit());
    return id;
}

Stored<void> Journal::end_entry(std::optional<EntryId> entry, const Finished& result,
                                std::int64_t now_ms) {
    const bool ends = entry && result.end != Finished::End::nothing;
    if (!ends && result.resolutions.empty()) return {};
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(transaction, database_.begin());
    ONECARD_CHECK(settle(result.resolutions, now_ms));
    if (ends) {
        ONECARD_TRY(update, database_.prepare("UPDATE entry SET state = ?2, record = ?3 "
                                              "WHERE id = ?1 AND state = 1"));
        const bool voided = result.end == Finished::End::void_;
        ONECARD_CHECK(update.run(entry->value(), voided ? void_ : complete, result.record.bytes()));
        if (database_.changes() != 1) return broken(Error::other, "the entry is not pending");
        if (result.record.kind == RecordKind::unresolved && !voided) {
            ONECARD_CHECK(add_waiting(result.record, false));
        }
    }
    return transaction.commit();
}

Stored<std::int64_t> Journal::settle_pending() {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(transaction, database_.begin());
    std::vector<BatchRecord> records;
    {
        ONECARD_TRY(find, database_.prepare("SELECT record FROM entry WHERE state = 1"));
        ONECARD_TRY(more, find.first());
        while (more) {
            ONECARD_TRY(record, read_record(find.blob(0)));
            records.push_back(record);
            ONECARD_TRY(next, find.step());
            more = next;
        }
    }
    for (const BatchRecord& record : records) ONECARD_CHECK(add_waiting(record, false));
    ONECARD_CHECK(database_.execute("UPDATE entry SET state = 2 WHERE state = 1"));
    ONECARD_CHECK(transaction.commit());
    return static_cast<std::int64_t>(records.size());
}

std::vector<BatchRecord> Journal::of(const CardNumber& card) const {
    const std::lock_guard lock{mutex_};
    std::vector<BatchRecord> out;
    auto find = database_.prepare("SELECT record FROM waiting WHERE card = ?1 LIMIT 8");
    if (!find) return out;
    for (auto more = find->first(card.value()); more && *more; more = find->step()) {
        if (const auto record = BatchRecord::parse(find->blob(0))) out.push_back(*record);
    }
    return out;
}

Stored<void> Journal::replace_shared(const std::vector<BatchRecord>& entries) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(transaction, database_.begin());
    ONECARD_CHECK(database_.execute("DELETE FROM waiting WHERE shared = 1"));
    {
        ONECARD_TRY(known, database_.prepare("SELECT 1 FROM settled WHERE issuer = ?1 AND "
                                             "terminal = ?2 AND sequence = ?3"));
        for (const BatchRecord& record : entries) {
            ONECARD_TRY(settled, known.first(record.issuer.value(), record.terminal.value(),
                                             record.terminal_sequence.value()));
            if (!settled) ONECARD_CHECK(add_waiting(record, true));
        }
    }
    return transaction.commit();
}

// ---- batches ----

Stored<std::int64_t> Journal::number(std::string_view sql) const {
    ONECARD_TRY(find, database_.prepare(sql));
    ONECARD_TRY(found, find.first());
    return found ? find.integer(0) : 0;
}

Stored<bool> Journal::batch_is_due(const BatchRules& rules, std::int64_t now_ms, bool on_request) {
    constexpr auto unbatched = " FROM entry WHERE state = 2 AND batch IS NULL";
    ONECARD_TRY(count, number(std::string{"SELECT count(*)"} + unbatched));
    if (count == 0) return false;
    if (on_request || count >= rules.records_max) return true;
    ONECARD_TRY(oldest, number(std::string{"SELECT min(made_ms)"} + unbatched));
    // A clock that stepped back makes an age unknown: cut rather than wait.
    return now_ms < oldest || now_ms - oldest >= std::int64_t{rules.age_seconds} * 1000;
}

Stored<std::optional<BatchSequence>> Journal::cut_batch(const BatchRules& rules,
                                                        const BatchOrigin& origin,
                                                        BatchSigner& signer, std::int64_t now_ms,
                                                        bool on_request) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(due, batch_is_due(rules, now_ms, on_request));
    if (!due) return std::nullopt;
    ONECARD_TRY(transaction, database_.begin());
    std::vector<BatchRecord> records;
    std::int64_t last_id = 0;
    {
        ONECARD_TRY(find, database_.prepare("SELECT id, record FROM entry WHERE state = 2 AND "
                                            "batch IS NULL ORDER BY id LIMIT ?1"));
        ONECARD_TRY(more, find.first(rules.records_max));
        while (more) {
            ONECARD_TRY(record, read_record(find.blob(1)));
            records.push_back(record);
            last_id = find.integer(0);
            ONECARD_TRY(next, find.step());
            more = next;
        }
    }
    ONECARD_TRY(highest, number("SELECT max(sequence) FROM batch"));
    protocol::BatchHeader header;
    header.mark = owner_.mark;
    header.operator_id = origin.operator_id;
    header.device = owner_.device;
    header.city = origin.city;
    header.sequence = BatchSequence{static_cast<std::uint32_t>(highest + 1)};
    header.created = origin.now;
    header.hot_list = origin.hot_list;
    header.fare_table = origin.fare_table;
    const auto file = write_batch(header, records, signer);
    if (!file) return broken(Error::other, "the batch could not be signed");
    {
        ONECARD_TRY(insert, database_.prepare("INSERT INTO batch(sequence, records, digest, file, "
                                              "cut_ms) VALUES(?1, ?2, ?3, ?4, ?5)"));
        ONECARD_CHECK(insert.run(header.sequence.value(), file->header.record_count, file->digest,
                                 file->bytes, now_ms));
        ONECARD_TRY(mark, database_.prepare("UPDATE entry SET batch = ?1 WHERE state = 2 AND "
                                            "batch IS NULL AND id <= ?2"));
        ONECARD_CHECK(mark.run(header.sequence.value(), last_id));
    }
    ONECARD_CHECK(transaction.commit());
    return header.sequence;
}

Stored<std::optional<StoredBatch>> Journal::next_unacknowledged() const {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(find, database_.prepare("SELECT sequence, records, digest, file FROM batch "
                                        "WHERE receipt IS NULL ORDER BY sequence LIMIT 1"));
    ONECARD_TRY(found, find.first());
    if (!found) return std::nullopt;
    const auto digest = find.array<protocol::digest_size>(2);
    if (!digest) return broken(Error::corrupt, "batch: digest");
    const Bytes file = find.blob(3);
    return StoredBatch{BatchSequence{static_cast<std::uint32_t>(find.integer(0))},
                       static_cast<std::uint32_t>(find.integer(1)),
                       *digest,
                       {file.begin(), file.end()}};
}

Stored<void> Journal::acknowledge(BatchSequence sequence, std::string_view receipt) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(update, database_.prepare("UPDATE batch SET receipt = ?2 WHERE sequence = ?1"));
    return update.run(sequence.value(), receipt);
}

Stored<std::vector<BatchSequence>> Journal::without_result() const {
    const std::lock_guard lock{mutex_};
    std::vector<BatchSequence> out;
    ONECARD_TRY(find, database_.prepare("SELECT sequence FROM batch WHERE receipt IS NOT NULL AND "
                                        "result_complete = 0 ORDER BY sequence"));
    ONECARD_TRY(more, find.first());
    while (more) {
        out.emplace_back(static_cast<std::uint32_t>(find.integer(0)));
        ONECARD_TRY(next, find.step());
        more = next;
    }
    return out;
}

Stored<void> Journal::keep_result(BatchSequence sequence, std::string_view result, bool whole) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(update, database_.prepare("UPDATE batch SET result = ?2, result_complete = ?3 "
                                          "WHERE sequence = ?1"));
    return update.run(sequence.value(), result, whole);
}

Stored<void> Journal::prune(std::int64_t before_ms) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(transaction, database_.begin());
    constexpr auto done =
        "SELECT sequence FROM batch WHERE receipt IS NOT NULL AND result_complete = 1 AND "
        "cut_ms < ?1 AND sequence < (SELECT max(sequence) FROM batch)";  // the last one: J3
    {
        ONECARD_TRY(entries, database_.prepare(std::string{"DELETE FROM entry WHERE batch IN ("} +
                                               done + ")"));
        ONECARD_CHECK(entries.run(before_ms));
        ONECARD_TRY(
            batches,
            database_.prepare(std::string{"DELETE FROM batch WHERE sequence IN ("} + done + ")"));
        ONECARD_CHECK(batches.run(before_ms));
        ONECARD_TRY(voids, database_.prepare("DELETE FROM entry WHERE state = 3 AND made_ms < ?1"));
        ONECARD_CHECK(voids.run(before_ms));
        ONECARD_TRY(settled, database_.prepare("DELETE FROM settled WHERE at_ms < ?1"));
        ONECARD_CHECK(settled.run(before_ms));
    }
    return transaction.commit();
}

// ---- hot lists ----

Stored<void> Journal::keep_hot_list(const StoredHotList& list) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(insert, database_.prepare("INSERT INTO hot_list VALUES(?1, ?2, ?3)"));
    return insert.run(list.sequence.value(), list.effective.bcd(), list.file);
}

Stored<std::vector<StoredHotList>> Journal::hot_lists() const {
    const std::lock_guard lock{mutex_};
    std::vector<StoredHotList> out;
    ONECARD_TRY(find, database_.prepare("SELECT sequence, effective, file FROM hot_list "
                                        "ORDER BY sequence"));
    ONECARD_TRY(more, find.first());
    while (more) {
        const auto bcd = find.array<7>(1);
        const auto effective =
            bcd ? DateTime::parse(*bcd) : protocol::refuse(protocol::ParseError::wrong_length);
        if (!effective) return broken(Error::corrupt, "hot list: effective time");
        const Bytes file = find.blob(2);
        out.push_back({ListSequence{static_cast<std::uint32_t>(find.integer(0))},
                       *effective,
                       {file.begin(), file.end()}});
        ONECARD_TRY(next, find.step());
        more = next;
    }
    return out;
}

Stored<void> Journal::drop_hot_lists_before(ListSequence in_force) {
    const std::lock_guard lock{mutex_};
    ONECARD_TRY(remove, database_.prepare("DELETE FROM hot_list WHERE sequence < ?1"));
    return remove.run(in_force.value());
}

Stored<JournalCounts> Journal::counts() const {
    const std::lock_guard lock{mutex_};
    JournalCounts counts;
    ONECARD_TRY(pending_count, number("SELECT count(*) FROM entry WHERE state = 1"));
    ONECARD_TRY(unbatched, number("SELECT count(*) FROM entry WHERE state = 2 AND batch IS NULL"));
    ONECARD_TRY(batches, number("SELECT count(*) FROM batch WHERE receipt IS NULL"));
    ONECARD_TRY(results, number("SELECT count(*) FROM batch WHERE result_complete = 0"));
    ONECARD_TRY(own, number("SELECT count(*) FROM waiting WHERE shared = 0"));
    ONECARD_TRY(shared, number("SELECT count(*) FROM waiting WHERE shared = 1"));
    counts.pending = pending_count;
    counts.unbatched = unbatched;
    counts.unacknowledged_batches = batches;
    counts.incomplete_results = results;
    counts.waiting_own = own;
    counts.waiting_shared = shared;
    return counts;
}

}  // namespace terminal
