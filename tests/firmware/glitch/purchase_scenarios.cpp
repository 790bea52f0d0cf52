// Purchases. domain.md 1.5, 1.6; docs/card_commands.md, 6.
#include <algorithm>
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/purse_looks.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

constexpr std::uint32_t price = 700;
constexpr TriedKey purchase_key{KeyUsage::purchase, KeyIndex{1}};

using Known = std::shared_ptr<Purchase>;

/// INITIALIZE; the purchase that it opens.
void open(EmulatedCard& card, Purchase& known) {
    select_transit(card);
    known =
        purchase_of(card.must(protocol::initialise_for_purchase(initialise_data(price))), price);
}

[[nodiscard]] bool shows_proof(const Trial& trial, const Purchase& known) {
    return trial.shows(known.tac) || trial.shows(known.mac2);
}

void judge_wrong_mac(Trial& trial, const Purchase& known, unsigned tries_before) {
    deny(shows_proof(trial, known), "proves a debit whose MAC1 was wrong");
    const View& after = trial.view();
    deny_free_guess(trial, after, tries_before);
    deny_changed_purse(after);
}

[[nodiscard]] Scenario wrong_debit(const char* name, unsigned tries_before, const More& more) {
    const Known known = std::make_shared<Purchase>();
    Scenario out;
    out.name = name;
    out.make = [more] { return used_card(more); };
    out.prepare = [known](EmulatedCard& card) {
        open(card, *known);
        return with_wrong_mac(known->debit);
    };
    out.undisturbed =
        tries_before > 1 ? StatusWord::mac_wrong : StatusWord::application_permanently_blocked;
    out.looks = purse_looks();
    out.tried = purchase_key;
    out.guesses = [known] { return mac_guesses(known->debit); };
    out.judge = [known, tries_before](Trial& trial) {
        judge_wrong_mac(trial, *known, tries_before);
    };
    return out;
}

void lose_tries(Chip& card, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        card.must(protocol::initialise_for_purchase(initialise_data(1)));
        (void)card.send(protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}}));
    }
}

/// A proof that left, now or in GET TRANSACTION PROVE, is paid for; the balance never rises.
void judge_paid(Trial& trial, const Purchase& known) {
    const bool is_proven = shows_proof(trial, known);
    const View& after = trial.view();
    if (after.is_mute || !purse_balance(after)) return;
    const bool is_paid = *purse_balance(after) == used_balance - price &&
                         purse_counter(after) == used_offline_counter + 1U;
    deny(*purse_balance(after) > used_balance, "the balance has risen");
    deny(is_proven && !is_paid, "a proof leaves, and the debit is not kept");
    deny(proof_holds(after, known) && !is_paid, "GET TRANSACTION PROVE proves what was not paid");
}

[[nodiscard]] Scenario right_debit() {
    const Known known = std::make_shared<Purchase>();
    Scenario out;
    out.name = "DEBIT, right MAC1";
    out.make = [] { return used_card(); };
    out.prepare = [known](EmulatedCard& card) {
        open(card, *known);
        return known->debit;
    };
    out.looks = purse_looks();
    out.judge = [known](Trial& trial) { judge_paid(trial, *known); };
    return out;
}

/// Two records go with the debit, or the gate's answer is worth nothing.
[[nodiscard]] Scenario composite_debit() {
    const Known known = std::make_shared<Purchase>();
    Scenario out;
    out.name = "DEBIT of a composite purchase, right MAC1";
    out.make = [] { return used_card(); };
    out.prepare = [known](EmulatedCard& card) {
        constexpr auto type = TransactionType::capp_purchase;
        select_transit(card);
        *known = purchase_of(
            card.must(protocol::initialise_for_capp_purchase(initialise_data(price))), price, type);
        card.must(protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(7)));
        card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(7)));
        return known->debit;
    };
    out.looks = purse_looks();
    out.looks.push_back(hex("00B201D400"));
    out.looks.push_back(hex("00B201F400"));
    out.judge = [known](Trial& trial) {
        judge_paid(trial, *known);
        const View& after = trial.view();
        if (after.is_mute || !shows_proof(trial, *known)) return;
        const auto holds = [&](std::size_t back, Bytes record) {
            return std::ranges::equal(after.answers[after.answers.size() - back].data, record);
        };
        deny(!holds(2, journey(7)) || !holds(1, trip(7)),
             "a proof leaves, and a record is missing");
    };
    return out;
}

// ---- INITIALIZE where none may be, then an undisturbed DEBIT -----------------------------------

