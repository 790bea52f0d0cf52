#include "host/loads/loads.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "host/ledger/book.hpp"
#include "host/store/decide.hpp"
#include "platform/mask.hpp"

namespace host::loads {
namespace {

using clearing::CardState;
using ledger::Account;
using ledger::Participant;
using ledger::Posting;
using ledger::Purpose;
using protocol::DateTime;
using protocol::Fen;
using protocol::LoadAnswer;
using protocol::LoadOutcome;
using protocol::LoadRequest;
using store::LoadRow;
using store::LoadState;
using store::Store;

std::unexpected<Refused> refuse(LoadRefusal why, std::string detail) {
    return std::unexpected{Refused{why, std::move(detail)}};
}
std::unexpected<Refused> malformed(protocol::ParseError error) {
    return refuse(LoadRefusal::load_malformed, protocol::name(error));
}

std::expected<void, Refused> check_device(Store& store, const batches::Sender& sender,
                                          const protocol::LoadKey& key) {
    if (key.device != sender.device) {
        return refuse(LoadRefusal::operator_mismatch,
                      "the load names another device than the certificate");
    }
    const auto device = store.device(sender.device);
    if (!device || device->operator_id != sender.operator_id) {
        return refuse(LoadRefusal::device_unknown,
                      "register the kiosk under this operator first: onecard-host register");
    }
    return {};
}

struct Accounts {
    Account cash;
    Account pending;
    Account stored;
    Account dispute;
};
Accounts accounts_of(const City& city, const protocol::OperatorId& operator_id) {
    const Participant us = city.participant();
    return {{Purpose::kiosk_cash, Participant::of(operator_id)},
            {Purpose::load_pending, us},
            {Purpose::stored_value, us},
            {Purpose::dispute, us}};
}

std::expected<void, Refused> post(Store& store, const LoadRow& load, const Account& debit,
                                  const Account& credit) {
    const auto day = store.open_day();
    const auto& request = load.request;
    const auto posted =
        ledger::post(store, {ledger::EntryClass::loading,
                             day ? day->date : protocol::Date{},
                             fmt::format("load/{}/{}", platform::to_hex(request.key.device.value()),
                                         request.key.sequence.value()),
                             {{debit, credit, Fen{request.amount}, 0, request.card}}});
    if (!posted)
        return refuse(LoadRefusal::store_failed, std::string{ledger::name(posted.error())});
    return {};
}

Fen plus(Fen sum, protocol::Money amount) {
    return add(sum, Fen{amount}).value();
}
Fen minus(Fen sum, protocol::Money amount) {
    return subtract(sum, Fen{amount}).value();
}

bool mac1_is_right(const crypto::purse::ProcessKey& key, const LoadRequest& request) {
    const auto expected = crypto::purse::purse_mac(
        key, protocol::load_mac1_input(request.card_answer.balance, request.amount, request.type,
                                       request.terminal));
    return crypto::equal_constant_time(expected, request.card_answer.mac1);
}

bool within_limits(const LoadLimits& limits, const LoadRequest& request) {
    const auto after = add(request.card_answer.balance, request.amount);
    return request.amount >= limits.amount_min && request.amount <= limits.amount_max && after &&
           *after <= limits.balance_max;
}

bool is_hot(Store& store, const LoadRequest& request, const DateTime& now) {
    const auto row = store.hot(protocol::HotKind::card, request.card.value());
    return row && row->entry.since <= now;  // listed or not: we know it at once
}

// The refusals in LoadOutcome's order; with none of them, MAC2.
LoadAnswer decide(Store& store, const City& city, const Keys& keys, const LoadRequest& request,
                  const std::optional<CardState>& card, const DateTime& now) {
    const auto answer = [&](LoadOutcome outcome) { return LoadAnswer{outcome, now, {}}; };
    if (request.issuer != city.issuer) return answer(LoadOutcome::not_our_card);
    if (!card) return answer(LoadOutcome::card_unknown);
    if (is_hot(store, request, now)) return answer(LoadOutcome::card_hot);
    const auto& initialised = request.card_answer;
    const auto key = keys.load_key(request.card, initialised.suite, initialised.key_version);
    if (!key) return answer(LoadOutcome::mac1_wrong);  // no key of ours made that MAC
    const auto process_key =
        crypto::purse::online_process_key(*key, initialised.random, initialised.counter);
    if (!mac1_is_right(process_key, request)) return answer(LoadOutcome::mac1_wrong);
    if (card->last_load && initialised.counter <= *card->last_load) {
        return answer(LoadOutcome::counter_old);
    }
    if (!within_limits(city.load_limits, request)) {
        return answer(LoadOutcome::amount_out_of_limits);
    }
    LoadAnswer out = answer(LoadOutcome::approved);
    out.mac2 = crypto::purse::purse_mac(
        process_key,
        protocol::load_mac2_input(request.amount, request.type, request.terminal, now));
    return out;
}

Answer first_request(Store& store, const City& city, const Keys& keys,
                     const batches::Sender& sender, const LoadRequest& request,
                     const DateTime& now) {
    auto card = store.card(request.card);
    const LoadAnswer answer = decide(store, city, keys, request, card, now);
    const bool approved = answer.outcome == LoadOutcome::approved;
    const LoadRow row{request, sender.operator_id, answer,
                      approved ? LoadState::pending : LoadState::refused};
    store.put_load(row);
    if (!approved) return answer;
    card->load_pending = plus(card->load_pending, request.amount);
    store.put_card(request.card, *card);
    const Accounts accounts = accounts_of(city, sender.operator_id);
    ONECARD_CHECK(post(store, row, accounts.cash, accounts.pending));
    return answer;
}

bool tac_is_right(const Keys& keys, const LoadRow& load, const protocol::Mac& tac) {
    const LoadRequest& request = load.request;
    const auto& initialised = request.card_answer;
    const auto after = add(initialised.balance, request.amount);
    if (!after) return false;
    const auto input = protocol::load_tac_input(*after, initialised.counter, request.amount,
                                                request.type, request.terminal, load.answer.when);
    const auto keys_of_card = keys.tac_keys(request.card, initialised.suite);
    return std::ranges::any_of(keys_of_card, [&](const crypto::purse::PurseKey& key) {
        return crypto::equal_constant_time(crypto::purse::tac(key, input), tac);
    });
}

// The card has it: the load counts, whatever became of the cash.
void count_load(Store& store, const LoadRow& load, bool was_pending) {
    auto card = store.card(load.request.card);
    if (!card) return;
    if (was_pending) card->load_pending = minus(card->load_pending, load.request.amount);
    card->loaded = plus(card->loaded, load.request.amount);
    const auto counter = load.request.card_answer.counter;
    if (!card->last_load || *card->last_load < counter) card->last_load = counter;
    store.put_card(load.request.card, *card);
}

bool same_counter(const LoadRow& one, const LoadRow& other) {
    return one.request.key != other.request.key &&
           one.request.card_answer.counter == other.request.card_answer.counter;
}

// The card's other loads at the counter of `load`: a card credits one of them at most.
std::vector<LoadRow> rivals_of(Store& store, const LoadRow& load) {
    auto out = store.loads_of(load.request.card);
    std::erase_if(out, [&](const LoadRow& other) {
        return !same_counter(load, other) || other.state == LoadState::refused;
    });
    return out;
}

bool card_has_it(const LoadRow& load) {
    return load.state == LoadState::confirmed || load.state == LoadState::confirmed_after_reversal;
}

std::expected<void, Refused> reverse_pending(Store& store, const City& city, LoadRow load) {
    load.state = LoadState::reversed;
    store.put_load(load);
    if (auto card = store.card(load.request.card)) {
        card->load_pending = minus(card->load_pending, load.request.amount);
        store.put_card(load.request.card, *card);
    }
    const Accounts accounts = accounts_of(city, load.operator_id);
    return post(store, load, accounts.pending, accounts.cash);
}

// The card has spent its counter on another load, so that these never reached it. docs/kiosk.md,
// K5.
std::expected<void, Refused> reverse_rivals(Store& store, const City& city, const LoadRow& load) {
    for (const LoadRow& rival : rivals_of(store, load)) {
        if (rival.state == LoadState::pending) ONECARD_CHECK(reverse_pending(store, city, rival));
    }
    return {};
}

Answer confirm_pending(Store& store, const City& city, LoadRow load, const DateTime& now) {
    const Accounts accounts = accounts_of(city, load.operator_id);
    load.state = LoadState::confirmed;
    store.put_load(load);
    count_load(store, load, true);
    ONECARD_CHECK(post(store, load, accounts.pending, accounts.stored));
    ONECARD_CHECK(reverse_rivals(store, city, load));
    return LoadAnswer{LoadOutcome::confirmed, now, {}};
}

// The cash went back and yet the card proves that it was loaded: we stand for the value, a person
// finds the cash.
Answer confirm_reversed(Store& store, const City& city, LoadRow load, const DateTime& now) {
    const Accounts accounts = accounts_of(city, load.operator_id);
    load.state = LoadState::confirmed_after_reversal;
    store.put_load(load);
    count_load(store, load, false);
    ONECARD_CHECK(post(store, load, accounts.dispute, accounts.stored));
    const auto day = store.open_day();
    store.add_exception(
        {0, day ? day->date : protocol::Date{}, "already_reversed",
         fmt::format("load/{}/{}", platform::to_hex(load.request.key.device.value()),
                     load.request.key.sequence.value()),
         fmt::format("card {} amount {} fen", platform::mask(load.request.card),
                     load.request.amount.fen())});
    ONECARD_CHECK(reverse_rivals(store, city, load));
    return LoadAnswer{LoadOutcome::already_reversed, now, {}};
}

// The card's proof of this load, whoever brings it.
Answer confirm_proven(Store& store, const City& city, const LoadRow& load, const DateTime& now) {
    switch (load.state) {
        case LoadState::pending: return confirm_pending(store, city, load, now);
        case LoadState::reversed: return confirm_reversed(store, city, load, now);
        case LoadState::confirmed: return LoadAnswer{LoadOutcome::confirmed, now, {}};
        case LoadState::confirmed_after_reversal:
        case LoadState::refused: break;
    }
    return LoadAnswer{LoadOutcome::already_reversed, now, {}};
}

// A confirmation of `load`, approved once. A card that is asked for a counter answers with whatever
// load it spent it on: that can be another kiosk's, and settles both. docs/kiosk.md, K5.
Answer confirm_known(Store& store, const City& city, const Keys& keys, const LoadRow& load,
                     const protocol::Mac& tac, const DateTime& now) {
    const LoadAnswer void_here{LoadOutcome::reversed, now, {}};
    if (card_has_it(load)) {
        if (!tac_is_right(keys, load, tac)) return LoadAnswer{LoadOutcome::tac_wrong, now, {}};
        return confirm_proven(store, city, load, now);
    }
    const auto rivals = rivals_of(store, load);
    if (std::ranges::any_of(rivals, card_has_it)) return void_here;
    if (tac_is_right(keys, load, tac)) return confirm_proven(store, city, load, now);
    for (const LoadRow& rival : rivals) {
        if (!tac_is_right(keys, rival, tac)) continue;
        ONECARD_CHECK(confirm_proven(store, city, rival, now));
        return void_here;
    }
    return LoadAnswer{LoadOutcome::tac_wrong, now, {}};
}

}  // namespace

const char* name(LoadRefusal refusal) {
    switch (refusal) {
        case LoadRefusal::load_malformed: return "load_malformed";
        case LoadRefusal::operator_mismatch: return "operator_mismatch";
        case LoadRefusal::device_unknown: return "device_unknown";
        case LoadRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

Answer request(Store& store, const City& city, const Keys& keys, const batches::Sender& sender,
               protocol::Bytes body, const DateTime& now) {
    const auto parsed = LoadRequest::parse(body);
    if (!parsed) return malformed(parsed.error());
    return store::decide_in_transaction<LoadAnswer, Refused>(
        store, LoadRefusal::store_failed, [&]() -> Answer {
            ONECARD_CHECK(check_device(store, sender, parsed->key));
            if (const auto known = store.load(parsed->key)) {
                if (known->request.bytes() == parsed->bytes()) return known->answer;
                return LoadAnswer{LoadOutcome::id_reused, now, {}};
            }
            return first_request(store, city, keys, sender, *parsed, now);
        });
}

Answer confirm(Store& store, const City& city, const Keys& keys, const batches::Sender& sender,
               protocol::Bytes body, const DateTime& now) {
    const auto parsed = protocol::LoadConfirmation::parse(body);
    if (!parsed) return malformed(parsed.error());
    return store::decide_in_transaction<LoadAnswer, Refused>(
        store, LoadRefusal::store_failed, [&]() -> Answer {
            ONECARD_CHECK(check_device(store, sender, parsed->key));
            const auto load = store.load(parsed->key);
            if (!load || load->state == LoadState::refused) {
                return LoadAnswer{LoadOutcome::unknown_load, now, {}};
            }
            return confirm_known(store, city, keys, *load, parsed->tac, now);
        });
}

Answer reverse(Store& store, const City& city, const batches::Sender& sender, protocol::Bytes body,
               const DateTime& now) {
    const auto parsed = protocol::LoadReversal::parse(body);
    if (!parsed) return malformed(parsed.error());
    return store::decide_in_transaction<LoadAnswer, Refused>(
        store, LoadRefusal::store_failed, [&]() -> Answer {
            ONECARD_CHECK(check_device(store, sender, parsed->key));
            const auto load = store.load(parsed->key);
            const auto answer = [&](LoadOutcome outcome) { return LoadAnswer{outcome, now, {}}; };
            if (!load || load->state == LoadState::refused) {
                return answer(LoadOutcome::unknown_load);
            }
            if (load->state == LoadState::reversed) return answer(LoadOutcome::reversed);
            if (load->state != LoadState::pending) return answer(LoadOutcome::already_confirmed);
            ONECARD_CHECK(reverse_pending(store, city, *load));
            return answer(LoadOutcome::reversed);
        });
}

}  // namespace host::loads
