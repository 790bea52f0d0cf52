// Hot list, business days, exceptions.
#include "host/store/sqlite_tables.hpp"

namespace host::store {

HotRow SqliteStore::hot_row(const Statement& row) {
    const auto at = columns(row, "hot");
    return {at.object<protocol::HotEntry>(0), at.optional_date_time(1)};
}
void SqliteStore::put_hot(const HotRow& row) {
    using Stamp = std::array<std::uint8_t, 7>;
    session_.run(
        "INSERT INTO hot VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET entry = ?3, listed_from = ?4",
        static_cast<std::uint8_t>(row.entry.kind), row.entry.number, row.entry.bytes(),
        row.listed_from ? std::optional<Stamp>{row.listed_from->bcd()} : std::nullopt);
}
std::optional<HotRow> SqliteStore::hot(protocol::HotKind kind,
                                       const std::array<std::uint8_t, 10>& number) {
    const auto* row =
        session_.first("SELECT entry, listed_from FROM hot WHERE kind = ?1 AND number = ?2",
                       static_cast<std::uint8_t>(kind), number);
    return row != nullptr ? std::optional{hot_row(*row)} : std::nullopt;
}
void SqliteStore::remove_hot(protocol::HotKind kind, const std::array<std::uint8_t, 10>& number) {
    session_.run("DELETE FROM hot WHERE kind = ?1 AND number = ?2", static_cast<std::uint8_t>(kind),
                 number);
}
std::optional<NoticeRow> SqliteStore::notice(protocol::HotKind kind,
                                             const std::array<std::uint8_t, 10>& number) {
    const auto* row =
        session_.first("SELECT entry, line FROM issuer_notices WHERE kind = ?1 AND number = ?2",
                       static_cast<std::uint8_t>(kind), number);
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "issuer_notices");
    NoticeRow out{kind, number, {}, at.integer(1)};
    if (!row->is_null(0)) out.entry = at.object<protocol::HotEntry>(0);
    return out;
}
void SqliteStore::put_notice(const NoticeRow& row) {
    using Entry = std::array<std::uint8_t, protocol::HotEntry::size>;
    session_.run(
        "INSERT INTO issuer_notices VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET entry = ?3, line = ?4",
        static_cast<std::uint8_t>(row.kind), row.number,
        row.entry ? std::optional<Entry>{row.entry->bytes()} : std::nullopt, row.line);
}
bool SqliteStore::unlisted_sam() {
    return session_.first("SELECT 1 FROM hot WHERE kind = ?1 AND listed_from IS NULL LIMIT 1",
                          static_cast<std::uint8_t>(protocol::HotKind::sam)) != nullptr;
}
std::vector<HotRow> SqliteStore::all_hot() {
    std::vector<HotRow> out;
    session_.each("SELECT entry, listed_from FROM hot ORDER BY kind, number",
                  [&](const Statement& row) {
                      out.push_back(hot_row(row));
                      return true;
                  });
    return out;
}
void SqliteStore::mark_listed(const DateTime& effective) {
    session_.run("UPDATE hot SET listed_from = ?1 WHERE listed_from IS NULL", effective.bcd());
}
void SqliteStore::insert_hot_list(const HotListRow& row) {
    session_.run("INSERT INTO hot_lists VALUES (?1, ?2)", row.sequence.value(), row.file);
}
std::optional<HotListRow> SqliteStore::newest_hot_list() {
    const auto* row =
        session_.first("SELECT sequence, file FROM hot_lists ORDER BY sequence DESC LIMIT 1");
    if (row == nullptr) return std::nullopt;
    const auto at = columns(*row, "hot_lists");
    return HotListRow{protocol::ListSequence{at.number<std::uint32_t>(0)}, at.blob(1)};
}