/// The purchase that whoever has a SAM goes on with, whatever INITIALIZE answered.
void judge_forbidden_purchase(Trial& trial, std::uint32_t fen) {
    const bool has_data = trial.answer() && trial.answer()->ok();
    const Purchase next = purchase_of(has_data ? Bytes{trial.answer()->data} : Bytes{}, fen);
    const Answer answer = trial.ask(next.debit);
    const bool is_proven = holds(answer.data, next.mac2) || holds(answer.data, next.tac);
    if (!is_proven) return;
    trial.power_cycle();
    (void)trial.ask(protocol::select_by_name(protocol::transit_aid));
    const Answer left = trial.ask(hex("805C030204"));
    const bool is_paid = left.data.size() == 4 && fen <= used_balance &&
                         protocol::read_big_endian(std::span<const std::uint8_t, 4>{
                             left.data.data(), 4}) == used_balance - fen;
    throw Gain{is_paid ? "pays where it must not" : "proves a purchase that was not paid"};
}

[[nodiscard]] Scenario forbidden_initialise(const char* name, std::uint32_t fen,
                                            StatusWord undisturbed, const More& more) {
    Scenario out;
    out.name = name;
    out.make = [more] { return used_card(more); };
    out.prepare = [fen](EmulatedCard& card) {
        select_transit(card);
        return bytes_of(protocol::initialise_for_purchase(initialise_data(fen)));
    };
    out.undisturbed = undisturbed;
    out.judge = [fen](Trial& trial) { judge_forbidden_purchase(trial, fen); };
    return out;
}

void block_application(Chip& card, std::uint8_t for_good) {
    card.must(tests::protect(card, card_key(KeyUsage::application_lock, suite),
                             {{0x84, 0x1E, 0x00, for_good}, {}}));
}

void add_forbidden(std::vector<Scenario>& out) {
    out.push_back(forbidden_initialise("INITIALIZE FOR PURCHASE above the balance",
                                       used_balance + 100, StatusWord::insufficient_balance, {}));
    out.push_back(forbidden_initialise("INITIALIZE FOR PURCHASE, application blocked", price,
                                       StatusWord::function_not_supported,
                                       [](Chip& card) { block_application(card, 0); }));
    out.push_back(forbidden_initialise("INITIALIZE FOR PURCHASE, application blocked for good",
                                       price, StatusWord::application_permanently_blocked,
                                       [](Chip& card) { block_application(card, 1); }));
    out.push_back(forbidden_initialise("INITIALIZE FOR PURCHASE, grey-locked", price,
                                       StatusWord::grey_locked, [](Chip& card) {
                                           Chip sam = issued_sam();
                                           lock_grey(card, sam);
                                       }));
    // Nothing is selected there that could pay: SELECT is what must be got past.
    Scenario blocked = forbidden_initialise(
        "SELECT on a blocked card", price, StatusWord::function_not_supported, [](Chip& card) {
            card.must(protocol::select_file(protocol::master_file));
            card.must(tests::protect(card, card_key(KeyUsage::application_lock, suite),
                                     {{0x84, 0x16, 0x00, 0x00}, {}}));
        });
    blocked.prepare = [](EmulatedCard&) {
        return bytes_of(protocol::select_by_name(protocol::transit_aid));
    };
    blocked.judge = [](Trial& trial) {
        const Answer opened = trial.ask(protocol::initialise_for_purchase(initialise_data(price)));
        const Purchase next = purchase_of(opened.data, price);
        const Answer answer = trial.ask(next.debit);
        deny(opened.ok() || answer.ok(), "a blocked card opens a purchase");
    };
    out.push_back(std::move(blocked));
}

// ---- The grey lock -----------------------------------------------------------------------------

[[nodiscard]] Scenario grey_locks() {
    const Known known = std::make_shared<Purchase>();
    Scenario out;
    out.name = "GREY LOCK, right MAC1";
    out.make = [] { return used_card(); };
    out.prepare = [known](EmulatedCard& card) {
        select_transit(card);
        *known = purchase_of(card.must(protocol::initialise_for_grey_lock({KeyIndex{1}, terminal})),
                             0, protocol::grey_lock_type);
        Command command = known->debit;
        command[0] = 0xE0;
        command[1] = 0x7C;
        command[2] = 0x08;
        return command;
    };
    out.looks = purse_looks();
    out.judge = [known](Trial& trial) {
        const View& after = trial.view();
        if (after.is_mute) return;
        deny(shows_proof(trial, *known) && purse_counter(after).has_value(),
             "proves a lock that is not kept");
    };
    return out;
}

}  // namespace

std::vector<Scenario> purchase_scenarios() {
    std::vector<Scenario> out;
    out.push_back(wrong_debit("DEBIT, wrong MAC1", used_tries, {}));
    out.push_back(wrong_debit("DEBIT, wrong MAC1 for the last time", 1,
                              [](Chip& card) { lose_tries(card, used_tries - 1); }));
    out.push_back(right_debit());
    out.push_back(composite_debit());
    out.push_back(grey_locks());
    add_forbidden(out);
    return out;
}

}  // namespace tests::glitch
