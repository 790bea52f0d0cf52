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

std::string named(const char* command, Suite suite) {
    return std::string{command} + (suite == Suite::sm4 ? ", SM4" : ", 3DES");
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

/// The terminal has asked for the security code, and MAC1 covers it. CJ/T 166, domain.md 1.5.
[[nodiscard]] protocol::ShortCommand purchase_with_code(Chip& card, std::uint32_t fen) {
    Chip sam = terminal_sam();
    const auto opened = protocol::PurchaseInitialised::parse(
        card.must(protocol::initialise_for_purchase(initialise_data(fen))));
    if (!opened) throw std::logic_error{"INITIALIZE's answer does not parse"};
    const auto code = card.must(protocol::get_security_code());
    const auto plain = protocol::SamPurchaseData{opened->random,
                                                 opened->counter,
                                                 Money::from_fen(fen),
                                                 TransactionType::purchase,
                                                 noon(),
                                                 opened->key_version,
                                                 opened->suite,
                                                 protocol::card_factor(card_number),
                                                 issuer.value()}
                           .bytes();
    std::vector<std::uint8_t> data{plain.begin(), plain.end()};
    data.insert(data.end(), code.begin(), code.end());
    const auto answer = protocol::SamPurchaseAnswer::parse(
        sam.must(protocol::make_command(0x80, 0x70, 0, 0, data, 8)));
    if (!answer) throw std::logic_error{"INIT SAM's answer does not parse"};
    return debit({*opened, *answer});
}

const Command select_command = bytes_of(protocol::select_by_name(protocol::transit_aid));

/// A transaction with a wrong MAC; the last one says 9303.
struct Wrong {
    protocol::ShortCommand initialise, answer;
};
[[nodiscard]] Wrong wrong_purchase() {
    return {protocol::initialise_for_purchase(initialise_data(1)),
            protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}})};
}
[[nodiscard]] Wrong wrong_load() {
    return {protocol::initialise_for_load(initialise_data(1)),
            protocol::credit_for_load({noon(), {}})};
}
[[nodiscard]] Wrong wrong_unload() {
    return {protocol::initialise_for_unload(initialise_data(1)),
            protocol::debit_for_unload({noon(), {}})};
}
[[nodiscard]] Wrong wrong_limit() {
    return {protocol::initialise_for_update(KeyIndex{1}, terminal),
            protocol::update_overdraw_limit({5, noon(), {}})};
}
[[nodiscard]] Wrong wrong_grey_lock() {
    return {protocol::initialise_for_grey_lock({KeyIndex{1}, terminal}),
            protocol::grey_lock({protocol::TerminalSequence{9}, noon(), {}})};
}
[[nodiscard]] Wrong wrong_grey_unlock() {
    return {protocol::initialise_for_grey_unlock({KeyIndex{1}, terminal}),
            protocol::grey_unlock({Money::from_fen(5), noon(), {}})};
}
/// It needs no INITIALIZE: the lock is one.
[[nodiscard]] protocol::ShortCommand wrong_station() {
    return protocol::grey_debit({Money::from_fen(5), noon(), {}});
}

[[nodiscard]] Probe tries_of(std::initializer_list<Command> attempt) {
    Probe probe{{select_command}, 0x9302};
    probe.attempt.insert(probe.attempt.end(), attempt);
    return probe;
}
[[nodiscard]] Probe tries_of(const Wrong& wrong) {
    return tries_of({bytes_of(wrong.initialise), bytes_of(wrong.answer)});
}
[[nodiscard]] Probe tries_with_pin(const Wrong& wrong) {
    return tries_of({bytes_of(protocol::verify_pin(first_pin)), bytes_of(wrong.initialise),
                     bytes_of(wrong.answer)});
}
[[nodiscard]] Probe purchase_tries() {
    return tries_of(wrong_purchase());
}
/// The purchase key's, of a purse that is locked or not: one of the two is refused for another
/// reason and takes nothing.
[[nodiscard]] Probe station_tries() {
    const Wrong free = wrong_purchase();
    return tries_of({bytes_of(wrong_station()), bytes_of(free.initialise), bytes_of(free.answer)});
}
/// The unload key's, in the same way.
[[nodiscard]] Probe issuer_tries() {
    const Wrong locked = wrong_grey_unlock(), free = wrong_unload();
    return tries_of({bytes_of(protocol::verify_pin(first_pin)), bytes_of(locked.initialise),
                     bytes_of(locked.answer), bytes_of(free.initialise), bytes_of(free.answer)});
}

