// Selecting, reading and writing files by commands. ISO/IEC 7816-4:2005, 7.1 to 7.3.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;

namespace {

[[nodiscard]] unsigned send(Chip& card, std::string_view text) {
    return status(card.send(hex(text)));
}

}  // namespace

TEST_CASE("ATR: T=1, short lengths announced, the serial inside (ISO/IEC 7816-3:2006, 8.2)") {
    Chip card = issued_card();
    const auto atr = card.card().reset();
    REQUIRE(atr.has_value());
    CHECK(to_hex(*atr).substr(0, 34) ==
          "3B8E0180739401006800010203040506"
          "07");
    std::uint8_t sum = 0;
    for (std::size_t i = 1; i < atr->size(); ++i) sum ^= (*atr)[i];
    CHECK(sum == 0);  // 8.2.5
    CHECK((*atr)[1] == (0x80 | (atr->size() - 4)));
}

TEST_CASE("SELECT: the FCI carries file 15's image (domain.md 1.8)") {
    Chip card = issued_card();
    const auto control = card.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(to_hex(control) ==
          "6F31"
          "8408A000000632010105"
          "A525"
          "9F080101"
          "9F0C1E"
          "3104000000000001"
          "0201"
          "03104100000012345678"
          "20250101"
          "20351231"
          "0000");
    CHECK(to_hex(card.must(protocol::select_file(protocol::master_file))) ==
          "6F16"
          "840E315041592E5359532E4444463031"
          "A504"
          "9F080101");
    card.must(hex("00A4000002 3F01"));
    CHECK(balance(card) == 0);
}

TEST_CASE("SELECT: refusals") {
    Chip card = issued_card();
    CHECK(send(card, "00A4000002 3F05") == 0x6A82);
    CHECK(send(card, "00A4040007 A0000006320101") == 0x6A82);  // whole names only
    CHECK(send(card, "00A4040008 A000000632010106") == 0x6A82);
    CHECK(send(card, "00A4040004 A0000006") == 0x6700);
    CHECK(send(card, "00A4010002 3F01") == 0x6A86);
    CHECK(send(card, "00A4000102 3F01") == 0x6A86);
    CHECK(send(card, "00A4000001 3F") == 0x6700);
    CHECK(send(card, "00A4040008 A000000632010105 10") == 0x6C33);
    CHECK(balance(card) == 0);  // a refused SELECT leaves the application selected
}

TEST_CASE("READ BINARY: by short identifier and by current file") {
    Chip card = issued_card();
    const auto whole = card.must(hex("00B0950000"));
    CHECK(whole.size() == 30);
    CHECK(card.must(hex("00B095001E")) == whole);
    CHECK(card.must(hex("00B0001C02")) == hex("0000"));  // the short identifier made it current
    CHECK(card.must(hex("00B0951C10")).size() == 2);     // as much as there is
    CHECK(send(card, "00B0951E01") == 0x6B00);
    CHECK(send(card, "00B0800000") == 0x6A86);
    CHECK(send(card, "00B0B50000") == 0x6A86);
    CHECK(send(card, "00B09C0000") == 0x6A82);
    CHECK(send(card, "00B0980000") == 0x6981);  // records
    card.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(send(card, "00B0000000") == 0x6986);
    card.must(hex("00A4000002 0017"));
    CHECK(card.must(hex("00B000003C")).size() == 60);
}

TEST_CASE("READ RECORD: numbers, identifiers, lengths (ISO/IEC 7816-4:2005, 7.3.3)") {
    Chip card = issued_card();
    CHECK(card.must(hex("00B201D400")).size() == 128);
    CHECK(send(card, "00B202D400") == 0x6A83);
    CHECK(send(card, "00B200D400") == 0x6A83);
    CHECK(send(card, "00B201D410") == 0x6C80);
    CHECK(send(card, "00B201AC00") == 0x6981);  // file 15 is transparent
    CHECK(send(card, "00B201D500") == 0x6A86);
    CHECK(send(card, "00B201E400") == 0x6A82);
    CHECK(send(card, "00B201C417") == 0x6A83);  // no transaction yet
    CHECK(card.must(hex("00B2010480")).size() == 128);
}

TEST_CASE("UPDATE: no file of the card is written without a MAC, the log not even with one") {
    Chip card = issued_card();
    const auto key = card_key(protocol::KeyUsage::maintenance, Suite::sm4);
    CHECK(send(card, "00D6950001 00") == 0x6987);
    CHECK(send(card, "00DC01D401 00") == 0x6987);
    CHECK(send(card, "00E200F001 00") == 0x6982);
    const std::array<std::uint8_t, 23> record{};
    CHECK(status(card.send(protect(
              card, key, protocol::append_record_command(protocol::sfi_log, record)))) == 0x6982);
    CHECK(status(card.send(protect(
              card, key, protocol::append_record_command(protocol::sfi_trip, trip(1))))) == 0x6982);
    const auto rail = journey(3);
    card.must(protect(card, key, {{0x04, 0xDC, 0x01, 0xD4}, rail}));
    CHECK(card.must(hex("00B201D480")).back() == 3);
    CHECK(status(card.send(protect(card, key, {{0x04, 0xDC, 0x02, 0xD4}, rail}))) == 0x6A83);
}

TEST_CASE("a SAM's terminal number answers from its application, too (domain.md 1.12)") {
    Chip sam = issued_sam();
    CHECK(sam.must(protocol::read_terminal_number()) == hex("000001000050"));
    sam.must(protocol::select_file(protocol::master_file));
    CHECK(sam.must(protocol::read_terminal_number()) == hex("000001000050"));
}
