#include "platform/clock.hpp"

#include <algorithm>

namespace platform {

protocol::DateTime local_date_time(std::int64_t unix_ms, std::int32_t offset_minutes) {
    using std::chrono::floor;
    constexpr std::int64_t last_second = 253402300799;  // 9999-12-31 23:59:59
    const std::int64_t seconds =
        std::clamp(floor<std::chrono::seconds>(std::chrono::milliseconds{unix_ms}).count() +
                       std::int64_t{offset_minutes} * 60,
                   std::int64_t{0}, last_second);
    const std::chrono::sys_seconds when{std::chrono::seconds{seconds}};
    const auto day = floor<std::chrono::days>(when);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{when - day};
    // In range by the clamp above, so make() cannot refuse.
    return {
        protocol::Date::make(static_cast<unsigned>(static_cast<int>(date.year())),
                             static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()))
            .value(),
        protocol::Time::make(static_cast<unsigned>(clock.hours().count()),
                             static_cast<unsigned>(clock.minutes().count()),
                             static_cast<unsigned>(clock.seconds().count()))
            .value()};
}

}  // namespace platform
