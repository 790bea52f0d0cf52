#include "tests/simulation/witness.hpp"

#include <fmt/format.h>

#include "protocol/city_exchange.hpp"
#include "protocol/load.hpp"

namespace simulation {

using host::clearing::ClaimState;
using host::store::LoadState;

namespace {

void demand(bool holds, const std::string& what) {
    if (!holds) throw Violation{what};
}

std::string tail_of(const protocol::CardNumber& card) {
    return fmt::format("card ..{:02X}{:02X}", card.value()[8], card.value()[9]);
}

bool is_booked(ClaimState state) {
    return state == ClaimState::decided || state == ClaimState::disputed;
}

struct Open {
    std::int64_t in_transit = 0;
    std::int64_t disputed_in_error = 0;
};

// Inside a transaction: which of the card's debits the issuer has not booked, and what it has
// booked that the card never paid.
Open open_debits(host::store::Store& store, const WatchedCard& card) {
    Open out;
    for (const auto& [key, amount] : card.debits) {
        const auto claim = store.claim(key);
        if (!claim || !is_booked(claim->claim.state)) out.in_transit += amount.fen();
    }
    for (const auto& held : store.held_of(card.plan.number)) {
        if (held.entry.state == ClaimState::disputed && !card.debits.contains(held.key)) {
            out.disputed_in_error += held.entry.amount.fen();
        }
    }
    return out;
}

Sums sums_of(host::store::Store& store, const WatchedCard& card,
             const std::map<protocol::CardNumber, host::CardSums>& posted) {
    const std::string who = tail_of(card.plan.number);
    const auto row = store.card(card.plan.number);
    demand(row.has_value(), who + " is not in its issuer's register");
    const auto found = posted.find(card.plan.number);
    const host::CardSums booked = found == posted.end() ? host::CardSums{} : found->second;
    demand(booked == host::CardSums{row->loaded, row->spent, row->disputed},
           who + ": its row and the ledger's postings differ");
    const Open open = open_debits(store, card);
    return {card.loaded,           card.balance,
            row->spent.value(),    open.in_transit,
            row->disputed.value(), open.disputed_in_error,
            row->returned.value(), row->load_pending.value()};
}

void check_card(const WatchedCard& card, const Sums& sums, protocol::Fen confirmed) {
    const std::string who = tail_of(card.plan.number);
    const std::int64_t accounted = sums.on_cards + sums.spent + sums.in_transit + sums.disputed -
                                   sums.disputed_in_error + sums.returned;
    demand(sums.loaded == accounted,
           fmt::format("{}: loaded {} is not on card {} + spent {} + in transit {} + in dispute {} "
                       "- in error {} + returned {}",
                       who, sums.loaded, sums.on_cards, sums.spent, sums.in_transit, sums.disputed,
                       sums.disputed_in_error, sums.returned));
    const std::int64_t unconfirmed = sums.loaded - confirmed.value();
    demand(unconfirmed >= 0 && unconfirmed <= sums.load_pending,
           fmt::format("{}: the card was loaded with {}, the ledger confirms {} and holds {} as "
                       "pending",
                       who, sums.loaded, confirmed.value(), sums.load_pending));
}

void add_to(Sums& total, const Sums& one) {
    total.loaded += one.loaded;
    total.on_cards += one.on_cards;
    total.spent += one.spent;
    total.in_transit += one.in_transit;
    total.disputed += one.disputed;
    total.disputed_in_error += one.disputed_in_error;
    total.returned += one.returned;
    total.load_pending += one.load_pending;
}

}  // namespace

std::uint32_t balance_of(Chip& chip) {
    chip.power_on();
    const auto selected = chip.ask(protocol::select_by_name(protocol::transit_aid));
    const auto first = chip.ask(protocol::get_balance());
    const auto second = chip.ask(protocol::get_balance());
    chip.power_off();
    demand(selected && first && first->size() == 4, "a card does not tell its balance");
    demand(first == second, "a card read twice tells two balances");
    return static_cast<std::uint32_t>(protocol::read_big_endian(protocol::Bytes{*first}));
}

namespace {

// A gate opens once for a debit, for what the card lost now, or has lost before and proves.
void see_open_gate(WatchedCard& card, const terminal::Finished& end, std::uint32_t paid) {
    const std::string who = tail_of(card.plan.number);
    const host::store::DebitKey key{card.plan.city, end.record.terminal,
                                    end.record.terminal_sequence};
    demand(card.opened.insert(key).second, who + ": two gates opened for one debit");
    if (!end.already_paid) {
        demand(paid == end.record.amount.fen(), who + ": the gate opened for another amount");
    } else if (end.record.amount != protocol::Money{}) {
        demand(card.debits.contains(key), who + ": the gate opened for a debit that never was");
    }
}

}  // namespace

void see_touch(WatchedCard& card, const GateProcess::Touched& touched, const GatePlan& gate) {
    const std::string who = tail_of(card.plan.number);
    const std::uint32_t balance = balance_of(card.chip);
    demand(balance <= card.balance, who + ": a gate raised its balance");
    const std::uint32_t paid = card.balance - balance;
    if (touched.report) {
        const terminal::Finished& end = touched.report->result;
        if (end.open) see_open_gate(card, end, paid);
    }
    card.balance = balance;
    if (paid == 0) return;
    demand(touched.debit.has_value(), who + ": its balance fell without DEBIT");
    const host::store::DebitKey key{card.plan.city, gate.sam.terminal,
                                    touched.debit->command.sequence};
    const bool is_new = card.debits.emplace(key, protocol::Money::from_fen(paid)).second;
    demand(is_new, who + ": two debits under one terminal transaction number");
}

void see_load(WatchedCard& card) {
    const std::uint32_t balance = balance_of(card.chip);
    demand(balance >= card.balance, tail_of(card.plan.number) + ": a kiosk lowered its balance");
    card.loaded += balance - card.balance;
    card.balance = balance;
}

Sums check_conservation(CityProcess& city, const std::vector<std::unique_ptr<WatchedCard>>& cards) {
    Sums total;
    look(city.store(), [&] {
        const auto posted = host::card_sums(city.store());
        for (const auto& card : cards) {
            if (card->plan.city != city.city().code) continue;
            const Sums sums = sums_of(city.store(), *card, posted);
            check_card(*card, sums, city.store().card(card->plan.number)->loaded);
            add_to(total, sums);
        }
    });
    return total;
}

std::string open_debits_text(CityProcess& city,
                             const std::vector<std::unique_ptr<WatchedCard>>& cards) {
    std::string out;
    look(city.store(), [&] {
        for (const auto& card : cards) {
            if (card->plan.city != city.city().code) continue;
            for (const auto& [key, amount] : card->debits) {
                const auto claim = city.store().claim(key);
                if (claim && is_booked(claim->claim.state)) continue;
                out += fmt::format("{} {} {} fen: {}; ", tail_of(card->plan.number),
                                   host::clearing::text(key), amount.fen(),
                                   claim ? protocol::name(claim->outcome.outcome)
                                         : "its issuer knows nothing of it");
            }
        }
    });
    return out;
}

void Promises::on_success(protocol::CityCode city, const platform::HttpRequest& request,
                          const platform::HttpResponse& response) {
    OfCity& mine = cities_[city];
    const auto body = request.body_bytes();
    ++count_;
    if (request.target == "/v1/batches") {
        const auto header =
            protocol::BatchHeader::parse(body.first(protocol::BatchHeader::size)).value();
        mine.batches[{header.device, header.sequence.value()}] = crypto::sm3(body);
    } else if (request.target == "/v1/peer/records") {
        const auto view = protocol::ForwardedRecordsView::parse(body).value();
        const auto [known, is_new] = mine.messages.emplace(
            std::pair{view.header().from, std::uint64_t{view.header().number.value()}},
            response.body);
        demand(known->second == response.body, "one message between cities has two answers");
    } else if (request.target == "/v1/loads") {
        const auto load = protocol::LoadRequest::parse(body).value();
        const auto answer = protocol::LoadAnswer::parse(response.body_bytes()).value();
        const auto [known, is_new] = mine.loads.emplace(load.key, answer);
        demand(known->second.bytes() == answer.bytes(), "one load request has two answers");
    } else if (request.target.starts_with("/v1/loads/")) {
        const auto answer = protocol::LoadAnswer::parse(response.body_bytes()).value();
        protocol::ByteReader in{body};
        const protocol::DeviceId device{in.take_array<8>().value()};
        const protocol::LoadKey key{device, protocol::LoadSequence{in.take_u32().value()}};
        const auto [known, is_new] = mine.ends.emplace(key, answer.outcome);
        demand(known->second == answer.outcome, "one load has two ends");
    } else {
        --count_;
    }
}

void Promises::check(CityProcess& city) const {
    const auto found = cities_.find(city.city().code);
    if (found == cities_.end()) return;
    const OfCity& mine = found->second;
    host::store::Store& store = city.store();
    look(store, [&] {
        for (const auto& [key, digest] : mine.batches) {
            const auto row = store.batch(key.first, protocol::BatchSequence{key.second});
            demand(row && row->file_digest == digest, "an acknowledged batch is not there");
        }
        for (const auto& [key, answer] : mine.messages) {
            const auto row = store.inbox(key.first, protocol::MessageNumber{key.second});
            demand(row && std::ranges::equal(row->answer, answer, {}, {},
                                             [](char c) { return static_cast<std::uint8_t>(c); }),
                   "an answered message between cities is not there");
        }
        for (const auto& [key, answer] : mine.loads) {
            const auto row = store.load(key);
            demand(row && row->answer.bytes() == answer.bytes(), "an answered load is not there");
        }
        for (const auto& [key, outcome] : mine.ends) {
            const auto row = store.load(key);
            const auto state = outcome == protocol::LoadOutcome::confirmed ? LoadState::confirmed
                                                                           : LoadState::reversed;
            demand(row && row->state == state, "an ended load has another end");
        }
    });
}

}  // namespace simulation
