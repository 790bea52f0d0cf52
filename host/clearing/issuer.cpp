#include "host/clearing/issuer.hpp"

#include <map>

#include <fmt/format.h>

#include "crypto/batch/verifier.hpp"
#include "platform/mask.hpp"

namespace host::clearing {
namespace {

using ledger::Account;
using ledger::Posting;
using ledger::Purpose;
using protocol::RecordOutcome;
using store::ClaimRow;
using store::HeldRow;

crypto::batch::TacRecord tac_record(const BatchRecord& record, crypto::batch::IssuerKeyIndex key) {
    return {protocol::card_factor(record.card),
            protocol::purchase_tac_input(record.amount, record.type, record.terminal,
                                         record.terminal_sequence, record.when),
            key, record.tac};
}

// What a person must look at: docs/outcomes.md, 4.
bool needs_a_person(const RecordOutcome& result) {
    switch (result.outcome) {
        case ClearingOutcome::pending:
        case ClearingOutcome::malformed:
        case ClearingOutcome::operator_not_bound:
        case ClearingOutcome::sam_hot:
        case ClearingOutcome::issuer_unknown:
        case ClearingOutcome::not_debited:
        case ClearingOutcome::unresolved:
        case ClearingOutcome::duplicate: return false;
        case ClearingOutcome::accepted: return result.flags.balance_break;
        case ClearingOutcome::card_unknown:
        case ClearingOutcome::key_unknown:
        case ClearingOutcome::tac_wrong:
        case ClearingOutcome::id_reused:
        case ClearingOutcome::counter_reused:
        case ClearingOutcome::mac2_wrong:
        case ClearingOutcome::from_the_future:
        case ClearingOutcome::too_old:
        case ClearingOutcome::over_limit:
        case ClearingOutcome::hot_at_time:
        case ClearingOutcome::dispute: return true;
    }
    return true;
}

// One call of decide_all(): the cards it touched are written once, at the end.
class Work {
public:
    Work(store::Store& store, const Circumstances& at) : store_{store}, at_{at} {}

