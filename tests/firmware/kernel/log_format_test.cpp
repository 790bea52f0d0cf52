// The units the store writes. docs/card_storage.md, section 2.
#include "firmware/kernel/log_format.hpp"

#include <doctest/doctest.h>

using namespace firmware;
namespace format = firmware::log_format;

TEST_CASE("crc32: the check value of the IEEE 802.3 polynomial") {
    format::Crc32 crc;
    constexpr std::array<std::uint8_t, 9> digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    crc.add(digits);
    CHECK(crc.value() == FlashUnit{0xCB, 0xF4, 0x39, 0x26});  // "check" in the catalogue of CRCs
}

TEST_CASE("crc8: the check value of CRC-8/AUTOSAR (polynomial 2F)") {
    constexpr std::array<std::uint8_t, 9> digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK(format::crc8(digits) == 0xDF);
}

TEST_CASE("header: every kind comes back as it was written (2.2)") {
    for (unsigned kind = 0; kind < 64; ++kind) {
        if (!format::is_kind(kind)) continue;
        const format::Header header{static_cast<format::Kind>(kind), 0x2A5, 0x7E};
        const auto back = format::decode(format::encode(header));
        REQUIRE(back.has_value());
        CHECK(back->kind == header.kind);
        CHECK(back->id == 0x2A5);
        CHECK(back->argument == 0x7E);
    }
}

TEST_CASE("header: no pattern of one, two or three flipped bits is another header (2.2)") {
    const FlashUnit good = format::encode({format::Kind::entry_put, 0x155, 27});
    const auto flipped = [&](unsigned a, unsigned b, unsigned c) {
        FlashUnit unit = good;
        for (const unsigned bit : {a, b, c}) {
            if (bit < 32) unit[bit / 8] = static_cast<std::uint8_t>(unit[bit / 8] ^ 1U << bit % 8);
        }
        return unit;
    };
    for (unsigned a = 0; a < 32; ++a) {
        CHECK_FALSE(format::decode(flipped(a, 32, 32)));
        for (unsigned b = 0; b < a; ++b) {
            CHECK_FALSE(format::decode(flipped(a, b, 32)));
            for (unsigned c = 0; c < b; ++c) CHECK_FALSE(format::decode(flipped(a, b, c)));
        }
    }
}

TEST_CASE("header: erased and zeroed units are none (2.2)") {
    CHECK_FALSE(format::decode(format::erased_unit));
    CHECK_FALSE(format::decode(format::zero_unit));
}

TEST_CASE("opening: comes back, and no single flipped bit passes (2.1)") {
    const format::Opening opening{0x00ABCDEF, 0x6D, 256};
    const format::Mark good = format::encode(opening);
    REQUIRE(format::decode_opening(good).has_value());
    CHECK(format::decode_opening(good)->sequence == 0x00ABCDEF);
    CHECK(format::decode_opening(good)->previous_end == 256);
    CHECK(format::decode_opening(good)->predecessor == 0x6D);
    for (unsigned bit = 0; bit < 64; ++bit) {
        format::Mark mark = good;
        mark[bit / 8] = static_cast<std::uint8_t>(mark[bit / 8] ^ 1U << bit % 8);
        CHECK_FALSE(format::decode_opening(mark));
    }
    format::Mark erased{};
    erased.fill(0xFF);
    CHECK_FALSE(format::decode_opening(erased));
    CHECK_FALSE(format::decode_opening(format::Mark{}));
}

TEST_CASE("record check: bound to its place, and never the value of an erased unit (2.2)") {
    format::RecordCheck here{7, 20};
    format::RecordCheck there{7, 21};
    format::RecordCheck later{8, 20};
    CHECK(here.value() != there.value());
    CHECK(here.value() != later.value());
    for (std::uint32_t sequence = 1; sequence < 100'000; ++sequence) {
        format::RecordCheck check{sequence, 5};
        if (check.value() == format::erased_unit) FAIL("an erased check would match");
    }
}