DayRow SqliteStore::day_row(const Statement& row) {
    const auto at = columns(row, "days");
    const auto state = at.number<std::uint8_t>(1);
    if (state < 1 || state > 5) session_.damaged("days");
    return {at.date(0), static_cast<DayState>(state)};
}
std::optional<DayRow> SqliteStore::day(const Date& date) {
    const auto* row = session_.first(
        "SELECT business_date, state FROM days WHERE business_date = ?1", to_integer(date));
    return row != nullptr ? std::optional{day_row(*row)} : std::nullopt;
}
std::optional<DayRow> SqliteStore::open_day() {
    const auto* row = session_.first("SELECT business_date, state FROM days WHERE state = 1");
    return row != nullptr ? std::optional{day_row(*row)} : std::nullopt;
}
std::vector<DayRow> SqliteStore::unsettled_days() {
    std::vector<DayRow> out;
    session_.each("SELECT business_date, state FROM days WHERE state < 5 ORDER BY business_date",
                  [&](const Statement& row) {
                      out.push_back(day_row(row));
                      return true;
                  });
    return out;
}
std::vector<DayRow> SqliteStore::all_days() {
    std::vector<DayRow> out;
    session_.each("SELECT business_date, state FROM days ORDER BY business_date",
                  [&](const Statement& row) {
                      out.push_back(day_row(row));
                      return true;
                  });
    return out;
}
void SqliteStore::put_day(const DayRow& row) {
    session_.run("INSERT INTO days VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2",
                 to_integer(row.date), static_cast<std::uint8_t>(row.state));
}
void SqliteStore::put_statement(const Date& date, const StatementRow& row) {
    session_.run("INSERT INTO statements VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET file = ?3",
                 to_integer(date), row.city.value(), row.file);
}
std::vector<StatementRow> SqliteStore::statements(const Date& date) {
    std::vector<StatementRow> out;
    session_.each(
        "SELECT city, file FROM statements WHERE business_date = ?1 ORDER BY city",
        [&](const Statement& row) {
            const auto at = columns(row, "statements");
            out.push_back({at.city(0), at.blob(1)});
            return true;
        },
        to_integer(date));
    return out;
}
void SqliteStore::put_settlement_lines(const Date& date,
                                       const std::vector<SettlementLineRow>& lines) {
    session_.run("DELETE FROM settlement_lines WHERE business_date = ?1", to_integer(date));
    std::int64_t line = 0;
    for (const SettlementLineRow& row : lines) {
        session_.run("INSERT INTO settlement_lines VALUES (?1, ?2, ?3, ?4, ?5)", to_integer(date),
                     ++line, row.from.text(), row.to.text(), row.amount.value());
    }
}
std::vector<SettlementLineRow> SqliteStore::settlement_lines(const Date& date) {
    std::vector<SettlementLineRow> out;
    session_.each(
        "SELECT payer, payee, amount FROM settlement_lines WHERE business_date = ?1 ORDER BY line",
        [&](const Statement& row) {
            const auto from = ledger::Participant::parse(row.text(0));
            const auto to = ledger::Participant::parse(row.text(1));
            if (!from || !to) {
                session_.damaged("settlement_lines");
                return false;
            }
            out.push_back({*from, *to, protocol::Fen{row.integer(2)}});
            return true;
        },
        to_integer(date));
    return out;
}
void SqliteStore::add_peer_count(const Date& date, CityCode peer, bool owed_to,
                                 std::uint32_t count) {
    session_.run(
        "INSERT INTO peer_counts VALUES (?1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET count = count + ?4",
        to_integer(date), peer.value(), owed_to, count);
}
std::uint32_t SqliteStore::peer_count(const Date& date, CityCode peer, bool owed_to) {
    const auto* row = session_.first(
        "SELECT count FROM peer_counts WHERE business_date = ?1 AND peer = ?2 AND owed_to = ?3",
        to_integer(date), peer.value(), owed_to);
    return row != nullptr ? columns(*row, "peer_counts").number<std::uint32_t>(0) : 0;
}

void SqliteStore::add_exception(const ExceptionRow& row) {
    session_.run(
        "INSERT INTO exceptions (business_date, kind, reference, detail) VALUES (?1, ?2, ?3, ?4)",
        to_integer(row.business_date), row.kind, row.reference, row.detail);
}
std::vector<ExceptionRow> SqliteStore::exceptions() {
    std::vector<ExceptionRow> out;
    session_.each(
        "SELECT id, business_date, kind, reference, detail FROM exceptions ORDER BY id",
        [&](const Statement& row) {
            const auto at = columns(row, "exceptions");
            out.push_back({at.integer(0), at.date(1), at.text(2), at.text(3), at.text(4)});
            return true;
        });
    return out;
}

}  // namespace host::store
