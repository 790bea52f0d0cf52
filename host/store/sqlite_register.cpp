// Register, cards, debits, unresolved entries.
#include "host/store/sqlite_tables.hpp"

namespace host::store {

std::optional<std::string> SqliteStore::setting(std::string_view key) {
    const auto* row = session_.first("SELECT value FROM settings WHERE key = ?1", key);
    return row != nullptr ? std::optional{std::string{row->text(0)}} : std::nullopt;
}
void SqliteStore::put_setting(std::string_view key, std::string_view value) {
    session_.run("INSERT INTO settings VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2", key,
                 value);
}

void SqliteStore::put_operator(const OperatorRow& row) {
    session_.run(
        "INSERT INTO operators VALUES (?1, ?2) ON CONFLICT DO UPDATE SET display_name = ?2",
        row.id.value(), row.display_name);
}
void SqliteStore::put_device(const DeviceRow& row) {
    session_.run(
        "INSERT INTO devices VALUES (?1, ?2, ?3) "
        "ON CONFLICT DO UPDATE SET operator_id = ?2, public_key = ?3",
        row.id.value(), row.operator_id.value(), row.public_key);
}
void SqliteStore::put_sam(const SamRow& row) {
    using Stamp = std::array<std::uint8_t, 7>;
    session_.run(
        "INSERT INTO sam_bindings VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE "
        "SET bound_until = ?3, number = ?4, operator_id = ?5",
        row.terminal.value(), row.from.bcd(),
        row.until ? std::optional<Stamp>{row.until->bcd()} : std::nullopt, row.number.value(),
        row.operator_id.value());
}
std::vector<OperatorRow> SqliteStore::operators() {
    std::vector<OperatorRow> out;
    session_.each("SELECT operator_id, display_name FROM operators", [&](const Statement& row) {
        const auto at = columns(row, "operators");
        out.push_back({at.id<OperatorId>(0), at.text(1)});
        return true;
    });
    return out;
}
std::optional<DeviceRow> SqliteStore::device(const DeviceId& id) {
    const auto* row =
        session_.first("SELECT operator_id, public_key FROM devices WHERE device = ?1", id.value());
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "devices");
    return DeviceRow{id, at.id<OperatorId>(0), at.array<64>(1)};
}
std::optional<SamRow> SqliteStore::sam(const TerminalNumber& terminal, const DateTime& when) {
    const auto* row = session_.first(
        "SELECT number, operator_id, bound_from, bound_until FROM sam_bindings "
        "WHERE terminal = ?1 AND bound_from <= ?2 ORDER BY bound_from DESC LIMIT 1",
        terminal.value(), when.bcd());
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "sam_bindings");
    SamRow out{terminal, at.id<protocol::SamNumber>(0), at.id<OperatorId>(1), at.date_time(2),
               at.optional_date_time(3)};
    if (out.until && *out.until <= when) return std::nullopt;
    return out;
}

bool SqliteStore::insert_card(const CardRow& row) {
    session_.run("INSERT INTO cards VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", row.card.value(),
                 row.issuer.value(), row.state.bytes());
    return session_.changes() == 1;
}
std::optional<CardState> SqliteStore::card(const CardNumber& card) {
    const auto* row = session_.first("SELECT state FROM cards WHERE card = ?1", card.value());
    if (row == nullptr) return std::nullopt;
    return columns(*row, "cards").object<CardState>(0);
}
void SqliteStore::put_card(const CardNumber& card, const CardState& state) {
    session_.run("UPDATE cards SET state = ?2 WHERE card = ?1", card.value(), state.bytes());
}
void SqliteStore::each_card(const std::function<void(const CardRow&)>& visit) {
    session_.each("SELECT card, issuer, state FROM cards ORDER BY card", [&](const Statement& row) {
        const auto at = columns(row, "cards");
        visit({at.id<CardNumber>(0), at.id<protocol::IssuerId>(1), at.object<CardState>(2)});
        return true;
    });
}

std::optional<ClaimRow> SqliteStore::claim(const DebitKey& key) {
    const auto* row = session_.first(
        "SELECT card, claim, content, outcome, flags, acquirer, carrier, place FROM debits "
        "WHERE issuer_city = ?1 AND terminal = ?2 AND sequence = ?3",
        key.issuer_city.value(), key.terminal.value(), key.sequence.value());
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "debits");
    const auto state = at.number<std::uint8_t>(1);
    const auto outcome = at.number<std::uint8_t>(3);
    if (state < 1 || state > 4 || !protocol::is_outcome(outcome)) {
        session_.damaged("debits");
        return std::nullopt;
    }
    return ClaimRow{key,
                    at.id<CardNumber>(0),
                    {static_cast<ClaimState>(state), at.array<16>(2)},
                    {static_cast<ClearingOutcome>(outcome),
                     protocol::OutcomeFlags::from_bits(at.number<std::uint8_t>(4))},
                    {at.city(5), at.integer(6), at.number<std::uint32_t>(7)}};
}
void SqliteStore::put_claim(const ClaimRow& row) {
    session_.run(
        "INSERT INTO debits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO "
        "UPDATE SET card = ?4, claim = ?5, content = ?6, outcome = ?7, flags = ?8, acquirer = ?9, "
        "carrier = ?10, place = ?11",
        row.key.issuer_city.value(), row.key.terminal.value(), row.key.sequence.value(),
        row.card.value(), static_cast<std::uint8_t>(row.claim.state), row.claim.content,
        static_cast<std::uint8_t>(row.outcome.outcome), row.outcome.flags.bits(),
        row.place.acquirer.value(), row.place.carrier, row.place.index);
}

