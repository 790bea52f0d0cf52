// The grey lock in card and SAM. domain.md 1.1; docs/card_commands.md, 6.1 and 7.
#include "protocol/grey_lock.hpp"

#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Money;
using protocol::TransactionType;

namespace {

[[nodiscard]] Chip loaded_card(Suite suite = Suite::sm4) {
    Chip card = issued_card(suite);
    load(card, 1'000, suite);
    return card;
}

/// The station's SAM certifies card and sum in turn.
void unlock_with(Chip& card, Chip& sam, std::uint32_t fen) {
    const auto gmac = sam.must(protocol::sam_grey_debit(Money::from_fen(fen), noon()));
    protocol::Mac mac{};
    std::ranges::copy(gmac, mac.begin());
    card.must(protocol::grey_debit({Money::from_fen(fen), noon(), mac}));
}

}  // namespace

TEST_CASE("grey lock: locked by the station, debited and unlocked by its sum, after a reset") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = loaded_card(suite);
        Chip sam = issued_sam();
        lock_grey(card, sam);
        CHECK(balance(card) == 1'000);
        for (const auto& command : {protocol::initialise_for_purchase(initialise_data(1)),
                                    protocol::initialise_for_capp_purchase(initialise_data(0)),
                                    protocol::initialise_for_load(initialise_data(1)),
                                    protocol::initialise_for_unload(initialise_data(1)),
                                    protocol::initialise_for_grey_lock({KeyIndex{1}, terminal})}) {
            CHECK(status(card.send(command)) == 0x9408);
        }
        card.power_on();
        card.must(protocol::select_by_name(protocol::transit_aid));
        const auto proof = card.must(protocol::get_grey_proof());
        CHECK(proof[0] == 1);
        unlock_with(card, sam, 350);
        CHECK(balance(card) == 650);
        CHECK(card.must(protocol::get_grey_proof())[0] == 0);
        // The log and the proof call it a purchase.
        CHECK(card.send(protocol::get_transaction_prove(TransactionType::purchase, 0)).ok());
        CHECK(card.must(protocol::read_record(protocol::sfi_log, 1, 23))[9] == 0x06);
        card.must(debit(open_purchase(card, sam, 1, TransactionType::purchase)));
    }
}

TEST_CASE("grey lock: the sum's MAC is the station's alone, and works once") {
    Chip card = loaded_card();
    Chip sam = issued_sam();
    CHECK(status(card.send(protocol::grey_debit({Money::from_fen(1), noon(), {}}))) == 0x6901);
    lock_grey(card, sam);
    CHECK(status(card.send(protocol::grey_debit({Money::from_fen(1), noon(), {}}))) == 0x9302);
    const auto gmac = sam.must(protocol::sam_grey_debit(Money::from_fen(20), noon()));
    CHECK(status(sam.send(protocol::sam_grey_debit(Money::from_fen(20), noon()))) == 0x6901);
    protocol::Mac mac{};
    std::ranges::copy(gmac, mac.begin());
    CHECK(status(card.send(protocol::grey_debit({Money::from_fen(21), noon(), mac}))) == 0x9302);
    CHECK(balance(card) == 1'000);
    card.must(protocol::grey_debit({Money::from_fen(20), noon(), mac}));
    CHECK(status(card.send(protocol::grey_debit({Money::from_fen(20), noon(), mac}))) == 0x6901);
    CHECK(balance(card) == 980);
}

TEST_CASE("grey lock: more than there is cannot be taken, and the lock stays") {
    Chip card = loaded_card();
    Chip sam = issued_sam();
    lock_grey(card, sam);
    const auto gmac = sam.must(protocol::sam_grey_debit(Money::from_fen(1'001), noon()));
    protocol::Mac mac{};
    std::ranges::copy(gmac, mac.begin());
    CHECK(status(card.send(protocol::grey_debit({Money::from_fen(1'001), noon(), mac}))) == 0x9401);
    CHECK(card.must(protocol::get_grey_proof())[0] == 1);
}

TEST_CASE("grey lock: the SAM gives no sum's MAC before it has seen MAC2, or for a purchase") {
    Chip card = loaded_card();
    Chip sam = issued_sam();
    CHECK(status(sam.send(protocol::sam_grey_debit(Money::from_fen(1), noon()))) == 0x6901);
    const auto opened = open_grey(card, sam);
    CHECK(status(sam.send(protocol::sam_grey_debit(Money::from_fen(1), noon()))) == 0x6901);
    (void)opened;
    const auto paid = open_purchase(card, sam, 5, TransactionType::purchase);
    const auto proof = protocol::DebitProof::parse_debit(card.must(debit(paid)));
    sam.must(protocol::credit_sam_for_purchase(proof->mac2));
    CHECK(status(sam.send(protocol::sam_grey_debit(Money::from_fen(1), noon()))) == 0x6901);
    // A purchase's MAC1 does not lock: the types differ.
    card.must(protocol::initialise_for_grey_lock({KeyIndex{1}, terminal}));
    CHECK(status(card.send(protocol::grey_lock({paid.sam.sequence, noon(), paid.sam.mac1}))) ==
          0x9302);
    CHECK(card.must(protocol::get_grey_proof())[0] == 0);
}

TEST_CASE("grey lock: an issuer's unlock leaves no proof of a purchase that never was") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = loaded_card(suite);
        Chip sam = issued_sam();
        card.must(debit(open_purchase(card, sam, 5, TransactionType::purchase)));
        const auto prove = [&](std::uint16_t counter) {
            return card.send(protocol::get_transaction_prove(TransactionType::purchase, counter));
        };
        CHECK(prove(0).ok());
        lock_grey(card, sam);
        card.must(protocol::select_by_name(protocol::transit_aid));
        card.must(issuer_unlock(card, 0, suite));
        CHECK(status(prove(1)) == 0x9406);
        CHECK(status(prove(0)) == 0x9406);
    }
}

TEST_CASE("grey lock: the issuer unlocks online, and the station's MAC is then worth nothing") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = loaded_card(suite);
        Chip sam = issued_sam();
        CHECK(status(card.send(protocol::initialise_for_grey_unlock({KeyIndex{1}, terminal}))) ==
              0x6985);
        lock_grey(card, sam);
        const auto gmac = sam.must(protocol::sam_grey_debit(Money::from_fen(300), noon()));
        card.must(protocol::select_by_name(protocol::transit_aid));
        CHECK(status(card.send(protocol::initialise_for_grey_unlock({KeyIndex{1}, terminal}))) ==
              0x6982);
        card.must(issuer_unlock(card, 250, suite));
        CHECK(balance(card) == 750);
        protocol::Mac mac{};
        std::ranges::copy(gmac, mac.begin());
        CHECK(status(card.send(protocol::grey_debit({Money::from_fen(300), noon(), mac}))) ==
              0x6901);
        lock_grey(card, sam);
        CHECK(status(card.send(protocol::grey_debit({Money::from_fen(300), noon(), mac}))) ==
              0x9302);
        CHECK(balance(card) == 750);
    }
}
