#pragma once
// Protocol types as SQLite values and back. A value that does not fit marks the store as damaged.
#include "host/store/sqlite_session.hpp"

namespace host::store {

using platform::sqlite::Statement;

[[nodiscard]] inline std::int64_t to_integer(const Date& date) {
    return std::int64_t{date.year()} * 10'000 + date.month() * 100 + date.day();
}
[[nodiscard]] inline std::optional<Date> to_date(std::int64_t number) {
    if (number < 0 || number > 9999'12'31) return std::nullopt;
    const auto value = static_cast<unsigned>(number);
    const auto date = Date::make(value / 10'000, value / 100 % 100, value % 100);
    return date ? std::optional{*date} : std::nullopt;
}

class Columns {
public:
    Columns(SqliteSession& session, const Statement& row, const char* where)
        : session_{session}, row_{row}, where_{where} {}
    [[nodiscard]] std::int64_t integer(int column) const { return row_.integer(column); }
    template <class Unsigned>
    [[nodiscard]] Unsigned number(int column) const {
        const std::int64_t value = row_.integer(column);
        if (value < 0 || static_cast<std::uint64_t>(value) > std::numeric_limits<Unsigned>::max()) {
            session_.damaged(where_);
            return 0;
        }
        return static_cast<Unsigned>(value);
    }
    [[nodiscard]] std::string text(int column) const { return std::string{row_.text(column)}; }
    [[nodiscard]] FileBytes blob(int column) const {
        const auto bytes = row_.blob(column);
        return {bytes.begin(), bytes.end()};
    }
    /// A strong id over an array of bytes, or the array itself.
    template <class Id>
    [[nodiscard]] Id id(int column) const {
        const auto bytes = row_.array<sizeof(Id)>(column);
        if (!bytes) session_.damaged(where_);
        return Id{bytes.value_or(std::array<std::uint8_t, sizeof(Id)>{})};
    }
    template <std::size_t size>
    [[nodiscard]] std::array<std::uint8_t, size> array(int column) const {
        return id<std::array<std::uint8_t, size>>(column);
    }
    [[nodiscard]] Date date(int column) const {
        const auto out = to_date(row_.integer(column));
        if (!out) session_.damaged(where_);
        return out.value_or(Date{});
    }
    /// All zeros are "no date", earlier than every real one (protocol/date_time.hpp).
    [[nodiscard]] DateTime date_time(int column) const {
        const auto bytes = array<7>(column);
        if (bytes == DateTime{}.bcd()) return DateTime{};
        return parsed<DateTime>([](const auto& stamp) { return DateTime::parse(stamp); }, bytes);
    }
    [[nodiscard]] std::optional<DateTime> optional_date_time(int column) const {
        if (row_.is_null(column)) return std::nullopt;
        return date_time(column);
    }
    [[nodiscard]] CityCode city(int column) const {
        return CityCode{number<std::uint16_t>(column)};
    }
    template <class T>
    [[nodiscard]] T object(int column) const {
        return parsed<T>([](protocol::Bytes bytes) { return T::parse(bytes); }, row_.blob(column));
    }

private:
    template <class T, class Parse, class Raw>
    [[nodiscard]] T parsed(const Parse& parse, const Raw& raw) const {
        const auto out = parse(raw);
        if (!out) session_.damaged(where_);
        return out ? *out : T{};
    }
    SqliteSession& session_;
    const Statement& row_;
    const char* where_;
};

}  // namespace host::store
