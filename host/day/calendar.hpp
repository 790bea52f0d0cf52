#pragma once
// Business dates and the cut-off. docs/day.md, 1 and 5.
#include "protocol/date_time.hpp"

namespace host::day {

/// The following calendar day; the year 9999 has no end here.
[[nodiscard]] constexpr protocol::Date next_day(const protocol::Date& date) {
    const unsigned last = protocol::Date::days_in_month(date.year(), date.month());
    if (date.day() < last) {
        return *protocol::Date::make(date.year(), date.month(), date.day() + 1);
    }
    if (date.month() < 12) return *protocol::Date::make(date.year(), date.month() + 1, 1);
    return protocol::Date::make(date.year() + 1, 1, 1).value_or(date);
}
static_assert(next_day(*protocol::Date::make(2024, 2, 28)) == *protocol::Date::make(2024, 2, 29));
static_assert(next_day(*protocol::Date::make(2026, 12, 31)) == *protocol::Date::make(2027, 1, 1));

/// The open day is to be closed: its own cut-off has passed. A day before today is over, whatever
/// the hour: the host was down in between. A day after today never is: it was closed by hand, or
/// the clock stepped back.
[[nodiscard]] constexpr bool close_is_due(const protocol::Date& open, const protocol::Time& cut_off,
                                          const protocol::DateTime& now) {
    return open < now.date || (open == now.date && now.time >= cut_off);
}

/// How far two cities' open dates may lie apart: more is a wrong clock, not a late close.
constexpr std::int64_t dates_apart_max = 3;

}  // namespace host::day
