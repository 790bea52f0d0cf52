#include "protocol/transit_card.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::ParseError;
using protocol::RailJourney;
using tests::hex;
using tests::to_hex;

namespace {

RailJourney journey() {
    RailJourney out;
    out.state = protocol::JourneyState::entered;
    out.card = protocol::CardNumber{{0x00, 0x00, 0x31, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x17}};
    out.entry_city = protocol::CityCode{0x2900};
    out.entry_station = protocol::StationCode{0x0107};
    out.entry_time = {*protocol::Date::make(2026, 11, 23), *protocol::Time::make(8, 1, 2)};
    out.maximum = protocol::Money::from_fen(1000);
    out.entry_balance = protocol::Money::from_fen(5000);
    return out;
}

}  // namespace

TEST_CASE("PublicInfo: file 15 of a T-Union card, 30 bytes (domain.md 3.1)") {
    const auto raw = hex("0310487000000000 02 01 00003104870000000017 20200101 20301231 0000");
    const auto info = protocol::PublicInfo::parse(raw);
    REQUIRE(info);
    CHECK(info->start_flag == 1);
    CHECK(to_hex(card_factor(info->card)) == "3104870000000017");
    CHECK(to_hex(info->bytes()) == to_hex(raw));
}

TEST_CASE("PublicInfo: wrong length, letters in the number, impossible dates are refused") {
    CHECK(protocol::PublicInfo::parse(hex("0310")).error() == ParseError::truncated);
    CHECK(protocol::PublicInfo::parse(
              hex("0310487000000000 02 01 0000310487000000001A 20200101 20301231 0000"))
              .error() == ParseError::not_bcd);
    CHECK(protocol::PublicInfo::parse(
              hex("0310487000000000 02 01 00003104870000000017 20200101 20301331 0000"))
              .error() == ParseError::not_a_date);
    CHECK(protocol::PublicInfo::parse(
              hex("0310487000000000 02 01 00003104870000000017 20200101 20301231 0000 00"))
              .error() == ParseError::trailing_bytes);
}

TEST_CASE("ManagementInfo: an unknown card kind is refused (domain.md 3.1)") {
    std::vector<std::uint8_t> raw(60);
    raw[10] = 2;
    REQUIRE(protocol::ManagementInfo::parse(raw));
    for (const int wrong : {0, 6, 255}) {
        raw[10] = static_cast<std::uint8_t>(wrong);
        CHECK(protocol::ManagementInfo::parse(raw).error() == ParseError::wrong_value);
    }
}

TEST_CASE("RailJourney: fields stand at the offsets of domain.md 3.3") {
    const auto raw = journey().bytes();
    CHECK(to_hex(protocol::Bytes{raw}.first(2)) == "2701");
    CHECK(raw[14] == 0x01);
    CHECK(to_hex(protocol::Bytes{raw}.subspan(15, 2)) == "2900");
    CHECK(to_hex(protocol::Bytes{raw}.subspan(35, 8)) == "0000000000000107");
    CHECK(to_hex(protocol::Bytes{raw}.subspan(67, 7)) == "20261123080102");
    CHECK(to_hex(protocol::Bytes{raw}.subspan(81, 4)) == "000003E8");
    CHECK(to_hex(protocol::Bytes{raw}.subspan(91, 4)) == "00001388");
    const auto back = RailJourney::parse(raw);
    REQUIRE(back);
    CHECK(back->bytes() == raw);
}

TEST_CASE("RailJourney: one changed bit anywhere in the checked part is noticed") {
    const auto good = journey().bytes();
    for (std::size_t bit = 6 * 8; bit < 128 * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ 1U << bit % 8);
        const auto read = RailJourney::parse(bad);
        const bool cleared = read && read->state == protocol::JourneyState::none;
        const bool is_state_bit = bit / 8 == 14;
        CAPTURE(bit);
        REQUIRE((!read || (cleared && is_state_bit)));
    }
}

TEST_CASE("TripRecord: an unknown type and an impossible time are refused (domain.md 3.2)") {
    protocol::TripRecord trip{};
    trip.when = {*protocol::Date::make(2026, 11, 23), *protocol::Time::make(8, 1, 2)};
    auto raw = trip.bytes();
    REQUIRE(protocol::TripRecord::parse(raw));
    raw[0] = 0x0B;
    CHECK(protocol::TripRecord::parse(raw).error() == ParseError::wrong_value);
    raw = trip.bytes();
    raw[27] = 0x13;  // the month: amount and balance end at 24
    CHECK_FALSE(protocol::TripRecord::parse(raw));
    CHECK_FALSE(protocol::TripRecord::parse(protocol::Bytes{raw}.first(47)));
}
