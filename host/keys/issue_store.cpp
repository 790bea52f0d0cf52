#include "host/keys/issue_store.hpp"

#include <boost/json.hpp>

#include "host/keys/founding.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;

constexpr std::uint32_t application_id = 0x4F434B49;  // "OCKI"

/// `content` is the order without its PIN, to tell a repetition from a change; the PIN stands apart
/// and goes when the line is issued.
constexpr std::array schema{sqlite::Migration{R"(
    CREATE TABLE owner(mark INTEGER NOT NULL, city INTEGER NOT NULL);
    CREATE TABLE line(
        id INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        number BLOB NOT NULL,
        content TEXT NOT NULL,
        pin TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT 1,
        chip BLOB UNIQUE,
        entry TEXT,
        desk TEXT,
        reference TEXT,
        UNIQUE(kind, number),
        UNIQUE(desk, reference));
    CREATE INDEX line_waiting ON line(kind, id) WHERE state = 1 AND desk IS NULL;
    CREATE TABLE registry(
        sequence INTEGER PRIMARY KEY,
        line INTEGER NOT NULL UNIQUE REFERENCES line(id),
        entry TEXT NOT NULL);
)"},
                            sqlite::Migration{R"(
    CREATE TABLE told(number INTEGER NOT NULL);
    INSERT INTO told VALUES(0);
)"}};

constexpr const char* line_columns = "SELECT id, content, pin, state, chip FROM line ";

Refusal broken(const sqlite::Failure& failure) {
    return {RefusalKind::file_failed,
            std::string{"issue state: "} + sqlite::name(failure.error) + ": " + failure.text};
}
IssuingFailure broken_issuing(const sqlite::Failure& failure) {
    return {IssuingRefusal::store_failed,
            std::string{sqlite::name(failure.error)} + ": " + failure.text};
}

/// ONECARD_TRY for SQLite inside a function with our own failures.
template <class Failure, class T>
std::expected<T, Failure> translate(sqlite::Result<T>&& result) {
    if (result) {
        if constexpr (std::is_void_v<T>) {
            return {};
        } else {
            return *std::move(result);
        }
    }
    if constexpr (std::is_same_v<Failure, Refusal>) {
        return std::unexpected{broken(result.error())};
    } else {
        return std::unexpected{broken_issuing(result.error())};
    }
}
template <class T>
Result<T> plain(sqlite::Result<T>&& result) {
    return translate<Refusal>(std::move(result));
}
template <class T>
IssuingResult<T> issuing(sqlite::Result<T>&& result) {
    return translate<IssuingFailure>(std::move(result));
}

std::string pin_of(const IssueOrder& order) {
    const auto* card = std::get_if<CardOrder>(&order);
    return card == nullptr ? std::string{} : card->pin;
}
std::string content_of(IssueOrder order) {
    if (auto* card = std::get_if<CardOrder>(&order)) card->pin.clear();
    return to_csv(order);
}

/// The row that `statement` stands on. The database is ours: content that does not parse is damage.
IssuingResult<IssueLine> read_line(const sqlite::Statement& statement) {
    std::string csv{order_header};
    csv += '\n';
    csv += statement.text(1);
    const auto orders = parse_orders(csv, "issue state");
    const std::int64_t state = statement.integer(3);
    if (!orders || orders->size() != 1 || state < 1 || state > 3) {
        return std::unexpected{
            IssuingFailure{IssuingRefusal::store_failed,
                           "line " + std::to_string(statement.integer(0)) + " is damaged"}};
    }
    IssueLine line{statement.integer(0), orders->front(), static_cast<LineState>(state), {}};
    if (auto* card = std::get_if<CardOrder>(&line.order)) card->pin = statement.text(2);
    if (const auto chip = statement.array<8>(4)) line.chip = ChipSerial{*chip};
    return line;
}

std::string number_text(const IssueOrder& order) {
    if (const auto* card = std::get_if<CardOrder>(&order)) return platform::mask(card->number);
    return platform::to_hex(number_of(order));
}

}  // namespace

const char* name(LineState state) {
    switch (state) {
        case LineState::open: return "open";
        case LineState::bound: return "bound";
        case LineState::issued: return "issued";
    }
    return "unknown";
}

Result<IssueStore> IssueStore::open(const std::filesystem::path& file, Mark mark, CityCode city) {
    sqlite::Options options;
    options.application_id = application_id;
    ONECARD_TRY(database, plain(sqlite::Database::open(file, options)));
    ONECARD_CHECK(plain(database.migrate(schema)));
    IssueStore store{std::move(database)};
    ONECARD_CHECK(store.check_owner(mark, city));
    return store;
}

