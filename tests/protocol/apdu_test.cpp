#include "protocol/apdu.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::CommandApdu;
using protocol::ParseError;
using tests::hex;

TEST_CASE("CommandApdu: the four short cases (ISO/IEC 7816-3:2006, 12.1.3, table 12)") {
    struct Case {
        const char* bytes;
        std::size_t data;
        int le;  // -1: absent
    };
    for (const Case& c :
         {Case{"00A40000", 0, -1}, Case{"00B0000000", 0, 256}, Case{"00B000001E", 0, 30},
          Case{"00A40000023F00", 2, -1}, Case{"00A40000023F0000", 2, 256},
          Case{"805003020B010000000000000000000"
               "10F",
               11, 15}}) {
        CAPTURE(c.bytes);
        const auto raw = hex(c.bytes);
        const auto command = CommandApdu::parse(raw);
        REQUIRE(command);
        CHECK(command->data().size() == c.data);
        CHECK((command->le() ? static_cast<int>(*command->le()) : -1) == c.le);
        CHECK_FALSE(command->is_extended());
    }
}

TEST_CASE("CommandApdu: the extended cases are decoded and marked (ISO/IEC 7816-3:2006, 12.1.3)") {
    const auto case2 = hex("00B00000 000000");
    CHECK(CommandApdu::parse(case2)->le() == 65536U);
    const auto case3 = hex("00D60000 000002 AABB");
    CHECK(CommandApdu::parse(case3)->data().size() == 2);
    const auto case4 = hex("00D60000 000002 AABB 0100");
    REQUIRE(CommandApdu::parse(case4));
    CHECK(CommandApdu::parse(case4)->le() == 256U);
    CHECK(CommandApdu::parse(case4)->is_extended());
}

TEST_CASE("CommandApdu: malformed commands are refused") {
    struct Case {
        const char* why;
        const char* bytes;
        ParseError error;
    };
    for (const Case& c :
         {Case{"nothing", "", ParseError::truncated},
          Case{"three bytes", "00A400", ParseError::truncated},
          Case{"data shorter than Lc", "00A4000003 3F00", ParseError::truncated},
          Case{"bytes after Le", "00A4000002 3F00 00 00", ParseError::trailing_bytes},
          Case{"extended Lc of zero with data", "00A40000 000000 00", ParseError::wrong_length},
          Case{"extended length cut", "00A40000 0001", ParseError::truncated},
          Case{"extended data cut", "00A40000 000003 3F00", ParseError::truncated},
          Case{"half an extended Le", "00A40000 000002 3F00 01", ParseError::truncated},
          Case{"bytes after an extended Le", "00A40000 000002 3F00 0100 00",
               ParseError::trailing_bytes}}) {
        CAPTURE(c.why);
        const auto command = CommandApdu::parse(hex(c.bytes));
        REQUIRE_FALSE(command.has_value());
        CHECK(command.error() == c.error);
    }
}

TEST_CASE("ResponseApdu: a response has at least its status") {
    CHECK(protocol::ResponseApdu::parse(hex("")).error() == ParseError::truncated);
    CHECK(protocol::ResponseApdu::parse(hex("90")).error() == ParseError::truncated);
    const auto raw = hex("01029401");
    const auto response = protocol::ResponseApdu::parse(raw);
    REQUIRE(response);
    CHECK(response->status() == protocol::StatusWord::insufficient_balance);
    CHECK_FALSE(response->ok());
    CHECK(response->data().size() == 2);
}

TEST_CASE("make_command: Le of 256 is sent as 00, empty data sends no Lc") {
    CHECK(tests::to_hex(protocol::make_command(0x00, 0xB0, 0x95, 0x00, {}, 256)) == "00B0950000");
    CHECK(tests::to_hex(protocol::make_command(0x00, 0x84, 0x00, 0x00)) == "00840000");
}