HeldRow SqliteStore::held_row(const Statement& row) {
    const auto at = columns(row, "held");
    const auto record = at.object<protocol::BatchRecord>(9);
    const auto state = at.number<std::uint8_t>(4);
    if (state != 2 && state != 3) session_.damaged("held");
    return {{at.city(0), at.id<TerminalNumber>(1),
             protocol::TerminalSequence{at.number<std::uint32_t>(2)}},
            at.id<CardNumber>(3),
            {record.counter, record.when, record.amount, static_cast<ClaimState>(state)},
            at.id<OperatorId>(5),
            {at.city(6), at.integer(7), at.number<std::uint32_t>(8)},
            record};
}
std::optional<HeldRow> SqliteStore::held(const DebitKey& key) {
    const auto* row = session_.first(
        "SELECT * FROM held WHERE issuer_city = ?1 AND terminal = ?2 AND sequence = ?3",
        key.issuer_city.value(), key.terminal.value(), key.sequence.value());
    return row != nullptr ? std::optional{held_row(*row)} : std::nullopt;
}
std::vector<HeldRow> SqliteStore::held_of(const CardNumber& card) {
    std::vector<HeldRow> out;
    session_.each(
        "SELECT * FROM held WHERE card = ?1 ORDER BY terminal, sequence",
        [&](const Statement& row) {
            out.push_back(held_row(row));
            return true;
        },
        card.value());
    return out;
}
std::vector<HeldRow> SqliteStore::all_held() {
    std::vector<HeldRow> out;
    session_.each("SELECT * FROM held ORDER BY issuer_city, terminal, sequence",
                  [&](const Statement& row) {
                      out.push_back(held_row(row));
                      return true;
                  });
    return out;
}
void SqliteStore::put_held(const HeldRow& row) {
    session_.run(
        "INSERT INTO held VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
        "ON CONFLICT DO UPDATE SET state = ?5",
        row.key.issuer_city.value(), row.key.terminal.value(), row.key.sequence.value(),
        row.card.value(), static_cast<std::uint8_t>(row.entry.state), row.operator_id.value(),
        row.place.acquirer.value(), row.place.carrier, row.place.index, row.record.bytes());
}
void SqliteStore::remove_held(const DebitKey& key) {
    session_.run("DELETE FROM held WHERE issuer_city = ?1 AND terminal = ?2 AND sequence = ?3",
                 key.issuer_city.value(), key.terminal.value(), key.sequence.value());
}

std::vector<protocol::BatchRecord> SqliteStore::unresolved_of(const OperatorId& operator_id) {
    std::vector<protocol::BatchRecord> out;
    session_.each(
        "SELECT record FROM unresolved WHERE operator_id = ?1 ORDER BY issuer, terminal, sequence",
        [&](const Statement& row) {
            out.push_back(columns(row, "unresolved").object<protocol::BatchRecord>(0));
            return true;
        },
        operator_id.value());
    return out;
}
void SqliteStore::put_unresolved(const OperatorId& operator_id,
                                 const protocol::BatchRecord& record) {
    session_.run("INSERT INTO unresolved VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                 record.issuer.value(), record.terminal.value(), record.terminal_sequence.value(),
                 operator_id.value(), record.bytes());
}
void SqliteStore::remove_unresolved(const protocol::BatchRecord& record) {
    session_.run("DELETE FROM unresolved WHERE issuer = ?1 AND terminal = ?2 AND sequence = ?3",
                 record.issuer.value(), record.terminal.value(), record.terminal_sequence.value());
}
void SqliteStore::remove_unresolved_up_to(const protocol::BatchRecord& record) {
    const auto counter = record.counter.value();
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(counter >> 8),
                                            static_cast<std::uint8_t>(counter)};
    session_.run(
        "DELETE FROM unresolved WHERE issuer = ?1 AND substr(record, 13, 10) = ?2 "
        "AND substr(record, 23, 2) <= ?3",
        record.issuer.value(), record.card.value(), bytes);
}

}  // namespace host::store
