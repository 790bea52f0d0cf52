#include "protocol/bytes.hpp"

#include <doctest/doctest.h>

using protocol::ByteReader;
using protocol::ByteWriter;
using protocol::ParseError;

TEST_CASE("ByteReader: integers are big-endian and advance") {
    constexpr std::array<std::uint8_t, 10> raw{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    ByteReader in{raw};
    CHECK(in.take_u8() == 0x01);
    CHECK(in.take_u16() == 0x0203);
    CHECK(in.take_u24() == 0x040506U);
    CHECK(in.take_u32() == 0x0708090AU);
    CHECK(in.empty());
    CHECK(in.finish());
}

TEST_CASE("ByteReader: a take beyond the end is refused and moves nothing") {
    constexpr std::array<std::uint8_t, 3> raw{1, 2, 3};
    ByteReader in{raw};
    CHECK(in.take(4).error() == ParseError::truncated);
    CHECK(in.take_u32().error() == ParseError::truncated);
    CHECK(in.take_u64().error() == ParseError::truncated);
    CHECK(in.take(SIZE_MAX).error() == ParseError::truncated);
    CHECK(in.size() == 3);
    CHECK(in.take_u24() == 0x010203U);
    CHECK(in.take_u8().error() == ParseError::truncated);
}

TEST_CASE("ByteReader: bytes after the end of a format are refused") {
    constexpr std::array<std::uint8_t, 1> raw{1};
    CHECK(ByteReader{raw}.finish().error() == ParseError::trailing_bytes);
}

TEST_CASE("ByteWriter: what does not fit is remembered and not written") {
    std::array<std::uint8_t, 3> out{0xAA, 0xAA, 0xAA};
    ByteWriter writer{out};
    writer.put_u16(0x0102);
    CHECK(writer.ok());
    writer.put_u16(0x0304);
    CHECK_FALSE(writer.ok());
    writer.put_u8(5);  // would fit, but the object is already broken
    CHECK(writer.size() == 2);
    CHECK(out == std::array<std::uint8_t, 3>{0x01, 0x02, 0xAA});
}

TEST_CASE("ByteBuffer: an append that does not fit is refused whole") {
    protocol::ByteBuffer<4> buffer;
    constexpr std::array<std::uint8_t, 3> three{1, 2, 3};
    CHECK(buffer.append(three));
    CHECK_FALSE(buffer.append(three));
    CHECK(buffer.size() == 3);
}
