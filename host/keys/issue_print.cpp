#include "host/keys/issue_print.hpp"

#include "host/keys/issue_rows.hpp"

namespace host::keys {
namespace {

namespace sqlite = platform::sqlite;

constexpr const char* select_line =
    "SELECT id, kind, number, content, has_pin, ordered, pin, state, chip, entry, desk, reference, "
    "(SELECT members FROM key_set WHERE key_set.id = line.key_set), state_before, reason, since, "
    "replaced_by, chip_blocked FROM line WHERE id = ?1";
constexpr const char* select_event =
    "SELECT event.id, event.at, event.who, event.step, event.line, event.before, event.after, "
    "event.detail, registry.sequence, registry.line, registry.topic, registry.entry, scrap.chip, "
    "scrap.line, (SELECT members FROM key_set WHERE key_set.id = scrap.key_set) FROM event "
    "LEFT JOIN registry ON registry.event = event.id LEFT JOIN scrap ON scrap.event = event.id "
    "WHERE event.id = ?1";

crypto::Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

void feed_row(crypto::Sm3& print, const sqlite::Statement& row, int count) {
    for (int column = 0; column < count; ++column) {
        const std::string_view value = row.text(column);
        const std::string size = row.is_null(column) ? "-," : std::to_string(value.size()) + ",";
        print.update(bytes_of(size)).update(bytes_of(value));
    }
}

Result<Printer> Printer::make(sqlite::Database& database) {
    ONECARD_TRY(line, plain(database.prepare(select_line)));
    ONECARD_TRY(event, plain(database.prepare(select_event)));
    return Printer{std::move(line), std::move(event)};
}

Result<Print> Printer::print(sqlite::Statement& select, std::int64_t id) {
    ONECARD_TRY(row, plain(select.first(id)));
    crypto::Sm3 print;
    if (row) feed_row(print, select, select.column_count());
    select.reset();
    return print.finish();
}

}  // namespace host::keys
