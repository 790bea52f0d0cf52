// Issue lines: docs/keys.md, 5.
#include "host/keys/issue_order.hpp"

#include <doctest/doctest.h>

using host::keys::CardOrder;
using host::keys::parse_orders;
using host::keys::SamOrder;

namespace {

constexpr std::string_view good_card =
    "card,03104800000000000017,sm4,20260101,20351231,student,yes,enabled,123456,,,";
constexpr std::string_view good_sam =
    "sam,10000000000000000001,sm4,20260101,20351231,,,,,310000000101,0000000000310001,";

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
    CHECK(why(card_with(",,,", ",310000000101,,")) ==
          "lines.csv:2: terminal: must be empty for a card");
    CHECK(why(file_of(std::string{good_sam}.replace(0, 3, "card"))) ==
          "lines.csv:2: terminal: must be empty for a card");
    CHECK(why(file_of("card,1")) == "lines.csv:2: 12 columns expected, 2 found");
    CHECK(why(file_of(std::string{good_card} + "03104800000000000018")) == "accepted");
    CHECK(why(file_of(std::string{good_card} + "0310480000000000001A")) ==
          "lines.csv:2: replaces: 20 decimal digits expected");
    CHECK(why(file_of(std::string{good_card} + "03104800000000000017")) ==
          "lines.csv:2: replaces: another number expected");
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

TEST_CASE("issue lines: what other programs make of a CSV file") {
    const std::string lines = file_of(good_card);
    CHECK(why("\xEF\xBB\xBF" + lines) == "accepted");  // a byte order mark
    std::string windows = lines;
    windows.insert(windows.find('\n'), "\r");
    CHECK(why(windows + "\r\n\r\n") == "accepted");
    CHECK(parse_orders("\xEF\xBB\xBF" + windows + "\r\n", "x")->size() == 1);
    // Two marks, a mark on a later line, line ends of an old Macintosh, quotes.
    CHECK(why("\xEF\xBB\xBF\xEF\xBB\xBF" + lines) == "lines.csv:1: ???kind: no such column");
    CHECK(why(file_of("\xEF\xBB\xBF" + std::string{good_card})) ==
          "lines.csv:2: kind: card or sam expected");
    CHECK(why("kind\rcard") == "lines.csv:1: kind?card: no such column");
    CHECK(why("\"kind\",number") == "lines.csv:1: \"kind\": no such column");
    CHECK(why(card_with("card", "\"card\"")) == "lines.csv:2: kind: card or sam expected");
    CHECK(why(card_with("student", "\"stu,dent\"")) ==
          "lines.csv:2: 12 columns expected, 13 or more found");
    CHECK(why("Kind,number\n") == "lines.csv:1: Kind: no such column");
    CHECK(why("kind, number\n") == "lines.csv:1:  number: no such column");
    CHECK(why("kind;number\n") == "lines.csv:1: kind;number: no such column");
}

TEST_CASE("issue lines: zero bytes are refused wherever they stand") {
    using namespace std::literals;
    const std::string nul{"\0"sv};
    CHECK(why(file_of(nul)) == "lines.csv:2: 12 columns expected, 1 found");
    CHECK(why("kind" + nul + ",number\n") == "lines.csv:1: kind?: no such column");
    CHECK(why(card_with("sm4", "sm4" + nul)) == "lines.csv:2: suite: sm4 or 3des expected");
    CHECK(why(card_with("0017", "001" + nul)) == "lines.csv:2: number: 20 hex digits expected");
    CHECK(why(card_with("123456", "1234" + nul)) == "lines.csv:2: pin: 4..12 digits, or nothing");
}

TEST_CASE("issue lines: columns that are missing are named by the first line that needs them") {
    CHECK(why("kind\ncard\n") == "lines.csv:2: number: 20 hex digits expected");
    CHECK(why("\ncard\n") == "lines.csv:1: : no such column");
}

TEST_CASE("issue lines: limits of lines and of columns") {
    const std::string two = file_of(std::string{good_card} + "\n" + std::string{good_sam});
    CHECK(parse_orders(two, "x", 2).has_value());
    CHECK(parse_orders(two, "x", 1).error().detail == "x:3: too many lines");
    // A line that is nothing but commas costs no memory.
    CHECK(why(file_of(std::string(10'000'000, ','))) ==
          "lines.csv:2: 12 columns expected, 13 or more found");
    CHECK(why(std::string(10'000'000, ',')) == "lines.csv:1: : no such column");
}

TEST_CASE("issue lines: a number may be a card's and a SAM's, but not two cards'") {
    std::string sam{good_sam};
    sam.replace(sam.find("10000000000000000001"), 20, "03104800000000000017");
    CHECK(why(file_of(std::string{good_card} + "\n" + sam)) == "accepted");
    CHECK(why(file_of(sam + "\n" + sam)) == "lines.csv:3: number: given twice in this file");
}
