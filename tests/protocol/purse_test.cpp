#include "protocol/purse.hpp"

#include <doctest/doctest.h>

#include "protocol/sam.hpp"
#include "tests/protocol/hex.hpp"

using protocol::Money;
using protocol::ParseError;
using protocol::TransactionType;
using tests::hex;
using tests::to_hex;

namespace {

template <std::size_t size>
std::array<std::uint8_t, size> fixed(const char* text) {
    const auto raw = hex(text);
    std::array<std::uint8_t, size> out{};
    REQUIRE(raw.size() == size);
    std::ranges::copy(raw, out.begin());
    return out;
}

const protocol::TerminalNumber terminal{{0x00, 0x11, 0x22, 0x33, 0x44, 0x55}};
const protocol::DateTime when{*protocol::Date::make(2012, 2, 29), *protocol::Time::make(13, 51, 0)};

}  // namespace

TEST_CASE("MAC inputs: fields in the order of domain.md 1.5 (vector P1, 8.2)") {
    const Money amount = Money::from_fen(0x1000);
    CHECK(to_hex(load_mac1_input(Money{}, amount, TransactionType::deposit_load, terminal)) ==
          "000000000000100001001122334455");
    CHECK(to_hex(purchase_mac1_input(amount, TransactionType::purchase, terminal, when)) ==
          "000010000600112233445520120229135100");
    CHECK(to_hex(protocol::purchase_mac2_input(amount)) == "00001000");
    CHECK(to_hex(purchase_tac_input(amount, TransactionType::capp_purchase, terminal,
                                    protocol::TerminalSequence{7}, when)) ==
          "0000100009001122334455"
          "00000007"
          "20120229135100");
    CHECK(to_hex(load_tac_input(amount, protocol::OnlineCounter{0}, amount, TransactionType::load,
                                terminal, when)) ==
          "00001000"
          "0000"
          "00001000"
          "02"
          "001122334455"
          "20120229135100");
}

TEST_CASE("INIT answers: the recorded city-card answer decodes (domain.md 8.2 P4)") {
    const auto answer =
        protocol::PurchaseInitialised::parse(hex("000162AF003600032001008 4176AD7"));
    REQUIRE(answer);
    CHECK(answer->balance == Money::from_fen(0x162AF));
    CHECK(answer->counter == protocol::OfflineCounter{0x36});
    CHECK(answer->overdraft_limit_fen == 0x320);
    CHECK(answer->suite == protocol::Suite::triple_des);
    CHECK(to_hex(answer->bytes()) == "000162AF0036000320010084176AD7");
}

TEST_CASE("INIT and DEBIT data: wrong lengths, suites and dates are refused") {
    CHECK(protocol::InitialiseData::parse(hex("0100000000")).error() == ParseError::truncated);
    CHECK(protocol::InitialiseData::parse(hex("010000000000000000000001FF")).error() ==
          ParseError::trailing_bytes);
    CHECK(protocol::PurchaseInitialised::parse(hex("000162AF003600032001"
                                                   "09"
                                                   "84176AD7"))
              .error() == ParseError::wrong_value);
    CHECK(protocol::DebitData::parse(hex("00000057"
                                         "20180332164329"
                                         "66CBC863"))
              .error() == ParseError::not_a_date);
    CHECK(protocol::DebitData::parse(hex("00000057"
                                         "20180313164329"
                                         "66CBC8"))
              .error() == ParseError::truncated);
    CHECK(protocol::CreditData::parse(hex("20180313"
                                          "256329"
                                          "66CBC863"))
              .error() == ParseError::not_a_date);
}

TEST_CASE("DebitProof: TAC first in DEBIT's answer, MAC first in PROVE's (domain.md 1.5)") {
    const auto debit = protocol::DebitProof::parse_debit(hex("C630C2C8ABCC913B"));
    const auto prove = protocol::DebitProof::parse_prove(hex("ABCC913BC630C2C8"));
    REQUIRE(debit);
    REQUIRE(prove);
    CHECK(debit->tac == prove->tac);
    CHECK(debit->mac2 == prove->mac2);
    CHECK_FALSE(protocol::DebitProof::parse_debit(hex("C630C2C8")));
}

TEST_CASE("Commands: bytes as in the recorded transcripts (domain.md 1.5a, 8.2 P4)") {
    const protocol::InitialiseData data{protocol::default_key_index, Money::from_fen(0xC8),
                                        protocol::TerminalNumber{fixed<6>("200041599997")}};
    CHECK(to_hex(initialise_for_capp_purchase(data)) == "805003020B01000000C82000415999970F");
    CHECK(to_hex(protocol::get_transaction_prove(TransactionType::capp_purchase, 0x36)) ==
          "805A000902003608");
    CHECK(to_hex(protocol::update_capp_data_cache(0, 0x1E, hex("AABB"))) == "80DC00F002AABB");
    CHECK(to_hex(protocol::credit_sam_for_purchase(fixed<4>("ABCC913B"))) == "8072000004ABCC913B");
}

TEST_CASE("PurseLogRecord: the recorded load log decodes, others are refused (domain.md 1.8)") {
    const auto raw =
        hex("000100000000001C3702000001000050"
            "20140825103100");
    const auto record = protocol::PurseLogRecord::parse(raw);
    REQUIRE(record);
    CHECK(record->counter_after == 1);
    CHECK(record->amount == Money::from_fen(0x1C37));
    CHECK(to_hex(record->bytes()) == to_hex(raw));
    auto wrong = raw;
    wrong[9] = 0x0A;
    CHECK(protocol::PurseLogRecord::parse(wrong).error() == ParseError::wrong_value);
}

TEST_CASE("SamPurchaseData: 36 bytes, card factor before issuer factor (domain.md 1.12)") {
    protocol::SamPurchaseData data{fixed<4>("01020304"),
                                   protocol::OfflineCounter{5},
                                   Money::from_fen(200),
                                   TransactionType::capp_purchase,
                                   when,
                                   protocol::KeyVersion{1},
                                   protocol::Suite::sm4,
                                   fixed<8>("1111111111111111"),
                                   fixed<8>("2222222222222222")};
    const auto raw = data.bytes();
    CHECK(to_hex(raw) ==
          "01020304"
          "0005"
          "000000C8"
          "09"
          "20120229135100"
          "01"
          "04"
          "1111111111111111"
          "2222222222222222");
    CHECK(protocol::SamPurchaseData::parse(raw)->bytes() == raw);
    CHECK_FALSE(protocol::SamPurchaseData::parse(protocol::Bytes{raw}.first(28)));
}
