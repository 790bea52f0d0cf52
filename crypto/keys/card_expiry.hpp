#pragma once
// MM YY of card certificates: valid through the last day of the month. EMV 4.4 Book 2, tables 6
// and 14; years 50-99 are 19xx (Book 4, 6.7.3).
#include <array>

#include "protocol/date_time.hpp"

namespace crypto::keys {

using CardExpiry = std::array<std::uint8_t, 2>;  ///< BCD

[[nodiscard]] constexpr bool is_card_expiry(const CardExpiry& expiry) {
    return protocol::is_bcd(expiry) && protocol::from_bcd(expiry[0]) >= 1 &&
           protocol::from_bcd(expiry[0]) <= 12;
}
/// `expiry` is one.
[[nodiscard]] constexpr bool is_expired(const CardExpiry& expiry, const protocol::Date& today) {
    const unsigned short_year = protocol::from_bcd(expiry[1]);
    const unsigned year = short_year >= 50 ? 1900 + short_year : 2000 + short_year;
    const unsigned month = protocol::from_bcd(expiry[0]);
    return today.year() > year || (today.year() == year && today.month() > month);
}

}  // namespace crypto::keys
