// The purse through its commands. domain.md 1.1 to 1.6; docs/card_commands.md, 6.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Money;
using protocol::TransactionType;

namespace {

[[nodiscard]] protocol::InitialiseData data(std::uint32_t fen) {
    return initialise_data(fen);
}

}  // namespace

TEST_CASE("purse: a load and a purchase move the balance, and every MAC is the standard's") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        CAPTURE(static_cast<int>(suite));
        Chip card = issued_card(suite);
        Chip sam = issued_sam();
        CHECK(balance(card) == 0);
        load(card, 10'000, suite);
        CHECK(balance(card) == 10'000);
        const auto opened = open_purchase(card, sam, 1'500, TransactionType::purchase);
        CHECK(opened.card.balance == Money::from_fen(10'000));
        CHECK(opened.card.suite == suite);
        const auto proof = protocol::DebitProof::parse_debit(card.must(debit(opened)));
        REQUIRE(proof.has_value());
        CHECK(balance(card) == 8'500);
        sam.must(protocol::credit_sam_for_purchase(proof->mac2));
        const auto tac = crypto::purse::tac(
            card_key(KeyUsage::transaction_certificate, suite),
            protocol::purchase_tac_input(Money::from_fen(1'500), TransactionType::purchase,
                                         terminal, opened.sam.sequence, noon()));
        CHECK(proof->tac == tac);
        const auto proved =
            protocol::DebitProof::parse_prove(card.must(protocol::get_transaction_prove(
                TransactionType::purchase, opened.card.counter.value())));
        REQUIRE(proved.has_value());
        CHECK(proved->tac == proof->tac);
        CHECK(proved->mac2 == proof->mac2);
    }
}

TEST_CASE("purse: the log holds the counter after the transaction (domain.md 1.8)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 500);
    card.must(debit(open_purchase(card, sam, 120, TransactionType::purchase)));
    const auto newest =
        protocol::PurseLogRecord::parse(card.must(protocol::read_record(protocol::sfi_log, 1, 23)));
    REQUIRE(newest.has_value());
    CHECK(newest->counter_after == 1);
    CHECK(newest->amount == Money::from_fen(120));
    CHECK(newest->type == TransactionType::purchase);
    CHECK(newest->terminal == terminal);
    const auto before =
        protocol::PurseLogRecord::parse(card.must(protocol::read_record(protocol::sfi_log, 2, 23)));
    REQUIRE(before.has_value());
    CHECK(before->type == TransactionType::load);
    CHECK(before->counter_after == 1);
}

TEST_CASE("capp: journey and trip records appear with the debit and not before (domain.md 1.6)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 500);
    const auto opened = open_purchase(card, sam, 200, TransactionType::capp_purchase);
    card.must(protocol::update_capp_data_cache(0x01, protocol::sfi_journey, journey(7)));
    card.must(protocol::update_capp_data_cache(0x00, protocol::sfi_trip, trip(9)));
    Chip torn = card.clone();  // power is lost here
    torn.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(torn.must(protocol::read_record(protocol::sfi_journey, 1, 128))[127] == 0);
    CHECK(status(torn.send(protocol::read_record(protocol::sfi_trip, 1, 48))) == 0x6A83);
    CHECK(balance(torn) == 500);
    card.must(debit(opened));
    CHECK(balance(card) == 300);
    CHECK(card.must(protocol::read_record(protocol::sfi_journey, 1, 128))[127] == 7);
    CHECK(card.must(protocol::read_record(protocol::sfi_trip, 1, 48))[47] == 9);
}

TEST_CASE("capp: an amount of zero is legal, for an entry (domain.md 1.6)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    const auto opened = open_purchase(card, sam, 0, TransactionType::capp_purchase);
    card.must(protocol::update_capp_data_cache(0x00, protocol::sfi_trip, trip(1)));
    card.must(debit(opened));
    CHECK(balance(card) == 0);
}

TEST_CASE("capp: refusals of UPDATE CAPP DATA CACHE (domain.md 1.6)") {
    Chip card = issued_card();
    load(card, 500);
    const auto open = [&] { card.must(protocol::initialise_for_capp_purchase(data(1))); };
    const auto update = [&](std::uint8_t id, std::uint8_t sfi, Bytes record) {
        return status(card.send(protocol::update_capp_data_cache(id, sfi, record)));
    };
    CHECK(update(0, protocol::sfi_trip, trip(1)) == 0x6901);
    card.must(protocol::initialise_for_purchase(data(1)));
    CHECK(update(0, protocol::sfi_trip, trip(1)) == 0x6901);
    open();
    CHECK(update(0, 0x1C, trip(1)) == 0x6A82);
    CHECK(update(0, protocol::sfi_trip, trip(1)) == 0x6901);  // a refusal closes the transaction
    open();
    CHECK(update(2, protocol::sfi_journey, journey(1)) == 0x6A83);
    open();
    CHECK(update(0, protocol::sfi_trip, Bytes{trip(1)}.first(47)) == 0x6A84);
    open();
    CHECK(update(1, protocol::sfi_journey, Bytes{journey(1)}.first(127)) == 0x6A84);
    open();
    CHECK(update(0, protocol::sfi_log, Bytes{trip(1)}.first(23)) == 0x6982);
    open();
    auto renamed = journey(1);
    renamed[0] = 0x28;
    CHECK(update(1, protocol::sfi_journey, renamed) == 0x6A80);
}

TEST_CASE("capp: a record whose lock byte is set refuses with 9407 (domain.md 1.6, 3.3)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    auto locked = journey(1);
    locked[5] = 1;
    const auto opened = open_purchase(card, sam, 0, TransactionType::capp_purchase);
    card.must(protocol::update_capp_data_cache(0x01, protocol::sfi_journey, locked));
    card.must(debit(opened));
    card.must(protocol::initialise_for_capp_purchase(data(0)));
    CHECK(status(card.send(
              protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(2)))) == 0x9407);
}

TEST_CASE("purse: refusals of INITIALIZE (domain.md 1.6, 1.7)") {
    Chip card = issued_card();
    CHECK(status(card.send(protocol::initialise_for_load(data(1)))) == 0x6982);  // no PIN yet
    load(card, 100);
    CHECK(status(card.send(protocol::initialise_for_purchase(data(101)))) == 0x9401);
    auto other_key = data(1);
    other_key.key = KeyIndex{2};
    CHECK(status(card.send(protocol::initialise_for_purchase(other_key))) == 0x9403);
    CHECK(status(card.send(protocol::initialise_for_load(other_key))) == 0x9403);
    CHECK(status(card.send(protocol::initialise_for_load(data(0x80000000)))) == 0x9401);
    CHECK(status(card.send(hex("8050020200"))) == 0x6A86);
    CHECK(status(card.send(hex("805001020A 01 00000001 0000010000"))) == 0x6700);
    // Le too small: 6C and the right size; nothing is opened.
    const auto bytes = data(1).bytes();
    CHECK(status(card.send(protocol::make_command(0x80, 0x50, 0x01, 0x02, bytes, 4))) == 0x6C0F);
    CHECK(balance(card) == 100);
}

TEST_CASE(
    "purse: a wrong MAC1 takes a try, a right one gives all back, the last blocks for good "
    "(domain.md 1.6)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    const auto wrong = [&] {
        auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
        opened.sam.mac1[0] ^= 1;
        return status(card.send(debit(opened)));
    };
    for (unsigned i = 1; i < protocol::key_tries_default; ++i) REQUIRE(wrong() == 0x9302);
    card.must(debit(open_purchase(card, sam, 1, TransactionType::purchase)));
    for (unsigned i = 1; i < protocol::key_tries_default; ++i) REQUIRE(wrong() == 0x9302);
    CHECK(wrong() == 0x9303);
    CHECK(balance(card) == 999);
    CHECK(status(card.send(protocol::initialise_for_purchase(data(1)))) == 0x9303);
    card.power_on();
    CHECK(status(card.send(protocol::select_by_name(protocol::transit_aid))) == 0x6283);
    CHECK(status(card.send(protocol::initialise_for_purchase(data(1)))) == 0x9303);
}

TEST_CASE("purse: DEBIT is answered once, and only right after its INITIALIZE (domain.md 1.6)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    const auto opened = open_purchase(card, sam, 10, TransactionType::purchase);
    card.must(debit(opened));
    CHECK(status(card.send(debit(opened))) == 0x6901);
    const auto interrupted = open_purchase(card, sam, 10, TransactionType::purchase);
    card.must(protocol::read_binary(protocol::sfi_public_info, 0, 30));
    CHECK(status(card.send(debit(interrupted))) == 0x6901);
    const auto other = open_purchase(card, sam, 10, TransactionType::purchase);
    CHECK(balance(card) == 990);  // GET BALANCE does not close it
    card.must(debit(other));
    CHECK(balance(card) == 980);
    CHECK(status(card.send(hex("8052 0000 0B 20260501 120000 00000000"))) == 0x6901);
}

TEST_CASE("purse: GET TRANSACTION PROVE knows the last transaction of each kind (domain.md 1.6)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    const auto prove = [&](TransactionType type, std::uint16_t counter) {
        return status(card.send(protocol::get_transaction_prove(type, counter)));
    };
    CHECK(prove(TransactionType::purchase, 0) == 0x9406);
    CHECK(prove(TransactionType::purchase, 0xFFFF) == 0x9406);
    load(card, 1'000);
    card.must(debit(open_purchase(card, sam, 10, TransactionType::purchase)));
    CHECK(prove(TransactionType::purchase, 0) == 0x9000);
    CHECK(prove(TransactionType::capp_purchase, 0) == 0x9406);
    CHECK(prove(TransactionType::load, 0) == 0x9000);
    CHECK(prove(TransactionType::purchase, 1) == 0x9406);
    card.must(debit(open_purchase(card, sam, 10, TransactionType::purchase)));
    CHECK(prove(TransactionType::purchase, 0) == 0x9406);
    CHECK(prove(TransactionType::purchase, 1) == 0x9000);
    CHECK(prove(TransactionType::load, 0) == 0x9000);
    CHECK(status(card.send(hex("805A 0000 02 0000"))) == 0x6A86);
}

TEST_CASE(
    "purse: what a tap programs stays within its budget, and erases nothing "
    "(docs/tap_budget.md)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 60'000);
    const auto tap = [&](bool with_journey) {
        const auto before = card.flash().counts();
        const auto opened = open_purchase(card, sam, 1, TransactionType::capp_purchase);
        if (with_journey) {
            card.must(protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(1)));
        }
        card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(1)));
        card.must(debit(opened));
        const auto after = card.flash().counts();
        CHECK(after.erases == before.erases);
        return (after.programs - before.programs) * firmware::flash_model::unit_size;
    };
    std::uint64_t single_most = 0, journey_most = 0;
    for (int i = 0; i < 40; ++i) single_most = std::max(single_most, tap(false));
    card.power_on();
    for (int i = 0; i < 300; ++i) card.card().housekeeping();
    card.must(protocol::select_by_name(protocol::transit_aid));
    for (int i = 0; i < 20; ++i) journey_most = std::max(journey_most, tap(true));
    MESSAGE("bytes programmed: single ride " << single_most << ", journey " << journey_most);
    CHECK(single_most <= 160);
    CHECK(journey_most <= 320);
}

TEST_CASE("purse: 64 journeys without housekeeping, as a card that never rests") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 60'000);
    for (int i = 0; i < 300; ++i) card.card().housekeeping();
    for (int i = 0; i < 64; ++i) {
        const auto opened = open_purchase(card, sam, 1, TransactionType::capp_purchase);
        card.must(protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(1)));
        card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(1)));
        card.must(debit(opened));
    }
    CHECK(balance(card) == 60'000 - 64);
}
