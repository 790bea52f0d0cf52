// Unload, overdraft, and the CJ/T 166 security code. domain.md 1.1 to 1.6;
// docs/card_commands.md, 6.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Mac;
using protocol::Money;
using protocol::TransactionType;

namespace {

[[nodiscard]] crypto::purse::ProcessKey process_key(KeyUsage usage, Suite suite,
                                                    const protocol::LoadInitialised& opened) {
    return crypto::purse::online_process_key(card_key(usage, suite), opened.random, opened.counter);
}

[[nodiscard]] std::uint32_t balance_kind(Chip& card, std::uint8_t p1) {
    const auto bytes = card.must(protocol::make_command(0x80, 0x5C, p1, 0x02, {}, 4));
    return static_cast<std::uint32_t>(protocol::read_big_endian(Bytes{bytes}));
}

struct LimitOpened {
    crypto::purse::ProcessKey key;
    protocol::OnlineCounter counter;
    std::uint32_t old_limit;
    Money balance;
    Mac mac1;
};
[[nodiscard]] LimitOpened open_limit(Chip& card, Suite suite) {
    card.must(protocol::verify_pin(first_pin));
    const auto answer = card.must(protocol::initialise_for_update(KeyIndex{1}, terminal));
    protocol::ByteReader in{answer};
    const auto money = Money::from_fen(in.take_u32().value());
    const protocol::OnlineCounter counter{in.take_u16().value()};
    const std::uint32_t old_limit = in.take_u24().value();
    (void)in.take_u16();
    const auto random = in.take_array<4>().value();
    const auto mac1 = in.take_array<4>().value();
    CHECK(in.empty());
    return {
        crypto::purse::online_process_key(card_key(KeyUsage::overdraft, suite), random, counter),
        counter, old_limit, money, mac1};
}

[[nodiscard]] protocol::ShortCommand new_limit(const LimitOpened& opened, std::uint32_t fen) {
    return protocol::update_overdraw_limit(
        {fen, noon(),
         crypto::purse::purse_mac(opened.key,
                                  protocol::overdraft_mac2_input(fen, terminal, noon()))});
}

}  // namespace

TEST_CASE("unload: MAC1, MAC2 and MAC3 over the documented inputs (domain.md 1.5)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        load(card, 1'000, suite);
        const auto amount = Money::from_fen(400);
        const auto opened = protocol::LoadInitialised::parse(
            card.must(protocol::initialise_for_unload(initialise_data(400))));
        REQUIRE(opened.has_value());
        const auto key = process_key(KeyUsage::unload, suite, *opened);
        constexpr auto type = TransactionType::unload;
        CHECK(opened->mac1 ==
              crypto::purse::purse_mac(
                  key, protocol::load_mac1_input(Money::from_fen(1'000), amount, type, terminal)));
        const auto mac2 = crypto::purse::purse_mac(
            key, protocol::load_mac2_input(amount, type, terminal, noon()));
        const auto mac3 = card.must(protocol::debit_for_unload({noon(), mac2}));
        CHECK(std::ranges::equal(
            mac3, crypto::purse::purse_mac(
                      key, protocol::load_tac_input(Money::from_fen(600), opened->counter, amount,
                                                    type, terminal, noon()))));
        CHECK(balance(card) == 600);
        CHECK(card.send(protocol::get_transaction_prove(type, opened->counter.value())).ok());
        CHECK(status(card.send(protocol::get_transaction_prove(
                  TransactionType::load, opened->counter.value()))) == 0x9406);
    }
}

TEST_CASE("unload: refusals (domain.md 1.6)") {
    Chip card = issued_card();
    CHECK(status(card.send(protocol::initialise_for_unload(initialise_data(0)))) == 0x6982);
    load(card, 1'000);
    CHECK(status(card.send(protocol::initialise_for_unload(initialise_data(1'001)))) == 0x9401);
    CHECK(status(card.send(protocol::debit_for_unload({noon(), {}}))) == 0x6901);
    card.must(protocol::initialise_for_unload(initialise_data(1)));
    CHECK(status(card.send(protocol::debit_for_unload({noon(), {}}))) == 0x9302);
    card.must(protocol::initialise_for_unload(initialise_data(1)));
    CHECK(status(card.send(protocol::credit_for_load({noon(), {}}))) == 0x6901);
    CHECK(balance(card) == 1'000);
}

TEST_CASE("overdraft: the limit is the issuer's, spent after the balance, repaid first") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        Chip sam = issued_sam();
        load(card, 300, suite);
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(301)))) == 0x9401);
        const auto opened = open_limit(card, suite);
        CHECK(opened.old_limit == 0);
        CHECK(opened.mac1 ==
              crypto::purse::purse_mac(
                  opened.key, protocol::overdraft_mac1_input(Money::from_fen(300), 0, terminal)));
        const auto tac = card.must(new_limit(opened, 500));
        CHECK(std::ranges::equal(
            tac,
            crypto::purse::tac(card_key(KeyUsage::transaction_certificate, suite),
                               protocol::overdraft_tac_input(Money::from_fen(300), opened.counter,
                                                             500, terminal, noon()))));
        CHECK(balance_kind(card, 0) == 800);
        CHECK(balance_kind(card, 1) == 500);
        card.must(debit(open_purchase(card, sam, 450, TransactionType::purchase)));
        CHECK(balance_kind(card, 0) == 350);
        CHECK(balance_kind(card, 2) == 150);
        CHECK(balance_kind(card, 3) == 0);
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(351)))) == 0x9401);
        // The limit may not fall below what is owed.
        CHECK(status(card.send(new_limit(open_limit(card, suite), 149))) == 0x6A80);
        load(card, 200, suite);
        CHECK(balance_kind(card, 2) == 0);
        CHECK(balance_kind(card, 3) == 50);
        CHECK(balance_kind(card, 0) == 550);
    }
}

