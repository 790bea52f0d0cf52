// Ledger and loads.
#include "host/store/sqlite_tables.hpp"

namespace host::store {

using ledger::Account;
using ledger::EntryClass;
using ledger::Posting;
using ledger::StoredEntry;
using ledger::Totals;
using protocol::Fen;

namespace {
std::int64_t number(ledger::Purpose purpose) {
    return static_cast<std::uint8_t>(purpose);
}
std::int64_t number(EntryClass entry_class) {
    return static_cast<std::uint8_t>(entry_class);
}
}  // namespace

Account SqliteStore::account(const Statement& row, int purpose, int participant) {
    const auto what = ledger::parse_purpose(columns(row, "accounts").number<std::uint8_t>(purpose));
    const auto who = ledger::Participant::parse(row.text(participant));
    if (!what || !who) session_.damaged("accounts");
    return {what.value_or(ledger::Purpose::bank),
            who.value_or(ledger::Participant::of(CityCode{}))};
}
std::int64_t SqliteStore::account_id(const Account& account) {
    const std::string who = account.participant.text();
    const auto* row =
        session_.first("SELECT id FROM accounts WHERE purpose = ?1 AND participant = ?2",
                       number(account.purpose), who);
    if (row != nullptr) return row->integer(0);
    session_.run(
        "INSERT INTO accounts (purpose, participant, debits, credits) VALUES (?1, ?2, 0, 0)",
        number(account.purpose), who);
    return session_.last_row_id();
}
Totals SqliteStore::totals(const Account& account) {
    const auto* row = session_.first(
        "SELECT debits, credits FROM accounts WHERE purpose = ?1 AND participant = ?2",
        number(account.purpose), account.participant.text());
    if (row == nullptr) return {};
    return {Fen{row->integer(0)}, Fen{row->integer(1)}};
}
void SqliteStore::put_totals(const Account& account, const Totals& totals) {
    session_.run("UPDATE accounts SET debits = ?2, credits = ?3 WHERE id = ?1", account_id(account),
                 totals.debits.value(), totals.credits.value());
}
ledger::TotalsByAccount SqliteStore::all_totals() {
    ledger::TotalsByAccount out;
    session_.each(
        "SELECT purpose, participant, debits, credits FROM accounts", [&](const Statement& row) {
            out.emplace(account(row, 0, 1), Totals{Fen{row.integer(2)}, Fen{row.integer(3)}});
            return true;
        });
    return out;
}
void SqliteStore::add_day_totals(const Date& date, EntryClass entry_class, const Account& account,
                                 const Totals& added) {
    session_.run(
        "INSERT INTO day_totals VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE "
        "SET debits = debits + ?4, credits = credits + ?5",
        to_integer(date), number(entry_class), account_id(account), added.debits.value(),
        added.credits.value());
}
std::vector<ledger::DayTotals> SqliteStore::day_totals(const Date& date, EntryClass entry_class) {
    std::vector<ledger::DayTotals> out;
    session_.each(
        "SELECT a.purpose, a.participant, d.debits, d.credits FROM day_totals d "
        "JOIN accounts a ON a.id = d.account WHERE d.business_date = ?1 AND d.class = ?2 "
        "ORDER BY a.purpose, a.participant",
        [&](const Statement& row) {
            out.push_back({account(row, 0, 1), Totals{Fen{row.integer(2)}, Fen{row.integer(3)}}});
            return true;
        },
        to_integer(date), number(entry_class));
    return out;
}
ledger::ChainEnd SqliteStore::chain_end() {
    const auto* row =
        session_.first("SELECT number, chain FROM entries ORDER BY number DESC LIMIT 1");
    if (row == nullptr) return {};
    return {row->integer(0), columns(*row, "entries").array<32>(1)};
}
void SqliteStore::insert_entry(const StoredEntry& entry) {
    session_.run("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5)", entry.number,
                 number(entry.entry.entry_class), to_integer(entry.entry.business_date),
                 entry.entry.source, entry.digest);
    std::map<Account, std::int64_t> ids;
    const auto id = [&](const Account& account) {
        const auto [place, fresh] = ids.try_emplace(account, 0);
        if (fresh) place->second = account_id(account);
        return place->second;
    };
    std::int64_t line = 0;
    for (const Posting& posting : entry.entry.postings) {
        using Card = std::array<std::uint8_t, 10>;
        const bool has_card = posting.card != CardNumber{};
        session_.run("INSERT INTO postings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", entry.number,
                     ++line, id(posting.debit), id(posting.credit), posting.amount.value(),
                     posting.index,
                     has_card ? std::optional<Card>{posting.card.value()} : std::nullopt);
    }
}
std::vector<Posting> SqliteStore::postings(std::int64_t entry) {
    std::vector<Posting> out;
    session_.each(
        "SELECT d.purpose, d.participant, c.purpose, c.participant, p.amount, p.place, p.card "
        "FROM postings p JOIN accounts d ON d.id = p.debit JOIN accounts c ON c.id = p.credit "
        "WHERE p.entry = ?1 ORDER BY p.line",
        [&](const Statement& row) {
            const auto at = columns(row, "postings");
            out.push_back({account(row, 0, 1), account(row, 2, 3), Fen{row.integer(4)},
                           at.number<std::uint32_t>(5),
                           row.is_null(6) ? CardNumber{} : at.id<CardNumber>(6)});
            return true;
        },
        entry);
    return out;
}
StoredEntry SqliteStore::entry_row(const Statement& row) {
    const auto at = columns(row, "entries");
    const auto entry_class = at.number<std::uint8_t>(1);
    if (entry_class < 1 || entry_class > 3) session_.damaged("entries");
    return {at.integer(0),
            {static_cast<EntryClass>(entry_class), at.date(2), at.text(3), postings(at.integer(0))},
            at.array<32>(4)};
}
void SqliteStore::each_entry(const std::function<bool(const StoredEntry&)>& visit) {
    session_.each("SELECT number, class, business_date, source, chain FROM entries ORDER BY number",
                  [&](const Statement& row) { return visit(entry_row(row)); });
}
std::vector<StoredEntry> SqliteStore::entries_of(std::string_view source) {
    std::vector<StoredEntry> out;
    session_.each(
        "SELECT number, class, business_date, source, chain FROM entries WHERE source = ?1 "
        "ORDER BY number",
        [&](const Statement& row) {
            out.push_back(entry_row(row));
            return true;
        },
        source);
    return out;
}

LoadRow SqliteStore::load_row(const Statement& row) {
    const auto at = columns(row, "loads");
    const auto state = at.number<std::uint8_t>(3);
    if (state < 1 || state > 5) session_.damaged("loads");
    return {at.object<protocol::LoadRequest>(1), at.id<OperatorId>(0),
            at.object<protocol::LoadAnswer>(2), static_cast<LoadState>(state)};
}
std::optional<LoadRow> SqliteStore::load(const protocol::LoadKey& key) {
    const auto* row = session_.first(
        "SELECT operator_id, request, answer, state FROM loads WHERE device = ?1 AND sequence = ?2",
        key.device.value(), key.sequence.value());
    return row != nullptr ? std::optional{load_row(*row)} : std::nullopt;
}
void SqliteStore::put_load(const LoadRow& row) {
    session_.run(
        "INSERT INTO loads VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET state = ?6",
        row.request.key.device.value(), row.request.key.sequence.value(), row.operator_id.value(),
        row.request.bytes(), row.answer.bytes(), static_cast<std::uint8_t>(row.state));
}
void SqliteStore::each_load(const std::function<void(const LoadRow&)>& visit) {
    session_.each("SELECT operator_id, request, answer, state FROM loads ORDER BY device, sequence",
                  [&](const Statement& row) {
                      visit(load_row(row));
                      return true;
                  });
}
std::vector<LoadRow> SqliteStore::loads_of(const CardNumber& card) {
    std::vector<LoadRow> out;
    session_.each(
        "SELECT operator_id, request, answer, state FROM loads "
        "WHERE substr(request, 21, 10) = ?1 ORDER BY device, sequence",
        [&](const Statement& row) {
            out.push_back(load_row(row));
            return true;
        },
        card.value());
    return out;
}

}  // namespace host::store
