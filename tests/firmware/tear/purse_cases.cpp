// Purse commands under the knife. domain.md 1.1 to 1.6; docs/card_commands.md, 6.
#include "protocol/grey_lock.hpp"
#include "tests/firmware/tear/cases.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::tear {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Money;
using protocol::TransactionType;

Command bytes_of(const protocol::ShortCommand& command) {
    return {command.bytes().begin(), command.bytes().end()};
}

void select_transit(Chip& card) {
    (void)card.send(protocol::select_by_name(protocol::transit_aid));
}

Chip terminal_sam() {
    static const Chip stock = issued_sam();
    Chip sam = stock.clone();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    return sam;
}

namespace {

[[nodiscard]] protocol::ShortCommand composite(Chip& card, std::uint32_t fen, std::uint8_t mark) {
    Chip sam = terminal_sam();
    const auto opened = open_purchase(card, sam, fen, TransactionType::capp_purchase);
    card.must(protocol::update_capp_data_cache(1, protocol::sfi_journey, journey(mark)));
    card.must(protocol::update_capp_data_cache(0, protocol::sfi_trip, trip(mark)));
    return debit(opened);
}

[[nodiscard]] protocol::ShortCommand purchase(Chip& card, std::uint32_t fen) {
    Chip sam = terminal_sam();
    return debit(open_purchase(card, sam, fen, TransactionType::purchase));
}

const Command select_command = bytes_of(protocol::select_by_name(protocol::transit_aid));

/// A wrong MAC of a purse transaction; the last one says 9303.
[[nodiscard]] Probe wrong_mac(const protocol::ShortCommand& initialise,
                              const protocol::ShortCommand& answer, bool with_pin) {
    Probe probe{{}, 0x9302};
    probe.attempt.push_back(select_command);
    if (with_pin) probe.attempt.push_back(bytes_of(protocol::verify_pin(first_pin)));
    probe.attempt.push_back(bytes_of(initialise));
    probe.attempt.push_back(bytes_of(answer));
    return probe;
}

[[nodiscard]] Probe purchase_tries() {
    return wrong_mac(protocol::initialise_for_purchase(initialise_data(1)),
                     protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}}),
                     false);
}

[[nodiscard]] Case base(const char* name, Suite suite) {
    Case out;
    out.name = std::string{name} + (suite == Suite::sm4 ? ", SM4" : ", 3DES");
    out.make = [suite] { return used_card(suite); };
    out.looks = card_looks();
    out.next = pay_one;
    return out;
}

void lose_tries(Chip& card, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        card.must(protocol::initialise_for_purchase(initialise_data(1)));
        (void)card.send(protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}}));
    }
}

}  // namespace

void pay_one(Chip& card) {
    select_transit(card);
    card.must(purchase(card, 1));
}

