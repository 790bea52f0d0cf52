#include "host/clearing/decide.hpp"

namespace host::clearing {
namespace {

using protocol::RecordKind;

std::int64_t seconds(const protocol::DateTime& when) {
    return protocol::seconds_since_epoch(when);
}

std::optional<ClaimState> state_of(const DecisionInput& input) {
    return input.claim ? std::optional{input.claim->state} : std::nullopt;
}

// No purse of ours can have paid this, whatever the entry says.
bool over_limit(const DecisionInput& input) {
    const BatchRecord& record = input.record;
    return record.amount > input.limits.amount_max ||
           record.balance_before > input.limits.balance_max ||
           record.amount > record.balance_before;
}

// Why the operator is not paid at once although the card has paid. docs/outcomes.md, 2.
std::optional<ClearingOutcome> objection(const DecisionInput& input) {
    const BatchRecord& record = input.record;
    const std::int64_t age = seconds(input.now) - seconds(record.when);
    if (age < -input.limits.future_seconds_max) return ClearingOutcome::from_the_future;
    if (age > input.limits.age_seconds_max) return ClearingOutcome::too_old;
    if (over_limit(input)) return ClearingOutcome::over_limit;
    if (input.hot_since && *input.hot_since <= record.when) return ClearingOutcome::hot_at_time;
    return std::nullopt;
}

Decision not_debited(const DecisionInput& input) {
    const auto state = state_of(input);
    if (state == ClaimState::decided || state == ClaimState::voided) {
        return {.outcome = ClearingOutcome::duplicate};
    }
    return {.outcome = ClearingOutcome::not_debited,
            .claim = ClaimState::voided,
            .releases_entry = state == ClaimState::disputed};
}

// No proof, so nothing but the card's own counters can speak for or against it: its age or a hot
// list say who bears a debit, not whether there was one. Those are asked when it is proven.
Decision unresolved(const DecisionInput& input) {
    if (input.claim) return {.outcome = ClearingOutcome::duplicate};
    if (over_limit(input)) return {.outcome = ClearingOutcome::over_limit};
    HeldEntry entry{input.record.counter, input.record.when, input.record.amount};
    const Reconsidered now = reconsider(entry, input.card);
    switch (now.state) {
        case ClaimState::voided:
            return {.outcome = ClearingOutcome::not_debited, .claim = ClaimState::voided};
        case ClaimState::disputed:
            return {.outcome = ClearingOutcome::dispute,
                    .movement = now.movement,
                    .claim = ClaimState::disputed};
        case ClaimState::held:
        case ClaimState::decided: break;
    }
    return {.outcome = ClearingOutcome::unresolved, .claim = ClaimState::held};
}

OutcomeFlags take_counter(const DecisionInput& input) {
    const BatchRecord& record = input.record;
    const OutcomeFlags flags{.counter_gap = input.card.counters.has_gap_before(record.counter)};
    const auto after = subtract(record.balance_before, record.amount);
    const DebitBalances debit{record.counter, record.balance_before, after.value_or(Money{})};
    const bool continues = after && input.card.continues(debit);
    input.card.counters.take(record.counter);
    input.card.remember(debit);
    return {flags.counter_gap, !continues};
}

// The key belongs to another debit. This one is real too when its counter is free; a second copy of
// it then finds the counter taken, so that it moves money once.
Decision key_taken(const DecisionInput& input) {
    if (input.card.counters.is_taken(input.record.counter)) {
        return {.outcome = ClearingOutcome::id_reused};
    }
    const OutcomeFlags flags = take_counter(input);
    return {.outcome = ClearingOutcome::id_reused,
            .flags = flags,
            .movement = Movement::card_to_dispute,
            .claims_counter = true};
}

// The card made this debit. Whatever the outcome, its balance is lower: only where the money goes
// is open (docs/outcomes.md, O1).
Decision proven(const DecisionInput& input) {
    if (state_of(input) == ClaimState::decided) {
        if (input.claim->content == content_of(input.record)) {
            return {.outcome = ClearingOutcome::duplicate};
        }
        return key_taken(input);
    }
    Decision out{.outcome = ClearingOutcome::counter_reused,
                 .movement = Movement::card_to_dispute,
                 .claim = ClaimState::decided,
                 .releases_entry = state_of(input) == ClaimState::disputed};
    if (input.card.counters.is_taken(input.record.counter)) return out;
    out.flags = take_counter(input);
    out.claims_counter = true;
    const auto why = input.record.kind == RecordKind::mac2_wrong
                         ? std::optional{ClearingOutcome::mac2_wrong}
                         : objection(input);
    out.outcome = why.value_or(ClearingOutcome::accepted);
    if (!why) out.movement = Movement::card_to_payee;
    return out;
}

Decision by_kind(const DecisionInput& input) {
    if (!input.card_issued) return {.outcome = ClearingOutcome::card_unknown};
    if (!input.key_known) return {.outcome = ClearingOutcome::key_unknown};
    switch (input.record.kind) {
        case RecordKind::not_debited: return not_debited(input);
        case RecordKind::unresolved: return unresolved(input);
        case RecordKind::debit:
        case RecordKind::proven:
        case RecordKind::mac2_wrong: break;
    }
    if (!input.tac_genuine) return {.outcome = ClearingOutcome::tac_wrong};
    return proven(input);
}

Fen moved(Fen sum, Money amount, int sign) {
    const auto next = sign > 0 ? add(sum, Fen{amount}) : subtract(sum, Fen{amount});
    return next.value();  // 2^31 debits of four bytes fit
}

}  // namespace

ContentDigest content_of(const BatchRecord& record) {
    std::array<std::uint8_t, 8 + 10 + 2 + 4 + 4 + 1 + 7> bytes{};
    protocol::ByteWriter{bytes}
        .put(record.issuer.value())
        .put(record.card.value())
        .put_u16(record.counter.value())
        .put_u32(record.balance_before.fen())
        .put_u32(record.amount.fen())
        .put_u8(static_cast<std::uint8_t>(record.type))
        .put(record.when.bcd());
    const crypto::Sm3Digest whole = crypto::sm3(bytes);
    ContentDigest out{};
    std::copy_n(whole.begin(), out.size(), out.begin());
    return out;
}

void apply(Movement movement, Money amount, CardState& card) {
    switch (movement) {
        case Movement::none: return;
        case Movement::card_to_payee: card.spent = moved(card.spent, amount, 1); return;
        case Movement::card_to_dispute: card.disputed = moved(card.disputed, amount, 1); return;
        case Movement::dispute_to_card: card.disputed = moved(card.disputed, amount, -1); return;
    }
}

Decision decide(const DecisionInput& input) {
    const Decision out = by_kind(input);
    // reconsider() has applied an unresolved entry's own movement already.
    if (input.record.kind != RecordKind::unresolved) {
        apply(out.movement, input.record.amount, input.card);
    }
    return out;
}

Reconsidered reconsider(const HeldEntry& entry, CardState& card) {
    Reconsidered out{.state = entry.state};
    if (card.counters.is_taken(entry.counter)) {
        out.state = ClaimState::voided;
        if (entry.state == ClaimState::disputed) out.movement = Movement::dispute_to_card;
    } else if (entry.state == ClaimState::held && card.counters.is_passed(entry.counter)) {
        out.state = ClaimState::disputed;
        out.movement = Movement::card_to_dispute;
    }
    apply(out.movement, entry.amount, card);
    return out;
}

}  // namespace host::clearing
