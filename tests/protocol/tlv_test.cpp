#include "protocol/tlv.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::ByteReader;
using protocol::ParseError;
using tests::hex;

TEST_CASE("read_tlv: a city card's FCI opens to its issuer data (domain.md 1.8)") {
    const auto fci =
        hex("6F32 8409A00000000386980701 A525 9F080101 9F0C1E"
            "07314100000000000101000041000000899999852015060520380808000000");
    // The last byte is not part of the object: only 0x32 bytes are.
    ByteReader in{protocol::Bytes{fci}.first(0x34)};
    const auto outer = protocol::read_tlv(in);
    REQUIRE(outer);
    CHECK(outer->tag == 0x6F);
    CHECK(outer->constructed);
    const auto proprietary = protocol::find_tlv(outer->value, 0xA5);
    REQUIRE(proprietary);
    const auto issuer_data = protocol::find_tlv(*proprietary, 0x9F0C);
    REQUIRE(issuer_data);
    CHECK(issuer_data->size() == 30);
}

TEST_CASE(
    "read_tlv: malformed objects are refused and nothing is consumed (ISO/IEC 8825-1:2021, 8.1)") {
    struct Case {
        const char* why;
        const char* bytes;
        ParseError error;
    };
    const Case cases[] = {
        {"nothing", "", ParseError::truncated},
        {"a tag without a length", "84", ParseError::truncated},
        {"half of a two-byte tag", "9F", ParseError::truncated},
        {"a tag number with a leading zero group", "9F80 01 00", ParseError::wrong_value},
        {"a tag of four bytes", "9F818181 00", ParseError::too_large},
        {"a value shorter than its length", "8402 01", ParseError::truncated},
        {"a long length without its byte", "8481", ParseError::truncated},
        {"a long length cut in half", "848201", ParseError::truncated},
        {"the indefinite form", "A580 0000", ParseError::wrong_value},
        {"a length of three bytes", "8483000001 00", ParseError::too_large},
        {"a length beyond the buffer", "8481FF 00", ParseError::truncated},
        {"a length of 65535 with nothing behind", "8482FFFF", ParseError::truncated},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const auto raw = hex(c.bytes);
        ByteReader in{raw};
        const auto object = protocol::read_tlv(in);
        REQUIRE_FALSE(object.has_value());
        CHECK(object.error() == c.error);
        CHECK(in.size() == raw.size());
    }
}

TEST_CASE("put_tlv: the shortest length form is written and read back") {
    for (const std::size_t size : {0U, 1U, 127U, 128U, 255U, 256U, 1000U}) {
        CAPTURE(size);
        std::vector<std::uint8_t> value(size, 0x5A);
        std::vector<std::uint8_t> buffer(size + 8);
        protocol::ByteWriter out{buffer};
        protocol::put_tlv(out, 0xBF0C, value);
        REQUIRE(out.ok());
        CHECK(out.size() == size + 2 + (size < 128 ? 1U : size < 256 ? 2U : 3U));
        ByteReader in{out.written()};
        const auto object = protocol::read_tlv(in);
        REQUIRE(object);
        CHECK(object->tag == 0xBF0C);
        CHECK(object->value.size() == size);
        CHECK(in.empty());
    }
}

TEST_CASE("find_tlv: an absent tag and a broken neighbour are refused") {
    CHECK_FALSE(protocol::find_tlv(hex("8401AA"), 0x85));
    CHECK_FALSE(protocol::find_tlv(hex("8403AA"), 0x85));
}
