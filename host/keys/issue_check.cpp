#include "host/keys/issue_check.hpp"

#include <boost/json.hpp>

#include "host/keys/issue_rows.hpp"
#include "host/keys/issue_schema.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;

std::string number(std::int64_t value) {
    return std::to_string(value);
}

/// A member of an entry, or nothing.
std::string text_in(const json::object& object, std::string_view member) {
    const json::value* value = object.if_contains(member);
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}
json::object object_in(const std::string& line) {
    boost::system::error_code error;
    json::value parsed = json::parse(line, error);
    return !error && parsed.is_object() ? std::move(parsed.get_object()) : json::object{};
}

/// Tables, indexes and triggers, as SQLite keeps their text.
Result<std::string> schema_of(sqlite::Database& database) {
    ONECARD_TRY(select, plain(database.prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, "
                                               "'') FROM sqlite_schema ORDER BY type, name")));
    std::string text;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return text;
        text += std::string{select.text(0)} + "\n";
    }
}

/// A line of which no event tells more than its import.
constexpr const char* select_lines =
    "SELECT id, kind, number, content, has_pin, ordered, state = 1 AND chip IS NULL AND entry IS "
    "NULL AND desk IS NULL AND reference IS NULL AND key_set IS NULL AND state_before IS NULL AND "
    "reason IS NULL AND since IS NULL AND replaced_by IS NULL AND chip_blocked = 0 AND "
    "(length(pin) > 0) = has_pin FROM line ORDER BY id";
constexpr int untouched_column = order_column_count;
constexpr const char* select_newest =
    "SELECT number, line FROM audit WHERE number = (SELECT max(id) FROM event WHERE line = ?1)";

}  // namespace

Result<StateCheck> StateCheck::make(sqlite::Database& database) {
    ONECARD_TRY(printer, Printer::make(database));
    StateCheck check{database, std::move(printer)};
    ONECARD_CHECK(check.check_schema());
    return check;
}

Result<void> StateCheck::take(const std::string& line) {
    ++entries_;
    const json::object entry = object_in(line);
    ONECARD_TRY(print, printer_.event(entries_));
    if (text_in(entry, "event") != platform::to_hex(print)) {
        found("what entry " + number(entries_) +
              " tells was changed: its event, or what was written with it");
    }
    const json::value* detail = entry.if_contains("detail");
    if (detail == nullptr || !detail->is_object()) return {};
    const json::object& said = detail->get_object();
    const json::value* count = said.if_contains("new");
    if (text_in(said, "command") != name(ChipStep::import) || count == nullptr) return {};
    imports_.emplace(
        entries_, Import{text_in(said, "rows"), count->is_int64() ? count->get_int64() : 0, {}, 0});
    return {};
}

Result<std::optional<std::string>> StateCheck::conclude() {
    ONECARD_CHECK(check_lines());
    check_imports();
    ONECARD_CHECK(check_key_sets());
    ONECARD_CHECK(check_strays());
    return fault_;
}

/// A trigger could change behind our back what we have just vouched for.
Result<void> StateCheck::check_schema() {
    ONECARD_TRY(fresh, plain(sqlite::Database::open(":memory:")));
    ONECARD_CHECK(plain(fresh.migrate(issue_schema)));
    ONECARD_TRY(wanted, schema_of(fresh));
    ONECARD_TRY(present, schema_of(database_));
    if (wanted != present) found("its tables, indexes or triggers are not this program's");
    return {};
}

Result<void> StateCheck::check_lines() {
    ONECARD_TRY(line, plain(database_.get().prepare(select_lines)));
    ONECARD_TRY(newest, plain(database_.get().prepare(select_newest)));
    for (;;) {
        ONECARD_TRY(row, plain(line.step()));
        if (!row) return {};
        ONECARD_CHECK(check_line(line, newest));
    }
}

Result<void> StateCheck::check_line(sqlite::Statement& line, sqlite::Statement& newest) {
    const std::int64_t id = line.integer(0);
    const auto import = imports_.find(line.integer(order_column_count - 1));
    if (import == imports_.end()) {
        found("line " + number(id) + " was brought by no import");
    } else {
        feed_row(import->second.print, line, order_column_count);
        ++import->second.found;
    }
    ONECARD_TRY(changed, plain(newest.first(id)));
    if (!changed) {
        if (line.integer(untouched_column) == 0) {
            found("line " + number(id) + " was changed, and no entry tells it");
        }
        return {};
    }
    const std::int64_t entry = newest.integer(0);
    const std::string said = text_in(object_in(std::string{newest.text(1)}), "row");
    ONECARD_TRY(print, printer_.line(id));
    if (said != platform::to_hex(print)) {
        found("line " + number(id) + " is not what entry " + number(entry) + " left");
    }
    return {};
}

void StateCheck::check_imports() {
    for (auto& [entry, import] : imports_) {
        if (import.found != import.count) {
            found("of the import of entry " + number(entry) + ", " + number(import.count) +
                  " lines, " + number(import.found) + " are there");
        }
        if (platform::to_hex(import.print.finish()) != import.rows) {
            found("the lines that entry " + number(entry) + " imported were changed");
        }
    }
}

/// A set's members stand twice: by name, as lines are vouched for, and as rows, as they are asked
/// for.
Result<void> StateCheck::check_key_sets() {
    ONECARD_TRY(set, plain(database_.get().prepare("SELECT id, members FROM key_set ORDER BY id")));
    ONECARD_TRY(member, plain(database_.get().prepare(
                            "SELECT use, suite, version, national FROM key_set_member WHERE "
                            "key_set = ?1")));
    for (;;) {
        ONECARD_TRY(row, plain(set.step()));
        if (!row) return {};
        ONECARD_CHECK(plain(member.bind_all(set.integer(0))));
        ONECARD_TRY(keys, read_keys(member));
        if (members_text(std::move(keys)) != set.text(1)) {
            found("key set " + number(set.integer(0)) + " does not hold the keys of its name");
        }
    }
}

/// Rows beside those that the entries tell.
Result<void> StateCheck::check_strays() {
    for (const char* table : {"registry", "scrap"}) {
        ONECARD_TRY(select,
                    plain(database_.get().prepare(std::string{"SELECT count(*) FROM "} + table +
                                                  " WHERE event NOT BETWEEN 1 AND ?1")));
        ONECARD_CHECK(plain(select.first(entries_)));
        if (select.integer(0) != 0) found(std::string{table} + " has rows that no entry tells");
    }
    ONECARD_TRY(select, plain(database_.get().prepare("SELECT count(*) FROM event WHERE id < 1")));
    ONECARD_CHECK(plain(select.first()));
    if (select.integer(0) != 0) found("there are events that no entry tells");
    return {};
}

}  // namespace host::keys
