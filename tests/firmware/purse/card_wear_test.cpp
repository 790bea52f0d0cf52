// A purse's whole life through the card's commands: its offline counter ends before its flash does.
// docs/card_storage.md, 4; docs/card_commands.md, 6. Sanitized builds live the first part of it.
#include <doctest/doctest.h>

#include "tests/firmware/support/documented.hpp"
#include "tests/firmware/support/terminal.hpp"

using namespace tests;
using protocol::Money;
using protocol::TransactionType;

namespace {

constexpr std::uint32_t counter_end = 0xFFFF;
#ifdef __SANITIZE_ADDRESS__
constexpr bool is_sampled = true;
constexpr std::uint32_t debits_of_a_purse = 1'000, debits_torn = 100;
#else
constexpr bool is_sampled = false;
constexpr std::uint32_t debits_of_a_purse = counter_end, debits_torn = 2'000;
#endif
constexpr std::uint32_t loaded = 70'000;

/// A card, and what must be in it.
class Purse {
public:
    Purse() : card_{issued_card(Suite::sm4, 1, firmware::flash_model::page_count_default)} {
        load(card_, loaded);
    }
    [[nodiscard]] Chip& card() { return card_; }
    [[nodiscard]] std::uint32_t debits() const { return debits_; }

    void power_on() {
        card_.power_on();
        card_.must(protocol::select_by_name(protocol::transit_aid));
    }
    /// One fen, with a trip's record, as a gate does it.
    [[nodiscard]] unsigned pay() {
        const auto opened = protocol::PurchaseInitialised::parse(
            card_.must(protocol::initialise_for_capp_purchase(initialise_data(1))));
        REQUIRE(opened.has_value());
        card_.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(mark_of(debits_))));
        const protocol::TerminalSequence sequence{debits_ + 1};
        const auto key =
            crypto::purse::offline_process_key(key_, opened->random, opened->counter, sequence);
        const auto mac1 = crypto::purse::purse_mac(
            key, protocol::purchase_mac1_input(Money::from_fen(1), TransactionType::capp_purchase,
                                               terminal, noon()));
        const unsigned answer =
            status(card_.send(protocol::debit_for_purchase({sequence, noon(), mac1})));
        if (answer == 0x9000) ++debits_;
        return answer;
    }
    /// Balance, log, trips and proof are those of the last debit.
    void check() {
        CHECK(balance(card_) == loaded - debits_);
        for (std::uint32_t back = 0; back < 10; ++back) {
            CAPTURE(back);
            const auto record = protocol::PurseLogRecord::parse(card_.must(
                protocol::read_record(protocol::sfi_log, static_cast<std::uint8_t>(back + 1), 23)));
            REQUIRE(record.has_value());
            CHECK(record->counter_after == debits_ - back);
        }
        for (std::uint32_t back = 0; back < 30; ++back) {
            CAPTURE(back);
            const auto record = card_.must(
                protocol::read_record(protocol::sfi_trip, static_cast<std::uint8_t>(back + 1), 48));
            CHECK(std::ranges::equal(record, trip(mark_of(debits_ - 1 - back))));
        }
        const auto before = static_cast<std::uint16_t>(debits_ - 1);
        const auto proof = protocol::get_transaction_prove(TransactionType::capp_purchase, before);
        CHECK(card_.send(proof).ok());
    }
    void tell(const std::string& what) {
        const TearingFlash& flash = card_.flash();
        MESSAGE(what << ": debits: " << debits_ << ", erasures of a page: " << flash.erases_min()
                     << " to " << flash.erases_max());
        CHECK(flash.erases_max() - flash.erases_min() <= 2 + flash.erases_max() / 20);  // levelled
        CHECK(flash.erases_max() < firmware::flash_model::endurance_erases / 10);
        if (is_sampled) return;
        check_documented("card_storage.md", what,
                         {debits_, flash.erases_min(), flash.erases_max()});
    }

private:
    [[nodiscard]] static std::uint8_t mark_of(std::uint32_t number) {
        return static_cast<std::uint8_t>(number % 251);
    }
    Chip card_;
    PurseKey key_ = card_key(protocol::KeyUsage::purchase, Suite::sm4);
    std::uint32_t debits_ = 0;
};

}  // namespace

TEST_CASE("wear: one purse pays until its counter ends, with housekeeping after each debit") {
    Purse purse;
    while (purse.debits() < debits_of_a_purse) {
        if (purse.debits() % 25 == 0) purse.power_on();
        REQUIRE(purse.pay() == 0x9000);
        purse.card().card().housekeeping();
    }
    purse.power_on();
    purse.check();
    purse.tell("one purse to the end of its counter");
    if (is_sampled) return;
    Chip& card = purse.card();
    CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(1)))) == 0x9402);
    CHECK(status(card.send(protocol::initialise_for_capp_purchase(initialise_data(1)))) == 0x9402);
    load(card, 5);  // the other counter goes on, and the card is as good as new
    CHECK(balance(card) == loaded - counter_end + 5);
}

TEST_CASE("wear: a purse that gets no housekeeping loses nothing, and works again when it does") {
    Purse purse;
    purse.power_on();
    // One session, until the reserve is used up.
    unsigned refused = 0;
    while (purse.debits() < debits_of_a_purse) {
        refused = purse.pay();
        if (refused != 0x9000) break;
    }
    CHECK(refused == 0x6A84);
    CHECK(purse.debits() > 600);
    purse.check();
    // Power lost right behind each answer: the reset makes room.
    for (std::uint32_t i = 0; i < debits_torn; ++i) {
        purse.power_on();
        REQUIRE(purse.pay() == 0x9000);
    }
    purse.power_on();
    purse.check();
    for (unsigned i = 0; i < 10; ++i) {
        for (unsigned step = 0; step < 128; ++step) purse.card().card().housekeeping();
        REQUIRE(purse.pay() == 0x9000);
    }
    purse.power_on();
    purse.check();
    purse.tell("one purse without housekeeping");
}
