#pragma once
// Dates and times as cards and terminals write them: YYYYMMDD and hhmmss in BCD, the city's local
// time. Comparison is chronological because the digits are big-endian.
#include <compare>

#include "protocol/bcd.hpp"

namespace protocol {

class Date {
public:
    constexpr Date() = default;  // 00000000: "no date", earlier than every real one
    [[nodiscard]] static constexpr Parsed<Date> parse(std::span<const std::uint8_t, 4> bcd) {
        if (!is_bcd(bcd)) return refuse(ParseError::not_bcd);
        return make(from_bcd(bcd[0]) * 100 + from_bcd(bcd[1]), from_bcd(bcd[2]), from_bcd(bcd[3]));
    }
    [[nodiscard]] static constexpr Parsed<Date> make(unsigned year, unsigned month, unsigned day) {
        if (year == 0 || year > 9999 || month == 0 || month > 12 || day == 0 ||
            day > days_in_month(year, month)) {
            return refuse(ParseError::not_a_date);
        }
        return Date{{to_bcd(year / 100), to_bcd(year % 100), to_bcd(month), to_bcd(day)}};
    }
    [[nodiscard]] constexpr const std::array<std::uint8_t, 4>& bcd() const { return bcd_; }
    [[nodiscard]] constexpr unsigned year() const {
        return from_bcd(bcd_[0]) * 100 + from_bcd(bcd_[1]);
    }
    [[nodiscard]] constexpr unsigned month() const { return from_bcd(bcd_[2]); }
    [[nodiscard]] constexpr unsigned day() const { return from_bcd(bcd_[3]); }
    friend constexpr auto operator<=>(const Date&, const Date&) = default;

    [[nodiscard]] static constexpr unsigned days_in_month(unsigned year, unsigned month) {
        constexpr std::array<std::uint8_t, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        return month == 2 && leap ? 29U : days[month - 1];
    }

private:
    explicit constexpr Date(std::array<std::uint8_t, 4> bcd) : bcd_{bcd} {}
    std::array<std::uint8_t, 4> bcd_{};
};

class Time {
public:
    constexpr Time() = default;  // 00:00:00
    [[nodiscard]] static constexpr Parsed<Time> parse(std::span<const std::uint8_t, 3> bcd) {
        if (!is_bcd(bcd)) return refuse(ParseError::not_bcd);
        return make(from_bcd(bcd[0]), from_bcd(bcd[1]), from_bcd(bcd[2]));
    }
    [[nodiscard]] static constexpr Parsed<Time> make(unsigned hour, unsigned minute,
                                                     unsigned second) {
        if (hour > 23 || minute > 59 || second > 59) return refuse(ParseError::not_a_date);
        return Time{{to_bcd(hour), to_bcd(minute), to_bcd(second)}};
    }
    [[nodiscard]] constexpr const std::array<std::uint8_t, 3>& bcd() const { return bcd_; }
    [[nodiscard]] constexpr unsigned seconds_of_day() const {
        return from_bcd(bcd_[0]) * 3600 + from_bcd(bcd_[1]) * 60 + from_bcd(bcd_[2]);
    }
    friend constexpr auto operator<=>(const Time&, const Time&) = default;

private:
    explicit constexpr Time(std::array<std::uint8_t, 3> bcd) : bcd_{bcd} {}
    std::array<std::uint8_t, 3> bcd_{};
};

/// YYYYMMDDhhmmss, seven bytes on the card (file 1E) and in files.
struct DateTime {
    Date date;
    Time time;
    [[nodiscard]] static constexpr Parsed<DateTime> parse(std::span<const std::uint8_t, 7> bcd) {
        ONECARD_TRY(day, Date::parse(bcd.first<4>()));
        ONECARD_TRY(clock, Time::parse(bcd.last<3>()));
        return DateTime{day, clock};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, 7> bcd() const {
        std::array<std::uint8_t, 7> out{};
        std::ranges::copy(date.bcd(), out.begin());
        std::ranges::copy(time.bcd(), out.begin() + 4);
        return out;
    }
    friend constexpr auto operator<=>(const DateTime&, const DateTime&) = default;
};

/// Days since 1970-01-01 of a real date (proleptic Gregorian).
[[nodiscard]] constexpr std::int64_t days_since_epoch(const Date& date) {
    const std::int64_t year = static_cast<std::int64_t>(date.year()) - (date.month() <= 2 ? 1 : 0);
    const std::int64_t era = year / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t shifted_month = (date.month() + 9) % 12;  // March is 0
    const std::int64_t day_of_year = (153 * shifted_month + 2) / 5 + date.day() - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}
/// Seconds since 1970-01-01 00:00:00 in the same zone.
[[nodiscard]] constexpr std::int64_t seconds_since_epoch(const DateTime& when) {
    return days_since_epoch(when.date) * 86400 + when.time.seconds_of_day();
}
static_assert(days_since_epoch(*Date::make(1970, 1, 1)) == 0);
static_assert(days_since_epoch(*Date::make(2000, 3, 1)) == 11017);
static_assert(!Date::make(2023, 2, 29) && Date::make(2024, 2, 29));

}  // namespace protocol