Result<void> IssueStore::check_owner(Mark mark, CityCode city) {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(select, plain(database_.prepare("SELECT mark, city FROM owner")));
    ONECARD_TRY(row, plain(select.step()));
    if (!row) {
        ONECARD_TRY(insert, plain(database_.prepare("INSERT INTO owner VALUES(?1, ?2)")));
        ONECARD_CHECK(plain(insert.run(static_cast<std::uint8_t>(mark), city.value())));
        return plain(transaction.commit());
    }
    if (select.integer(0) != static_cast<std::uint8_t>(mark)) {
        return refuse(RefusalKind::mark_mismatch,
                      std::string{"the issue state is not "} + word(mark));
    }
    if (select.integer(1) != city.value()) {
        return refuse(RefusalKind::city_mismatch,
                      "the issue state is not of city " + city_digits(city));
    }
    return {};
}

Result<std::int64_t> IssueStore::import(const std::vector<IssueOrder>& orders) {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(
        find, plain(database_.prepare("SELECT content FROM line WHERE kind = ?1 AND number = ?2")));
    ONECARD_TRY(insert,
                plain(database_.prepare(
                    "INSERT INTO line(kind, number, content, pin) VALUES(?1, ?2, ?3, ?4)")));
    std::int64_t added = 0;
    for (const IssueOrder& order : orders) {
        const auto kind = static_cast<std::uint8_t>(kind_of(order));
        const std::string content = content_of(order);
        ONECARD_TRY(known, plain(find.first(kind, number_of(order))));
        if (known && find.text(0) != content) {
            return refuse(RefusalKind::input_wrong, number_text(order) +
                                                        ": is ordered already, differently; "
                                                        "nothing was imported");
        }
        if (known) continue;
        ONECARD_CHECK(plain(insert.run(kind, number_of(order), content, pin_of(order))));
        ++added;
    }
    find.reset();
    ONECARD_CHECK(plain(transaction.commit()));
    return added;
}

IssuingResult<std::optional<IssueLine>> IssueStore::find_claimed(const DeskReference& who) {
    ONECARD_TRY(select, issuing(database_.prepare(std::string{line_columns} +
                                                  "WHERE desk = ?1 AND reference = ?2")));
    ONECARD_TRY(row, issuing(select.first(who.desk, who.reference)));
    if (!row) return std::nullopt;
    ONECARD_TRY(line, read_line(select));
    return line;
}

IssuingResult<IssueLine> IssueStore::claim_next(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(select, issuing(database_.prepare(
                            std::string{line_columns} +
                            "WHERE kind = ?1 AND state = 1 AND desk IS NULL ORDER BY id LIMIT 1")));
    ONECARD_TRY(row, issuing(select.first(static_cast<std::uint8_t>(kind))));
    if (!row) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::line_unknown,
            std::string{"no open line for a "} + name(kind) + ": import more (issuing import)"}};
    }
    ONECARD_TRY(line, read_line(select));
    select.reset();
    ONECARD_TRY(
        update,
        issuing(database_.prepare("UPDATE line SET desk = ?2, reference = ?3 WHERE id = ?1")));
    ONECARD_CHECK(issuing(update.run(line.id, who.desk, who.reference)));
    return line;
}

IssuingResult<IssueLine> IssueStore::claim(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(claimed, find_claimed(who));
    if (claimed && kind_of(claimed->order) != kind) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::wrong_kind,
            std::string{"this reference stands for a "} + name(kind_of(claimed->order))}};
    }
    if (claimed) return *std::move(claimed);
    ONECARD_TRY(line, claim_next(who, kind));
    ONECARD_CHECK(issuing(transaction.commit()));
    return line;
}

IssuingResult<void> IssueStore::bind(const IssueLine& line, const ChipSerial& chip,
                                     const std::string& entry) {
    if (line.chip && *line.chip != chip) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::line_bound_to_other_chip,
            number_text(line.order) + " belongs to chip " + platform::to_hex(line.chip->value()) +
                ": bring that one, or release the line (issuing release)"}};
    }
    ONECARD_TRY(update, issuing(database_.prepare(
                            "UPDATE line SET chip = ?2, entry = ?3, state = 2 "
                            "WHERE id = ?1 AND state < 3 AND (chip IS NULL OR chip = ?2)")));
    const auto bound = update.run(line.id, chip.value(), entry);
    if (!bound && bound.error().error == sqlite::Error::constraint) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::chip_bound_to_other_line,
            "chip " + platform::to_hex(chip.value()) + " stands on another line already"}};
    }
    if (!bound) return std::unexpected{broken_issuing(bound.error())};
    if (database_.changes() == 1) return {};
    return std::unexpected{IssuingFailure{IssuingRefusal::line_bound_to_other_chip,
                                          "another session took the line: begin again"}};
}

