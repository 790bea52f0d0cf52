#include "protocol/bcd.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

TEST_CASE("read_bcd: digits in, value out") {
    CHECK(protocol::read_bcd(tests::hex("0731")) == 731U);
    CHECK(protocol::read_bcd(tests::hex("")) == 0U);
    CHECK(protocol::read_bcd(tests::hex("999999999999999999")) == 999999999999999999U);
}

TEST_CASE("read_bcd: letters and too many digits are refused") {
    for (const char* wrong : {"0A", "A0", "12F4", "FF"}) {
        CHECK(protocol::read_bcd(tests::hex(wrong)).error() == protocol::ParseError::not_bcd);
    }
    CHECK(protocol::read_bcd(tests::hex("00000000000000000001")).error() ==
          protocol::ParseError::too_large);
}

TEST_CASE("write_bcd: leading zeros, and the low digits where the value is longer") {
    std::array<std::uint8_t, 3> out{};
    protocol::write_bcd(out, 731);
    CHECK(tests::to_hex(out) == "000731");
    protocol::write_bcd(out, 12345678);
    CHECK(tests::to_hex(out) == "345678");
}
