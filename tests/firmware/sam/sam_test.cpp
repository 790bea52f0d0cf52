// The purchase SAM through its commands. domain.md 1.12; docs/card_commands.md, 7 and 8.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::TransactionType;

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
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(0)))) == 0x6A81);
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