    void decide_one(const Submitted& submitted);
    [[nodiscard]] Booked finish() {
        for (const auto& [card, state] : cards_) {
            if (state) store_.put_card(card, *state);
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] std::optional<CardState>& card_of(const protocol::CardNumber& number);
    [[nodiscard]] std::optional<protocol::DateTime> hot_since(const protocol::CardNumber& card);
    [[nodiscard]] Decision decided(const Submitted& submitted, const DebitKey& key);
    void record(const Submitted& submitted, const DebitKey& key, const Decision& decision);
    void reconsider_card(const Submitted& by, const DebitKey& except);
    [[nodiscard]] bool superseded(const Submitted& submitted);
    void change_held(const HeldRow& held, ClaimState state, Movement movement, std::uint32_t index);
    void move(Movement movement, protocol::Money amount, const protocol::CardNumber& card,
              const std::optional<Account>& payee, std::uint32_t index);
    void amend(const store::RecordPlace& place, ClearingOutcome outcome);
    void raise(const RecordOutcome& result, const DebitKey& key, const BatchRecord& record);
    [[nodiscard]] DebitKey key_of(const BatchRecord& record) const {
        return {at_.city.code, record.terminal, record.terminal_sequence};
    }

    store::Store& store_;
    const Circumstances& at_;
    std::map<protocol::CardNumber, std::optional<CardState>> cards_;
    Booked out_;
};

std::optional<CardState>& Work::card_of(const protocol::CardNumber& number) {
    const auto [place, fresh] = cards_.try_emplace(number);
    if (fresh) place->second = store_.card(number);
    return place->second;
}

std::optional<protocol::DateTime> Work::hot_since(const protocol::CardNumber& card) {
    const auto row = store_.hot(protocol::HotKind::card, card.value());
    return row ? row->in_force_from() : std::nullopt;
}

void Work::move(Movement movement, protocol::Money amount, const protocol::CardNumber& card,
                const std::optional<Account>& payee, std::uint32_t index) {
    if (movement == Movement::none || amount == protocol::Money{}) return;
    const Account stored{Purpose::stored_value, at_.city.participant()};
    const Account dispute{Purpose::dispute, at_.city.participant()};
    const protocol::Fen fen{amount};
    switch (movement) {
        case Movement::none: return;
        case Movement::card_to_payee:
            out_.postings.push_back({stored, payee.value(), fen, index, card});
            return;
        case Movement::card_to_dispute:
            out_.postings.push_back({stored, dispute, fen, index, card});
            return;
        case Movement::dispute_to_card:
            out_.postings.push_back({dispute, stored, fen, index, card});
            return;
    }
}

// A held entry of one of our own batches gets its new outcome in that batch's results.
void Work::amend(const store::RecordPlace& place, ClearingOutcome outcome) {
    if (place.acquirer != at_.city.code) return;
    const store::BatchId batch{place.carrier};
    auto results = store_.results(batch);
    if (place.index >= results.size()) return;
    results[place.index] = {outcome, {}};
    store_.put_results(batch, results);
}

void Work::change_held(const HeldRow& held, ClaimState state, Movement movement,
                       std::uint32_t index) {
    move(movement, held.entry.amount, held.card, std::nullopt, index);
    store_.remove_unresolved(held.record);  // the card has nothing more to say about it
    const ClearingOutcome outcome =
        state == ClaimState::voided ? ClearingOutcome::not_debited : ClearingOutcome::dispute;
    store_.put_claim(
        {held.key, held.card, {state, content_of(held.record)}, {outcome, {}}, held.place});
    if (state == ClaimState::disputed) {
        HeldRow row = held;
        row.entry.state = state;
        store_.put_held(row);
        raise({outcome, {}}, held.key, held.record);
    } else {
        store_.remove_held(held.key);
    }
    amend(held.place, outcome);
}

void Work::reconsider_card(const Submitted& by, const DebitKey& except) {
    CardState& card = *card_of(by.record.card);
    for (const HeldRow& held : store_.held_of(by.record.card)) {
        if (held.key == except) continue;
        const Reconsidered now = reconsider(held.entry, card);
        if (now.state != held.entry.state) {
            change_held(held, now.state, now.movement, by.place.index);
        }
    }
}

// True: a later unresolved entry with the same counter shows that this one never happened. Earlier
// ones with its counter are void in their turn.
bool Work::superseded(const Submitted& submitted) {
    const BatchRecord& record = submitted.record;
    const HeldEntry entry{record.counter, record.when, record.amount};
    bool out = false;
    for (const HeldRow& held : store_.held_of(record.card)) {
        if (held.key == key_of(record)) continue;
        if (supersedes(held.entry, entry)) out = true;
        if (!supersedes(entry, held.entry)) continue;
        const Movement movement =
            held.entry.state == ClaimState::disputed ? Movement::dispute_to_card : Movement::none;
        apply(movement, held.entry.amount, *card_of(record.card));
        change_held(held, ClaimState::voided, movement, submitted.place.index);
    }
    return out;
}

Decision Work::decided(const Submitted& submitted, const DebitKey& key) {
    const BatchRecord& record = submitted.record;
    auto& card = card_of(record.card);
    const auto claim = store_.claim(key);
    CardState nobody;
    const DecisionInput input{.record = record,
                              .card_issued = card.has_value(),
                              .key_known = submitted.key_known,
                              .tac_genuine = submitted.tac_genuine,
                              .claim = claim ? std::optional{claim->claim} : std::nullopt,
                              .card = card ? *card : nobody,
                              .hot_since = hot_since(record.card),
                              .now = at_.now,
                              .limits = at_.city.limits};
    const bool may_be_void =
        record.kind == protocol::RecordKind::unresolved && card && !claim && submitted.key_known;
    if (may_be_void && superseded(submitted)) {
        return {.outcome = ClearingOutcome::not_debited, .claim = ClaimState::voided};
    }
    return decide(input);
}

void Work::record(const Submitted& submitted, const DebitKey& key, const Decision& decision) {
    const BatchRecord& record = submitted.record;
    if (decision.claim) {
        store_.put_claim({key,
                          record.card,
                          {*decision.claim, content_of(record)},
                          {decision.outcome, decision.flags},
                          submitted.place});
    }
    if (decision.claim == ClaimState::held || decision.claim == ClaimState::disputed) {
        store_.put_held({key,
                         record.card,
                         {record.counter, record.when, record.amount, *decision.claim},
                         submitted.operator_id,
                         submitted.place,
                         record});
    }
}

void Work::decide_one(const Submitted& submitted) {
    const BatchRecord& record_in = submitted.record;
    const DebitKey key = key_of(record_in);
    const Decision decision = decided(submitted, key);
    if (decision.releases_entry || decision.claim == ClaimState::decided ||
        decision.claim == ClaimState::voided) {
        if (const auto entry = store_.held(key)) {
            if (decision.releases_entry) {
                apply(Movement::dispute_to_card, entry->entry.amount, *card_of(record_in.card));
                move(Movement::dispute_to_card, entry->entry.amount, record_in.card, std::nullopt,
                     submitted.place.index);
            }
            store_.remove_unresolved(entry->record);
            store_.remove_held(key);
        }
    }
    move(decision.movement, record_in.amount, record_in.card, submitted.payee,
         submitted.place.index);
    record(submitted, key, decision);
    if (decision.claims_counter) reconsider_card(submitted, key);
    const RecordOutcome result{decision.outcome, decision.flags};
    raise(result, key, record_in);
    out_.outcomes.push_back(result);
}

void Work::raise(const RecordOutcome& result, const DebitKey& key, const BatchRecord& record) {
    if (!needs_a_person(result)) return;
    const bool broken = result.outcome == ClearingOutcome::accepted;
    store_.add_exception(
        {0, at_.business_date, std::string{broken ? "balance_break" : name(result.outcome)},
         text(key),
         fmt::format("card {} counter {} amount {} fen", platform::mask(record.card),
                     record.counter.value(), record.amount.fen())});
}

}  // namespace

std::string text(const DebitKey& key) {
    return fmt::format("{:04X}-{}-{:08X}", key.issuer_city.value(),
                       platform::to_hex(key.terminal.value()), key.sequence.value());
}

void check_tacs(const Keys& keys, std::span<Submitted> records, unsigned threads) {
    const auto& masters = keys.tac_masters();
    std::vector<crypto::batch::TacRecord> work;
    std::vector<std::size_t> from;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const BatchRecord& record = records[i].record;
        const auto key = masters.find(
            {record.issuer, crypto::batch::KeyPurpose::tac, record.key_version, record.suite});
        records[i].key_known = key.has_value();
        records[i].tac_genuine = false;
        if (!key || !carries_tac(record.kind)) continue;
        work.push_back(tac_record(record, *key));
        from.push_back(i);
    }
    std::vector<std::uint64_t> genuine(crypto::batch::outcome_words(work.size()));
    // A refusal leaves every outcome clear: nothing is genuine by default.
    if (!crypto::batch::verify_tacs(masters, work, genuine, {.threads = threads})) return;
    for (std::size_t i = 0; i < work.size(); ++i) {
        records[from[i]].tac_genuine = crypto::batch::outcome(genuine, i);
    }
}

Booked decide_all(store::Store& store, const Circumstances& at,
                  std::span<const Submitted> records) {
    Work work{store, at};
    for (const Submitted& submitted : records) work.decide_one(submitted);
    return work.finish();
}

}  // namespace host::clearing
