// Batches with their evidence and results, and the messages between cities.
#include "host/store/sqlite_tables.hpp"

namespace host::store {

BatchId SqliteStore::insert_batch(const BatchRow& row, protocol::Bytes file) {
    session_.run(
        "INSERT INTO batches (device, sequence, operator_id, business_date, received_ms, "
        "file_digest, record_count, pending_count, state) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        row.device.value(), row.sequence.value(), row.operator_id.value(),
        to_integer(row.business_date), row.received_ms, row.file_digest, row.record_count,
        row.pending_count, static_cast<std::uint8_t>(row.state));
    const BatchId id{session_.last_row_id()};
    session_.run("INSERT INTO batch_files VALUES (?1, ?2)", id.value(), file);
    return id;
}
BatchRow SqliteStore::batch_row(const Statement& row) {
    const auto at = columns(row, "batches");
    const auto state = at.number<std::uint8_t>(9);
    if (state < 1 || state > 3) session_.damaged("batches");
    return {BatchId{at.integer(0)},
            at.id<DeviceId>(1),
            BatchSequence{at.number<std::uint32_t>(2)},
            at.id<OperatorId>(3),
            at.date(4),
            at.integer(5),
            at.array<32>(6),
            at.number<std::uint32_t>(7),
            at.number<std::uint32_t>(8),
            static_cast<BatchState>(state)};
}
std::optional<BatchRow> SqliteStore::batch(const DeviceId& device, BatchSequence sequence) {
    const auto* row = session_.first("SELECT * FROM batches WHERE device = ?1 AND sequence = ?2",
                                     device.value(), sequence.value());
    return row != nullptr ? std::optional{batch_row(*row)} : std::nullopt;
}
std::optional<BatchRow> SqliteStore::batch(BatchId id) {
    const auto* row = session_.first("SELECT * FROM batches WHERE id = ?1", id.value());
    return row != nullptr ? std::optional{batch_row(*row)} : std::nullopt;
}
std::optional<BatchRow> SqliteStore::oldest_stored_batch() {
    const auto* row = session_.first("SELECT * FROM batches WHERE state = 1 ORDER BY id LIMIT 1");
    return row != nullptr ? std::optional{batch_row(*row)} : std::nullopt;
}
FileBytes SqliteStore::batch_file(BatchId id) {
    const auto* row = session_.first("SELECT file FROM batch_files WHERE batch = ?1", id.value());
    return row != nullptr ? columns(*row, "batch_files").blob(0) : FileBytes{};
}
void SqliteStore::put_batch_state(BatchId id, BatchState state, std::uint32_t pending_count) {
    session_.run("UPDATE batches SET state = ?2, pending_count = ?3 WHERE id = ?1", id.value(),
                 static_cast<std::uint8_t>(state), pending_count);
}
void SqliteStore::put_results(BatchId id, const std::vector<RecordOutcome>& results) {
    FileBytes bytes;
    bytes.reserve(results.size() * RecordOutcome::size);
    for (const RecordOutcome& result : results) {
        const auto two = result.bytes();
        bytes.insert(bytes.end(), two.begin(), two.end());
    }
    session_.run("INSERT INTO batch_results VALUES (?1, ?2) ON CONFLICT DO UPDATE SET results = ?2",
                 id.value(), bytes);
}
std::vector<RecordOutcome> SqliteStore::results(BatchId id) {
    std::vector<RecordOutcome> out;
    const auto* row =
        session_.first("SELECT results FROM batch_results WHERE batch = ?1", id.value());
    if (row == nullptr) return out;
    protocol::Bytes rest = row->blob(0);
    while (rest.size() >= RecordOutcome::size) {
        const auto one = RecordOutcome::parse(rest.first(RecordOutcome::size));
        if (!one) session_.damaged("batch_results");
        out.push_back(one.value_or(RecordOutcome{}));
        rest = rest.subspan(RecordOutcome::size);
    }
    return out;
}
void SqliteStore::each_batch(const std::function<void(const BatchRow&)>& visit) {
    session_.each("SELECT * FROM batches ORDER BY id", [&](const Statement& row) {
        visit(batch_row(row));
        return true;
    });
}
std::int64_t SqliteStore::unfinished_batches(const Date& up_to) {
    const auto* row = session_.first(
        "SELECT count(*) FROM batches WHERE state < 3 AND business_date <= ?1", to_integer(up_to));
    return row != nullptr ? row->integer(0) : 0;
}

MessageNumber SqliteStore::next_number(CityCode peer) {
    const auto* row =
        session_.first("SELECT coalesce(max(number), 0) FROM outbox WHERE peer = ?1", peer.value());
    return MessageNumber{row != nullptr ? static_cast<std::uint64_t>(row->integer(0)) + 1 : 1};
}
void SqliteStore::insert_outbox(const OutboxRow& row) {
    FileBytes places(row.places.size() * 12);
    protocol::ByteWriter writer{places};
    for (const BatchRecordPlace& place : row.places) {
        writer.put_u64(static_cast<std::uint64_t>(place.batch.value())).put_u32(place.index);
    }
    session_.run(
        "INSERT INTO outbox (peer, number, business_date, places, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
        row.peer.value(), static_cast<std::int64_t>(row.number.value()),
        to_integer(row.business_date), places, row.body);
}
OutboxRow SqliteStore::outbox_row(const Statement& row) {
    const auto at = columns(row, "outbox");
    OutboxRow out{
        at.city(0), MessageNumber{at.number<std::uint64_t>(1)}, at.date(2), {}, at.blob(4)};
    protocol::ByteReader places{row.blob(3)};
    while (!places.empty()) {
        const auto batch = places.take_u64();
        const auto index = places.take_u32();
        if (!batch || !index) {
            session_.damaged("outbox");
            break;
        }
        out.places.push_back({BatchId{static_cast<std::int64_t>(*batch)}, *index});
    }
    return out;
}
std::optional<OutboxRow> SqliteStore::oldest_unanswered(CityCode peer) {
    const auto* row = session_.first(
        "SELECT peer, number, business_date, places, body FROM outbox "
        "WHERE peer = ?1 AND booked IS NULL ORDER BY number LIMIT 1",
        peer.value());
    return row != nullptr ? std::optional{outbox_row(*row)} : std::nullopt;
}
std::optional<OutboxRow> SqliteStore::outbox(CityCode peer, MessageNumber number) {
    const auto* row = session_.first(
        "SELECT peer, number, business_date, places, body FROM outbox "
        "WHERE peer = ?1 AND number = ?2",
        peer.value(), static_cast<std::int64_t>(number.value()));
    return row != nullptr ? std::optional{outbox_row(*row)} : std::nullopt;
}
void SqliteStore::put_answered(CityCode peer, MessageNumber number, const Date& booked) {
    session_.run("UPDATE outbox SET booked = ?3 WHERE peer = ?1 AND number = ?2", peer.value(),
                 static_cast<std::int64_t>(number.value()), to_integer(booked));
}
std::int64_t SqliteStore::unanswered_messages(const Date& up_to) {
    const auto* row =
        session_.first("SELECT count(*) FROM outbox WHERE booked IS NULL AND business_date <= ?1",
                       to_integer(up_to));
    return row != nullptr ? row->integer(0) : 0;
}
std::optional<InboxRow> SqliteStore::inbox(CityCode peer, MessageNumber number) {
    const auto* row =
        session_.first("SELECT digest, answer FROM inbox WHERE peer = ?1 AND number = ?2",
                       peer.value(), static_cast<std::int64_t>(number.value()));
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "inbox");
    return InboxRow{peer, number, at.array<32>(0), at.blob(1)};
}
MessageNumber SqliteStore::last_received(CityCode peer) {
    const auto* row =
        session_.first("SELECT coalesce(max(number), 0) FROM inbox WHERE peer = ?1", peer.value());
    return MessageNumber{row != nullptr ? static_cast<std::uint64_t>(row->integer(0)) : 0};
}
void SqliteStore::insert_inbox(const InboxRow& row) {
    session_.run("INSERT INTO inbox VALUES (?1, ?2, ?3, ?4)", row.peer.value(),
                 static_cast<std::int64_t>(row.number.value()), row.digest, row.answer);
}

}  // namespace host::store