[[nodiscard]] Case base(const char* name, Suite suite) {
    Case out;
    out.name = named(name, suite);
    out.make = [suite] { return used_card(suite); };
    out.looks = card_looks();
    out.next = pay_one;
    return out;
}

void lose_tries(Chip& card, unsigned count) {
    const Wrong wrong = wrong_purchase();
    for (unsigned i = 0; i < count; ++i) {
        card.must(wrong.initialise);
        (void)card.send(wrong.answer);
    }
}

/// The card before, after something else was done to it.
[[nodiscard]] std::function<Chip()> used_and(Suite suite, std::function<void(Chip&)> done) {
    return [suite, done = std::move(done)] {
        Chip card = used_card(suite);
        select_transit(card);
        done(card);
        card.power_on();
        return card;
    };
}
void lock_by_station(Chip& card) {
    Chip sam = terminal_sam();
    lock_grey(card, sam);
}

/// Hands out pointers: `out` must not grow beyond what it has reserved.
struct Making {
    Suite suite;
    std::vector<Case>* out;

    Case* add(const char* name, Probe probe,
              std::function<protocol::ShortCommand(Chip&)> command) const {
        Case tested = base(name, suite);
        tested.probe = std::move(probe);
        tested.prepare = [command = std::move(command)](Chip& card) {
            select_transit(card);
            return bytes_of(command(card));
        };
        out->push_back(std::move(tested));
        return &out->back();
    }
    Case* add_wrong(const char* name, Probe probe, const Wrong& wrong, bool with_pin) const {
        Case* tested = add(name, std::move(probe), [wrong, with_pin](Chip& card) {
            if (with_pin) card.must(protocol::verify_pin(first_pin));
            card.must(wrong.initialise);
            return wrong.answer;
        });
        tested->replays = false;
        return tested;
    }
};

void add_offline(const Making& making) {
    const Suite suite = making.suite;
    making
        .add("DEBIT FOR PURCHASE", purchase_tries(), [](Chip& card) { return purchase(card, 700); })
        ->is_thorough = true;
    making
        .add("DEBIT FOR CAPP PURCHASE, two records", purchase_tries(),
             [](Chip& card) { return composite(card, 300, 5); })
        ->is_thorough = true;
    making.add("DEBIT FOR CAPP PURCHASE, amount 0", purchase_tries(),
               [](Chip& card) { return composite(card, 0, 6); });
    making.add("DEBIT with a security code", purchase_tries(),
               [](Chip& card) { return purchase_with_code(card, 700); });
    constexpr std::uint32_t limit = 2'000, balance = 4'700;  // used_card's
    making
        .add("DEBIT out of the overdraft", purchase_tries(),
             [](Chip& card) { return purchase(card, balance + 600); })
        ->make = used_and(suite, [suite](Chip& card) { card.must(new_limit(card, limit, suite)); });
    making.add_wrong("DEBIT with a wrong MAC1", purchase_tries(), wrong_purchase(), false);
    Case* last = making.add_wrong("DEBIT with the last wrong MAC1", purchase_tries(),
                                  wrong_purchase(), false);
    last->make = used_and(suite, [](Chip& card) { lose_tries(card, 7); });
    last->next = [](Chip& card) { select_transit(card); };
}

