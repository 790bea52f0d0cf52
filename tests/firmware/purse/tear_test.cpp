// Power lost at every operation on the flash, in every way, for every command of purse and SAM that
// writes: all old or all new, PROVE answers exactly when new, nothing reads twice differently.
#include <functional>

#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::TransactionType;

namespace {

/// What a terminal can read of a card, and whether its proofs answer.
struct View {
    std::uint32_t balance = 0;
    std::vector<std::uint8_t> log, journey, trip;
    bool purchase_proved = false, capp_proved = false, load_proved = false;
    bool operator==(const View&) const = default;
};

[[nodiscard]] std::vector<std::uint8_t> record(Chip& card, std::uint8_t sfi, unsigned size) {
    return card.send(protocol::read_record(sfi, 1, size)).data;
}

/// `counters` are those before the transaction under test.
[[nodiscard]] View look(Chip& card, std::uint16_t offline, std::uint16_t online) {
    const auto proves = [&](TransactionType type, std::uint16_t counter) {
        return card.send(protocol::get_transaction_prove(type, counter)).ok();
    };
    return {balance(card),
            record(card, protocol::sfi_log, 23),
            record(card, protocol::sfi_journey, 128),
            record(card, protocol::sfi_trip, 48),
            proves(TransactionType::purchase, offline),
            proves(TransactionType::capp_purchase, offline),
            proves(TransactionType::load, online)};
}

struct Case {
    const char* name;
    /// Brings the card to where the command under test is next, and answers that command.
    std::function<protocol::ShortCommand(Chip& card, Chip& sam)> prepare;
    KeyUsage compared;
};

constexpr std::array tears{Tear::not_begun, Tear::partly, Tear::subset, Tear::unstable,
                           Tear::complete};
constexpr unsigned patterns = 4;  // of each kind of tear
constexpr std::uint16_t offline_before = 1, online_before = 1;

/// Sends the command, power lost at `cut`, then comes back, power lost again while recovering.
/// False: the command ended before the cut.
[[nodiscard]] bool cut_command(Chip& card, const protocol::ShortCommand& command,
                               const PowerCut& cut, unsigned second_cut) {
    card.flash().cut_at(cut);
    try {
        (void)card.send(command);
        if (card.flash().is_armed()) return false;
    } catch (const PowerLost&) {
    }
    try {
        if (second_cut != 0) {
            card.flash().reboot();
            card.flash().cut_at({second_cut - 1, cut.tear, cut.pattern + 1});
        }
        card.power_on();
    } catch (const PowerLost&) {
        card.power_on();
    }
    card.flash().disarm();
    return true;
}

void check_case(const Case& tested) {
    Chip base = issued_card();
    Chip sam = issued_sam();
    load(base, 5'000);
    base.must(debit(open_purchase(base, sam, 100, TransactionType::purchase)));
    const unsigned tries_before = base.tries_left(tested.compared, KeyIndex{1});
    Chip after = base.clone();
    after.must(protocol::select_by_name(protocol::transit_aid));
    const View old_view = look(after, offline_before, online_before);
    after.must(tested.prepare(after, sam));
    const View new_view = look(after, offline_before, online_before);
    REQUIRE(old_view != new_view);

    unsigned cuts = 0, became_new = 0;
    for (unsigned variant = 0; variant < tears.size() * patterns; ++variant) {
        const Tear tear = tears[variant % tears.size()];
        const std::uint64_t pattern = variant / tears.size();
        for (std::uint64_t operation = 0;; ++operation) {
            Chip card = base.clone();
            card.must(protocol::select_by_name(protocol::transit_aid));
            const auto command = tested.prepare(card, sam);
            const auto second_cut = static_cast<unsigned>((operation + pattern) % 4);
            if (!cut_command(card, command, {operation, tear, operation * 7 + pattern}, second_cut))
                break;
            CAPTURE(operation);
            CAPTURE(static_cast<int>(tear));
            card.must(protocol::select_by_name(protocol::transit_aid));
            const View view = look(card, offline_before, online_before);
            const bool is_new = view == new_view;
            REQUIRE((is_new || view == old_view));
            REQUIRE(look(card, offline_before, online_before) == view);
            const unsigned tries = card.tries_left(tested.compared, KeyIndex{1});
            REQUIRE((is_new ? tries == tries_before
                            : (tries == tries_before || tries + 1 == tries_before)));
            card.must(debit(open_purchase(card, sam, 1, TransactionType::purchase)));
            REQUIRE(balance(card) == view.balance - 1);
            ++cuts;
            became_new += is_new ? 1 : 0;
        }
    }
    MESSAGE(std::string{tested.name} << ": " << cuts << " cuts, " << became_new << " of them new");
    CHECK(cuts > 50);
    CHECK(became_new > 0);
    CHECK(became_new < cuts);
}

}  // namespace

TEST_CASE("tear: DEBIT FOR PURCHASE is all old or all new (domain.md 1.6)") {
    check_case({"purchase",
                [](Chip& card, Chip& sam) {
                    return debit(open_purchase(card, sam, 700, TransactionType::purchase));
                },
                KeyUsage::purchase});
}

TEST_CASE("tear: a composite purchase with two records is all old or all new (domain.md 1.6)") {
    check_case(
        {"composite purchase",
         [](Chip& card, Chip& sam) {
             const auto opened = open_purchase(card, sam, 300, TransactionType::capp_purchase);
             card.must(protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(5)));
             card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(6)));
             return debit(opened);
         },
         KeyUsage::purchase});
}

