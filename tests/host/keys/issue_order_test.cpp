// Issue lines: docs/keys.md, 5.
#include "host/keys/issue_order.hpp"

#include <doctest/doctest.h>

using host::keys::CardOrder;
using host::keys::parse_orders;
using host::keys::SamOrder;

namespace {

constexpr std::string_view good_card =
    "card,03104800000000000017,sm4,20260101,20351231,student,yes,enabled,123456,,";
constexpr std::string_view good_sam =
    "sam,10000000000000000001,sm4,20260101,20351231,,,,,310000000101,0000000000310001";

std::string file_of(std::string_view lines) {
    return std::string{host::keys::order_header} + "\n" + std::string{lines};
}
std::string why(std::string_view csv) {
    const auto parsed = parse_orders(csv, "lines.csv");
    return parsed.has_value() ? "accepted" : parsed.error().detail;
}
/// A good card line with one cell changed.
std::string card_with(std::string_view from, std::string_view to) {
    std::string line{good_card};
    line.replace(line.find(from), from.size(), to);
    return file_of(line);
}

}  // namespace

TEST_CASE("issue lines: a card and a SAM") {
    const auto orders =
        parse_orders(file_of(std::string{good_card} + "\r\n\n" + std::string{good_sam}), "x");
    REQUIRE(orders.has_value());
    REQUIRE(orders->size() == 2);
    const auto& card = std::get<CardOrder>((*orders)[0]);
    CHECK(card.holder == protocol::CardKind::student);
    CHECK(card.suite == protocol::Suite::sm4);
    CHECK(card.pin == "123456");
    CHECK(card.interoperable);
    const auto& sam = std::get<SamOrder>((*orders)[1]);
    CHECK(sam.terminal.value()[0] == 0x31);
    CHECK(sam.operator_id.value()[7] == 0x01);
}

TEST_CASE("issue lines: what is written is read back") {
    const std::string lines = std::string{good_card} + "\n" + std::string{good_sam} + "\n";
    const auto orders = parse_orders(file_of(lines), "x");
    REQUIRE(orders.has_value());
    CHECK(to_csv((*orders)[0]) + "\n" + to_csv((*orders)[1]) + "\n" == lines);
}

TEST_CASE("issue lines: columns in another order are read by name") {
    const auto orders = parse_orders(
        "number,kind,suite,valid_to,valid_from,operator,terminal\n"
        "10000000000000000001,sam,3des,20351231,20260101,0000000000310001,310000000101\n",
        "x");
    REQUIRE(orders.has_value());
    CHECK(std::get<SamOrder>((*orders)[0]).suite == protocol::Suite::triple_des);
}

TEST_CASE("issue lines: every refusal names file, line and column") {
    CHECK(why(card_with("card", "tram")) == "lines.csv:2: kind: card or sam expected");
    CHECK(why(card_with("0310480000", "031048000")) ==
          "lines.csv:2: number: 20 hex digits expected");
    CHECK(why(card_with("0310480000", "031048000A")) ==
          "lines.csv:2: number: 20 decimal digits expected");
    CHECK(why(card_with("0310480000", "1310480000")) ==
          "lines.csv:2: number: the first of the 20 digits is 0");
    CHECK(why(card_with("sm4", "aes")) == "lines.csv:2: suite: sm4 or 3des expected");
    CHECK(why(card_with("20260101", "20260230")) ==
          "lines.csv:2: valid_from: no such date (YYYYMMDD)");
    CHECK(why(card_with("20351231", "20251231")) == "lines.csv:2: valid_to: before valid_from");
    CHECK(why(card_with("student", "pupil")) ==
          "lines.csv:2: holder: ordinary, student, elder, test or military expected");
    CHECK(why(card_with("yes", "maybe")) == "lines.csv:2: interoperable: yes or no expected");
    CHECK(why(card_with("enabled", "on")) == "lines.csv:2: state: enabled or not_started expected");
    CHECK(why(card_with(",,", ",310000000101,")) ==
          "lines.csv:2: terminal: must be empty for a card");
    CHECK(why(file_of(std::string{good_sam}.replace(0, 3, "card"))) ==
          "lines.csv:2: terminal: must be empty for a card");
    CHECK(why(file_of("card,1")) == "lines.csv:2: 11 columns expected, 2 found");
    CHECK(why("kind,colour\n") == "lines.csv:1: colour: no such column");
    CHECK(why("kind,kind\n") == "lines.csv:1: kind: column given twice");
    CHECK(why(file_of(std::string{good_card} + "\n" + std::string{good_card})) ==
          "lines.csv:3: number: given twice in this file");
}

TEST_CASE("issue lines: a wrong PIN is refused and not repeated in the message") {
    for (const char* pin : {"123", "1234567890123", "12E4", "12 34"}) {
        const std::string reason = why(card_with("123456", pin));
        CHECK(reason == "lines.csv:2: pin: 4..12 digits, or nothing");
    }
    CHECK(why(card_with("123456", "")) == "accepted");
}

TEST_CASE("issue lines: an empty file and a header alone order nothing") {
    CHECK(parse_orders("", "x")->empty());
    CHECK(parse_orders(file_of(""), "x")->empty());
}
