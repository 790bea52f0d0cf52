#include "protocol/date_time.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::Date;
using protocol::DateTime;
using protocol::ParseError;

namespace {

protocol::Parsed<DateTime> parse(const char* text) {
    const auto raw = tests::hex(text);
    return DateTime::parse(protocol::Bytes{raw}.first<7>());
}

}  // namespace

TEST_CASE("DateTime: what does not exist is refused") {
    for (const char* wrong :
         {"20260229000000", "20261301000000", "20260001000000", "20260100000000", "20260431000000",
          "20260101240000", "20260101006000", "20260101000060", "00000101000000"}) {
        CAPTURE(wrong);
        CHECK(parse(wrong).error() == ParseError::not_a_date);
    }
    for (const char* wrong : {"2026010A000000", "20260101FF0000"}) {
        CHECK(parse(wrong).error() == ParseError::not_bcd);
    }
}

TEST_CASE("DateTime: order is chronological and bytes come back") {
    CHECK(*parse("20261231235959") < *parse("20270101000000"));
    CHECK(tests::to_hex(parse("20240229120000")->bcd()) == "20240229120000");
}

TEST_CASE("days_since_epoch: agrees with the standard library over four centuries") {
    using namespace std::chrono;
    for (sys_days day = 1900y / January / 1; day < sys_days{2300y / January / 1}; day += days{17}) {
        const year_month_day ymd{day};
        const auto date =
            Date::make(static_cast<unsigned>(static_cast<int>(ymd.year())),
                       static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
        REQUIRE(date);
        REQUIRE(days_since_epoch(*date) == day.time_since_epoch().count());
    }
}
