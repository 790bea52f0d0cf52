// The purse through its commands. domain.md 1.1 to 1.6; docs/card_commands.md, 6.
#include <doctest/doctest.h>

#include "tests/firmware/support/issuing.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Money;
using protocol::TransactionType;

namespace {

[[nodiscard]] protocol::InitialiseData data(std::uint32_t fen) {
    return {KeyIndex{1}, Money::from_fen(fen), terminal};
}

struct Opened {
    protocol::PurchaseInitialised card;
    protocol::SamPurchaseAnswer sam;
};

/// INITIALIZE in the card, INIT in the SAM.
[[nodiscard]] Opened open_purchase(Chip& card, Chip& sam, std::uint32_t fen, TransactionType type) {
    const auto initialise = type == TransactionType::capp_purchase
                                ? protocol::initialise_for_capp_purchase(data(fen))
                                : protocol::initialise_for_purchase(data(fen));
    const auto opened = protocol::PurchaseInitialised::parse(card.must(initialise));
    REQUIRE(opened.has_value());
    const auto answer = protocol::SamPurchaseAnswer::parse(sam.must(protocol::init_sam_for_purchase(
        {opened->random, opened->counter, Money::from_fen(fen), type, noon(), opened->key_version,
         opened->suite, protocol::card_factor(card_number), issuer.value()})));
    REQUIRE(answer.has_value());
    return {*opened, *answer};
}

[[nodiscard]] protocol::ShortCommand debit(const Opened& opened) {
    return protocol::debit_for_purchase({opened.sam.sequence, noon(), opened.sam.mac1});
}

[[nodiscard]] unsigned status(const Answer& answer) {
    return static_cast<unsigned>(answer.status);
}

[[nodiscard]] std::array<std::uint8_t, 48> trip(std::uint8_t mark) {
    std::array<std::uint8_t, 48> out{};
    out[0] = 0x06;
    out[47] = mark;
    return out;
}

[[nodiscard]] std::array<std::uint8_t, 128> journey(std::uint8_t mark) {
    auto out = protocol::blank_rail_record();
    out[127] = mark;
    return out;
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
    "sam: numbers never repeat over resets, and gaps stay within a block "
    "(docs/card_commands.md, 7)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    std::uint32_t last = 0;
    for (int i = 0; i < 100; ++i) {
        const auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
        REQUIRE(opened.sam.sequence.value() > last);
        CHECK(opened.sam.sequence.value() - last <= 33);
        last = opened.sam.sequence.value();
        if (i % 7 == 3) {
            sam.power_on();
            sam.must(protocol::select_by_name(protocol::sam_aid));
        }
    }
}

TEST_CASE("sam: CREDIT refuses a wrong MAC2, and asks once for each INIT (domain.md 1.12)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    CHECK(status(sam.send(protocol::credit_sam_for_purchase({}))) == 0x6901);
    const auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
    const auto proof = protocol::DebitProof::parse_debit(card.must(debit(opened)));
    REQUIRE(proof.has_value());
    auto wrong = proof->mac2;
    wrong[3] ^= 0x80;
    CHECK(status(sam.send(protocol::credit_sam_for_purchase(wrong))) == 0x9302);
    CHECK(status(sam.send(protocol::credit_sam_for_purchase(proof->mac2))) == 0x6901);
}

TEST_CASE("sam: locks a hot-listed card, and signs nothing else (domain.md 1.12)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        Chip sam = issued_sam();
        const std::uint8_t index = suite == Suite::sm4 ? 0 : 1;
        std::vector<std::uint8_t> factors;
        std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
        std::ranges::copy(issuer.value(), std::back_inserter(factors));
        const auto prepare = protocol::make_command(0x80, 0x1A, 0x45, index, factors);
        const auto challenge = card.must(protocol::get_challenge_4());
        std::vector<std::uint8_t> text{challenge};
        text.resize(8);
        const auto command = hex("841E000004 800000");
        text.insert(text.end(), command.begin(), command.end());
        sam.must(prepare);
        const auto mac = sam.must(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4));
        card.must(protocol::make_command(0x84, 0x1E, 0x00, 0x00, mac));
        CHECK(status(card.send(protocol::initialise_for_purchase(data(0)))) == 0x6A81);
        CHECK(status(card.send(protocol::select_by_name(protocol::transit_aid))) == 0x6283);
        // Without 80 1A; another command; another mode; another usage of the key.
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4))) == 0x6901);
        sam.must(prepare);
        text[9] = 0x18;
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4))) == 0x6985);
        sam.must(prepare);
        text[9] = 0x1E;
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x00, 0x00, text, 4))) == 0x6A86);
        CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x46, index, factors))) == 0x6985);
        CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x25, index,
                                                     Bytes{factors}.first(8)))) == 0x6985);
    }
}