void add_online(const Making& making) {
    const Suite suite = making.suite;
    making
        .add("CREDIT FOR LOAD", tries_with_pin(wrong_load()),
             [suite](Chip& card) { return credit(card, 900, suite); })
        ->is_thorough = true;
    making.add("DEBIT FOR UNLOAD", tries_with_pin(wrong_unload()),
               [suite](Chip& card) { return unload(card, 400, suite); });
    making.add("UPDATE OVERDRAW LIMIT", tries_with_pin(wrong_limit()),
               [suite](Chip& card) { return new_limit(card, 800, suite); });
    // The MAC is right, the try comes back in a commit of its own, and nothing else changes.
    making
        .add("UPDATE OVERDRAW LIMIT below what is owed", tries_with_pin(wrong_limit()),
             [suite](Chip& card) { return new_limit(card, 100, suite); })
        ->make = used_and(suite, [suite](Chip& card) {
        card.must(new_limit(card, 2'000, suite));
        card.must(purchase(card, 5'000));
    });
    making.add_wrong("CREDIT FOR LOAD with a wrong MAC2", tries_with_pin(wrong_load()),
                     wrong_load(), true);
    making.add_wrong("DEBIT FOR UNLOAD with a wrong MAC2", tries_with_pin(wrong_unload()),
                     wrong_unload(), true);
    making.add_wrong("UPDATE OVERDRAW LIMIT with a wrong MAC2", tries_with_pin(wrong_limit()),
                     wrong_limit(), true);
}

void add_grey(const Making& making) {
    const Suite suite = making.suite;
    const auto locked = used_and(suite, lock_by_station);
    const auto free_and_pay = [suite](Chip& card) {
        select_transit(card);
        card.must(issuer_unlock(card, 10, suite));
        pay_one(card);
    };
    making
        .add("GREY LOCK", station_tries(),
             [](Chip& card) {
                 Chip sam = terminal_sam();
                 const auto opened = open_grey(card, sam);
                 return protocol::grey_lock({opened.sam.sequence, noon(), opened.sam.mac1});
             })
        ->next = free_and_pay;
    making
        .add("GREY UNLOCK", issuer_tries(),
             [suite](Chip& card) { return issuer_unlock(card, 300, suite); })
        ->make = locked;
    // The station's MAC was computed when it locked: the SAM has forgotten it since.
    const auto gmac = std::make_shared<Command>();
    making
        .add("DEBIT FOR UNLOCK", station_tries(),
             [gmac](Chip&) {
                 protocol::ShortCommand command;
                 if (!command.append(*gmac)) throw std::logic_error{"the command is too long"};
                 return command;
             })
        ->make = used_and(suite, [gmac](Chip& card) {
        Chip sam = terminal_sam();
        lock_grey(card, sam);
        protocol::Mac mac{};
        std::ranges::copy(sam.must(protocol::sam_grey_debit(Money::from_fen(250), noon())),
                          mac.begin());
        *gmac = bytes_of(protocol::grey_debit({Money::from_fen(250), noon(), mac}));
    });
    making.add_wrong("GREY LOCK with a wrong MAC1", station_tries(), wrong_grey_lock(), false);
    Case* issuer = making.add_wrong("GREY UNLOCK with a wrong MAC2", issuer_tries(),
                                    wrong_grey_unlock(), true);
    Case* station = making.add("DEBIT FOR UNLOCK with a wrong GMAC", station_tries(),
                               [](Chip&) { return wrong_station(); });
    station->replays = false;
    for (Case* tested : {issuer, station}) {
        tested->make = locked;
        tested->next = free_and_pay;
    }
}

}  // namespace

void pay_one(Chip& card) {
    select_transit(card);
    card.must(purchase(card, 1));
}

Chip used_card(Suite suite) {
    Chip card = issued_card(suite, 1, chip_pages);
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
    out.reserve(32);
    const Making making{suite, &out};
    add_offline(making);
    add_online(making);
    add_grey(making);
    return out;
}

}  // namespace tests::tear