TEST_CASE("overdraft: refusals") {
    Chip card = issued_card();
    CHECK(status(card.send(protocol::initialise_for_update(KeyIndex{1}, terminal))) == 0x6982);
    card.must(protocol::verify_pin(first_pin));
    CHECK(status(card.send(protocol::initialise_for_update(KeyIndex{2}, terminal))) == 0x9403);
    CHECK(status(card.send(protocol::update_overdraw_limit({5, noon(), {}}))) == 0x6901);
    (void)open_limit(card, Suite::sm4);
    CHECK(status(card.send(protocol::update_overdraw_limit({5, noon(), {}}))) == 0x9302);
    CHECK(balance_kind(card, 1) == 0);
}

TEST_CASE("security code: once asked for, MAC1 must cover it (CJ/T 166, domain.md 1.5)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    CHECK(status(card.send(protocol::get_security_code())) == 0x6901);
    const auto open = [&](bool tells_sam) {
        const auto opened = protocol::PurchaseInitialised::parse(
            card.must(protocol::initialise_for_purchase(initialise_data(10))));
        const auto code = card.must(protocol::get_security_code());
        REQUIRE(code.size() == protocol::security_code_size);
        const protocol::SamPurchaseData data{opened->random,
                                             opened->counter,
                                             Money::from_fen(10),
                                             TransactionType::purchase,
                                             noon(),
                                             opened->key_version,
                                             opened->suite,
                                             protocol::card_factor(card_number),
                                             issuer.value()};
        const auto plain = data.bytes();
        std::vector<std::uint8_t> bytes{plain.begin(), plain.end()};
        if (tells_sam) bytes.insert(bytes.end(), code.begin(), code.end());
        const auto answer = protocol::SamPurchaseAnswer::parse(
            sam.must(protocol::make_command(0x80, 0x70, 0, 0, bytes, 8)));
        return debit({*opened, *answer});
    };
    CHECK(status(card.send(open(false))) == 0x9302);
    const auto proof = protocol::DebitProof::parse_debit(card.must(open(true)));
    REQUIRE(proof.has_value());
    sam.must(protocol::credit_sam_for_purchase(proof->mac2));
    CHECK(balance(card) == 990);
    // Without GET MESSAGE the ordinary MAC1 is right: the code dies with its transaction.
    card.must(debit(open_purchase(card, sam, 10, TransactionType::purchase)));
}