TEST_CASE("tear: CREDIT FOR LOAD is all old or all new (domain.md 1.6)") {
    check_case({"load", [](Chip& card, Chip&) { return credit(card, 900); }, KeyUsage::load});
}

TEST_CASE("tear: a SAM's number never repeats, wherever INIT was cut (docs/card_commands.md, 7)") {
    Chip base = issued_sam();
    const auto command = protocol::init_sam_for_purchase({{1, 2, 3, 4},
                                                          protocol::OfflineCounter{7},
                                                          protocol::Money::from_fen(5),
                                                          TransactionType::purchase,
                                                          noon(),
                                                          key_version,
                                                          Suite::sm4,
                                                          protocol::card_factor(card_number),
                                                          issuer.value()});
    const auto number = [&](Chip& sam) {
        return protocol::SamPurchaseAnswer::parse(sam.must(command))->sequence.value();
    };
    const std::uint32_t last_before = number(base);
    unsigned cuts = 0;
    for (const Tear tear : tears) {
        for (std::uint64_t operation = 0;; ++operation) {
            Chip sam = base.clone();
            sam.must(protocol::select_by_name(protocol::sam_aid));
            if (!cut_command(sam, command, {operation, tear, operation + 3}, 0)) break;
            sam.must(protocol::select_by_name(protocol::sam_aid));
            const std::uint32_t next = number(sam);
            REQUIRE(next > last_before);
            REQUIRE(next <= last_before + 65);  // at most the two blocks that the cuts burnt
            REQUIRE(number(sam) == next + 1);
            ++cuts;
        }
    }
    CHECK(cuts > 10);
}

TEST_CASE(
    "tear: a wrong PIN costs its try even when power is cut before the answer "
    "(docs/card_commands.md, 1)") {
    Chip base = issued_card();
    constexpr std::array<std::uint8_t, 3> wrong{0x65, 0x43, 0x21};
    for (const Tear tear : tears) {
        for (std::uint64_t operation = 0;; ++operation) {
            Chip card = base.clone();
            card.must(protocol::select_by_name(protocol::transit_aid));
            if (!cut_command(card, protocol::verify_pin(wrong), {operation, tear, 11}, 0)) break;
            const unsigned left = card.tries_left(KeyUsage::pin, KeyIndex{0});
            REQUIRE((left == 3 || left == 2));
            // The comparison has not happened as long as the try is not taken.
            card.must(protocol::select_by_name(protocol::transit_aid));
            REQUIRE(status(card.send(protocol::verify_pin(wrong))) == 0x63C0 + left - 1);
        }
    }
}