Chip used_card(Suite suite) {
    Chip card = issued_card(suite);
    load(card, 5'000, suite);
    card.must(composite(card, 200, 1));
    card.must(purchase(card, 100));
    lose_tries(card, 2);
    card.power_on();
    return card;
}

std::vector<Command> card_looks(bool with_pin_tries) {
    std::vector<Command> out{hex("80CADF200B"), hex("00A40000023F00"), select_command,
                             hex("805C000204"), hex("805C010204"),     hex("805C020204"),
                             hex("805C030204"), hex("00B0950000"),     hex("00B0970000"),
                             hex("00B201C400"), hex("00B202C400"),     hex("00B201D400"),
                             hex("00B202D400"), hex("00B201F400"),     hex("00B202F400")};
    // The next transaction has the counters 2 and 1; the last ones had 1 and 0.
    out.push_back(bytes_of(protocol::get_grey_proof()));
    const auto prove = [&](TransactionType type, std::uint16_t counter) {
        out.push_back(bytes_of(protocol::get_transaction_prove(type, counter)));
    };
    prove(TransactionType::purchase, 1);
    prove(TransactionType::purchase, 2);
    prove(TransactionType::capp_purchase, 2);
    prove(TransactionType::load, 0);
    prove(TransactionType::load, 1);
    prove(TransactionType::unload, 1);
    prove(TransactionType::overdraft_change, 1);
    out.push_back(bytes_of(protocol::initialise_for_purchase(initialise_data(0))));
    out.push_back(hex("00880001 08 0102030405060708 08"));
    if (with_pin_tries) out.push_back(hex("00200000"));
    return out;
}

std::vector<Case> purse_cases(Suite suite) {
    std::vector<Case> out;
    out.reserve(16);  // add() hands out pointers
    const auto add = [&](const char* name, Probe probe, auto command) {
        Case tested = base(name, suite);
        tested.probe = std::move(probe);
        tested.prepare = [command](Chip& card) {
            select_transit(card);
            return bytes_of(command(card));
        };
        out.push_back(std::move(tested));
        return &out.back();
    };
    add("DEBIT FOR PURCHASE", purchase_tries(), [](Chip& card) { return purchase(card, 700); });
    add("DEBIT FOR CAPP PURCHASE, two records", purchase_tries(),
        [](Chip& card) { return composite(card, 300, 5); });
    add("DEBIT FOR CAPP PURCHASE, amount 0", purchase_tries(),
        [](Chip& card) { return composite(card, 0, 6); });
    add("CREDIT FOR LOAD",
        wrong_mac(protocol::initialise_for_load(initialise_data(1)),
                  protocol::credit_for_load({noon(), {}}), true),
        [suite](Chip& card) { return credit(card, 900, suite); });
    add("DEBIT FOR UNLOAD",
        wrong_mac(protocol::initialise_for_unload(initialise_data(1)),
                  protocol::debit_for_unload({noon(), {}}), true),
        [suite](Chip& card) { return unload(card, 400, suite); });
    add("UPDATE OVERDRAW LIMIT",
        wrong_mac(protocol::initialise_for_update(KeyIndex{1}, terminal),
                  protocol::update_overdraw_limit({5, noon(), {}}), true),
        [suite](Chip& card) { return new_limit(card, 800, suite); });

    add("GREY LOCK", purchase_tries(), [](Chip& card) {
        Chip sam = terminal_sam();
        const auto opened = open_grey(card, sam);
        return protocol::grey_lock({opened.sam.sequence, noon(), opened.sam.mac1});
    })->next = [suite](Chip& card) {
        select_transit(card);
        card.must(issuer_unlock(card, 10, suite));
        pay_one(card);
    };
    const auto locked = [suite] {
        Chip card = used_card(suite);
        select_transit(card);
        Chip sam = terminal_sam();
        lock_grey(card, sam);
        card.power_on();
        return card;
    };
    Case* by_issuer =
        add("GREY UNLOCK", {}, [suite](Chip& card) { return issuer_unlock(card, 300, suite); });
    by_issuer->make = locked;
    // The station's MAC was computed when it locked: the SAM has forgotten it since.
    const auto gmac = std::make_shared<Command>();
    Case* by_station = add("DEBIT FOR UNLOCK", {}, [gmac](Chip&) {
        protocol::ShortCommand command;
        if (!command.append(*gmac)) throw std::logic_error{"the command is too long"};
        return command;
    });
    by_station->make = [suite, gmac] {
        Chip card = used_card(suite);
        select_transit(card);
        Chip sam = terminal_sam();
        lock_grey(card, sam);
        protocol::Mac mac{};
        std::ranges::copy(sam.must(protocol::sam_grey_debit(Money::from_fen(250), noon())),
                          mac.begin());
        *gmac = bytes_of(protocol::grey_debit({Money::from_fen(250), noon(), mac}));
        card.power_on();
        return card;
    };

    const auto wrong = [](Chip& card) {
        card.must(protocol::initialise_for_purchase(initialise_data(7)));
        return protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}});
    };
    add("DEBIT with a wrong MAC1", purchase_tries(), wrong)->replays = false;
    Case* last = add("DEBIT with the last wrong MAC1", purchase_tries(), wrong);
    last->make = [suite] {
        Chip card = used_card(suite);
        select_transit(card);
        lose_tries(card, 7);
        card.power_on();
        return card;
    };
    last->replays = false;
    last->next = [](Chip& card) { select_transit(card); };
    return out;
}

}  // namespace tests::tear