IssuingResult<void> IssueStore::finish(const IssueLine& line) {
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(insert, issuing(database_.prepare(
                            "INSERT INTO registry(line, entry) "
                            "SELECT id, entry FROM line WHERE id = ?1 AND state = 2")));
    ONECARD_TRY(update, issuing(database_.prepare(
                            "UPDATE line SET state = 3, pin = '' WHERE id = ?1 AND state = 2")));
    ONECARD_CHECK(issuing(insert.run(line.id)));
    ONECARD_CHECK(issuing(update.run(line.id)));
    return issuing(transaction.commit());
}

Result<void> IssueStore::release(ChipKind kind, const std::array<std::uint8_t, 10>& number) {
    ONECARD_TRY(
        update,
        plain(database_.prepare(
            "UPDATE line SET chip = NULL, entry = NULL, state = 1, desk = NULL, reference = NULL "
            "WHERE kind = ?1 AND number = ?2 AND state = 2")));
    ONECARD_CHECK(plain(update.run(static_cast<std::uint8_t>(kind), number)));
    if (database_.changes() == 1) return {};
    return refuse(RefusalKind::input_wrong,
                  "no line with this number is bound to a chip: nothing to release");
}

Result<IssueCounts> IssueStore::counts() {
    ONECARD_TRY(select,
                plain(database_.prepare("SELECT state, count(*) FROM line GROUP BY state")));
    IssueCounts counts;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return counts;
        const std::int64_t count = select.integer(1);
        if (select.integer(0) == 1) counts.open = count;
        if (select.integer(0) == 2) counts.bound = count;
        if (select.integer(0) == 3) counts.issued = count;
    }
}

Result<std::int64_t> IssueStore::registry(std::int64_t after,
                                          const std::function<void(const std::string&)>& each,
                                          std::int64_t count_max) {
    ONECARD_TRY(select, plain(database_.prepare("SELECT sequence, entry FROM registry "
                                                "WHERE sequence > ?1 ORDER BY sequence LIMIT ?2")));
    ONECARD_CHECK(plain(select.bind_all(after, count_max)));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return after;
        after = select.integer(0);
        each(std::string{select.text(1)});
    }
}

Result<std::int64_t> IssueStore::told() {
    ONECARD_TRY(select, plain(database_.prepare("SELECT number FROM told")));
    ONECARD_TRY(row, plain(select.step()));
    return row ? select.integer(0) : 0;
}

Result<void> IssueStore::set_told(std::int64_t number) {
    ONECARD_TRY(update, plain(database_.prepare("UPDATE told SET number = ?1")));
    return plain(update.run(number));
}

std::string registry_line(Mark mark, const IssuerPlace& place, const IssueOrder& order,
                          const ChipSerial& chip, std::span<const KeyStamp> keys) {
    json::object entry{{"kind", name(kind_of(order))},
                       {"mark", word(mark)},
                       {"number", platform::to_hex(number_of(order))},
                       {"chip", platform::to_hex(chip.value())},
                       {"city", city_digits(place.city)}};
    if (const auto* card = std::get_if<CardOrder>(&order)) {
        entry["issuer"] = platform::to_hex(place.issuer.value());
        entry["suite"] = word(card->suite);
        entry["key_version"] = keys.empty() ? 0 : keys.front().version.value();
        entry["valid_from"] = platform::to_hex(card->valid_from.bcd());
        entry["valid_to"] = platform::to_hex(card->valid_to.bcd());
        entry["holder"] = word(card->holder);
        entry["interoperable"] = card->interoperable;
    } else {
        const auto& sam = std::get<SamOrder>(order);
        entry["terminal"] = platform::to_hex(sam.terminal.value());
        entry["operator"] = platform::to_hex(sam.operator_id.value());
        entry["valid_from"] = platform::to_hex(sam.valid_from.bcd());
        entry["valid_to"] = platform::to_hex(sam.valid_to.bcd());
        json::array versions;
        for (const KeyStamp& key : keys) {
            versions.push_back(
                json::object{{"suite", word(key.suite)}, {"version", key.version.value()}});
        }
        entry["keys"] = std::move(versions);
    }
    return json::serialize(entry);
}

}  // namespace host::keys
