#include "host/clearing/decide.hpp"

#include <doctest/doctest.h>

// The issuer's decision as a pure function, in the order of ClearingOutcome. docs/outcomes.md, 1-3.
using namespace host::clearing;
using protocol::ClearingOutcome;
using protocol::Money;
using protocol::OfflineCounter;
using protocol::RecordKind;

namespace {

protocol::DateTime noon() {
    return {*protocol::Date::make(2026, 1, 5), *protocol::Time::make(12, 0, 0)};
}

// A good first debit of a card that was loaded with 1,000 fen; each test spoils one thing.
struct Case {
    BatchRecord record;
    CardState card;
    Limits limits;
    bool card_issued = true;
    bool key_known = true;
    bool tac_genuine = true;
    std::optional<Claim> claim;
    std::optional<protocol::DateTime> hot_since;
    protocol::DateTime now = noon();

    Case() {
        record.amount = Money::from_fen(200);
        record.balance_before = Money::from_fen(1000);
        record.when = noon();
        card.loaded = Fen{1000};
    }
    Decision decide() {
        return host::clearing::decide({.record = record,
                                       .card_issued = card_issued,
                                       .key_known = key_known,
                                       .tac_genuine = tac_genuine,
                                       .claim = claim,
                                       .card = card,
                                       .hot_since = hot_since,
                                       .now = now,
                                       .limits = limits});
    }
};
protocol::DateTime later(std::int64_t days) {
    auto when = noon();
    when.date = *protocol::Date::make(2026, 1, static_cast<unsigned>(5 + days));
    return when;
}

}  // namespace

TEST_CASE("decide: an unknown card comes before every other question") {
    Case it;
    it.card_issued = false;
    it.key_known = false;
    it.tac_genuine = false;
    CHECK(it.decide().outcome == ClearingOutcome::card_unknown);
}

TEST_CASE("decide: no key of that suite and version") {
    Case it;
    it.key_known = false;
    it.tac_genuine = false;
    CHECK(it.decide().outcome == ClearingOutcome::key_unknown);
}

TEST_CASE("decide: a wrong TAC claims no key, takes no counter and moves no money") {
    for (const RecordKind kind : {RecordKind::debit, RecordKind::proven, RecordKind::mac2_wrong}) {
        Case it;
        it.record.kind = kind;
        it.tac_genuine = false;
        const Decision decision = it.decide();
        CHECK(decision.outcome == ClearingOutcome::tac_wrong);
        CHECK(decision.movement == Movement::none);
        CHECK_FALSE(decision.claim.has_value());
        CHECK_FALSE(it.card.counters.newest().has_value());
    }
}

TEST_CASE("decide: a wrong TAC is wrong also when the key is taken") {
    Case it;
    it.tac_genuine = false;
    it.claim = Claim{ClaimState::decided, content_of(it.record)};
    CHECK(it.decide().outcome == ClearingOutcome::tac_wrong);
}

TEST_CASE("decide: the same debit again is a duplicate and moves nothing") {
    Case it;
    it.claim = Claim{ClaimState::decided, content_of(it.record)};
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::duplicate);
    CHECK(decision.movement == Movement::none);
    CHECK_FALSE(decision.claim.has_value());
}

TEST_CASE("decide: the place of the tap is not what makes a debit another one") {
    Case it;
    it.claim = Claim{ClaimState::decided, content_of(it.record)};
    it.record.station = protocol::StationCode{7};
    CHECK(it.decide().outcome == ClearingOutcome::duplicate);
}

TEST_CASE("decide: another debit under a taken key goes to dispute once, by its counter") {
    Case it;
    BatchRecord other = it.record;
    other.amount = Money::from_fen(300);
    it.claim = Claim{ClaimState::decided, content_of(other)};
    const Decision first = it.decide();
    CHECK(first.outcome == ClearingOutcome::id_reused);
    CHECK(first.movement == Movement::card_to_dispute);
    const Decision again = it.decide();
    CHECK(again.outcome == ClearingOutcome::id_reused);
    CHECK(again.movement == Movement::none);
    CHECK(it.card.disputed == Fen{200});
}

TEST_CASE("decide: a taken counter under a free key goes to dispute and claims the key") {
    Case it;
    it.card.counters.take(OfflineCounter{0});
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::counter_reused);
    CHECK(decision.movement == Movement::card_to_dispute);
    CHECK(decision.claim == ClaimState::decided);
}

TEST_CASE("decide: MAC2 wrong and TAC right: the card paid, nobody rode") {
    Case it;
    it.record.kind = RecordKind::mac2_wrong;
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::mac2_wrong);
    CHECK(decision.movement == Movement::card_to_dispute);
    CHECK(decision.claims_counter);
}

TEST_CASE("decide: objections send the money to dispute, in their order") {
    Case it;
    it.hot_since = later(-1);
    CHECK(it.decide().outcome == ClearingOutcome::hot_at_time);
    it = Case{};
    it.hot_since = later(-1);
    it.limits.amount_max = Money::from_fen(199);
    CHECK(it.decide().outcome == ClearingOutcome::over_limit);
    it = Case{};
    it.limits.amount_max = Money::from_fen(199);
    it.now = later(10);
    it.limits.age_seconds_max = 86'400;
    const Decision old = it.decide();
    CHECK(old.outcome == ClearingOutcome::too_old);
    CHECK(old.movement == Movement::card_to_dispute);
    CHECK(old.claim == ClaimState::decided);
    it = Case{};
    it.record.when = later(1);
    CHECK(it.decide().outcome == ClearingOutcome::from_the_future);
}

TEST_CASE("decide: limits are inclusive at their edge") {
    Case it;
    it.limits.amount_max = Money::from_fen(200);
    it.limits.balance_max = Money::from_fen(1000);
    CHECK(it.decide().outcome == ClearingOutcome::accepted);
    it = Case{};
    it.limits.balance_max = Money::from_fen(999);
    CHECK(it.decide().outcome == ClearingOutcome::over_limit);
    it = Case{};
    it.record.amount = Money::from_fen(1001);
    CHECK(it.decide().outcome == ClearingOutcome::over_limit);
}

TEST_CASE("decide: hot from a moment: before it good, at it the operator's risk") {
    Case it;
    it.hot_since = noon();
    CHECK(it.decide().outcome == ClearingOutcome::hot_at_time);
    it = Case{};
    it.hot_since = noon();
    it.hot_since->time = *protocol::Time::make(12, 0, 1);
    CHECK(it.decide().outcome == ClearingOutcome::accepted);
}

TEST_CASE("decide: a good debit pays, claims both keys and carries no flag") {
    Case it;
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::accepted);
    CHECK(decision.flags == protocol::OutcomeFlags{});
    CHECK(decision.movement == Movement::card_to_payee);
    CHECK(decision.claim == ClaimState::decided);
    CHECK(it.card.spent == Fen{200});
    CHECK(it.card.counters.is_taken(OfflineCounter{0}));
}

TEST_CASE("decide: a missing counter is a gap that the late record closes") {
    Case it;
    it.record.counter = OfflineCounter{1};
    it.record.balance_before = Money::from_fen(800);
    const Decision second = it.decide();
    CHECK(second.outcome == ClearingOutcome::accepted);
    CHECK(second.flags == protocol::OutcomeFlags{.counter_gap = true});
    CHECK(it.card.counters.missing() == 1);
    it.record.counter = OfflineCounter{0};
    it.record.balance_before = Money::from_fen(1000);
    const Decision first = it.decide();
    CHECK(first.outcome == ClearingOutcome::accepted);
    CHECK(first.flags == protocol::OutcomeFlags{});
    CHECK(it.card.counters.missing() == 0);
}

TEST_CASE("decide: a balance that does not continue is flagged, whichever neighbour comes last") {
    Case it;
    CHECK(it.decide().flags == protocol::OutcomeFlags{});
    it.record.counter = OfflineCounter{1};
    it.record.balance_before = Money::from_fen(801);  // 800 is on the card, nothing was loaded
    CHECK(it.decide().flags.balance_break);
    Case late;
    late.record.counter = OfflineCounter{1};
    late.record.balance_before = Money::from_fen(700);  // 100 less than the first will leave
    CHECK_FALSE(late.decide().flags.balance_break);
    late.record.counter = OfflineCounter{0};
    late.record.balance_before = Money::from_fen(1000);
    CHECK(late.decide().flags.balance_break);
}

TEST_CASE("decide: a rise of the balance is explained by loads, pending ones too, once") {
    Case it;
    (void)it.decide();
    it.card.load_pending = Fen{500};
    it.record.counter = OfflineCounter{1};
    it.record.balance_before = Money::from_fen(1300);
    CHECK_FALSE(it.decide().flags.balance_break);
    it.record.counter = OfflineCounter{2};
    it.record.balance_before = Money::from_fen(1600);  // 1100 + the same 500 again
    CHECK(it.decide().flags.balance_break);
}

TEST_CASE("decide: an unresolved entry is held, without proof and without money") {
    Case it;
    it.record.kind = RecordKind::unresolved;
    it.tac_genuine = false;
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::unresolved);
    CHECK(decision.claim == ClaimState::held);
    CHECK(decision.movement == Movement::none);
    CHECK_FALSE(it.card.counters.newest().has_value());
}

// docs/outcomes.md, O4: what may have left the card is held, however old the tap or bad the card.
TEST_CASE(
    "decide: an unresolved entry of a hot card, an old or a future one is held all the same") {
    Case hot;
    hot.hot_since = noon();
    Case old;
    old.limits.age_seconds_max = 86'400;
    old.now = later(2);
    Case future;
    future.record.when = later(3);
    for (Case* const one : {&hot, &old, &future}) {
        Case& it = *one;
        it.record.kind = RecordKind::unresolved;
        it.tac_genuine = false;
        const Decision held = it.decide();
        CHECK(held.outcome == ClearingOutcome::unresolved);
        CHECK(held.claim == ClaimState::held);
        // The card goes on without a proof: the money is in dispute, not nowhere.
        HeldEntry entry{it.record.counter, it.record.when, it.record.amount};
        it.card.counters.take(OfflineCounter{1});
        CHECK(reconsider(entry, it.card).state == ClaimState::disputed);
        CHECK(it.card.disputed == Fen{200});
        // A proof is judged like any other record.
        it.record.kind = RecordKind::proven;
        it.tac_genuine = true;
        it.claim = Claim{ClaimState::held, content_of(it.record)};
        const Decision proof = it.decide();
        CHECK(proof.claim == ClaimState::decided);
        CHECK(proof.outcome != ClearingOutcome::accepted);
        CHECK(proof.movement == Movement::card_to_dispute);
    }
}

TEST_CASE("decide: an unresolved entry of an impossible amount claims nothing") {
    for (const std::uint32_t fen : {1'001U, 100'001U}) {
        Case it;
        it.record.kind = RecordKind::unresolved;
        it.record.amount = Money::from_fen(fen);
        const Decision decision = it.decide();
        CHECK(decision.outcome == ClearingOutcome::over_limit);
        CHECK_FALSE(decision.claim.has_value());
    }
}

TEST_CASE("decide: an unresolved entry whose counter has gone by is a dispute at once") {
    Case it;
    it.card.counters.take(OfflineCounter{1});
    it.record.kind = RecordKind::unresolved;
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::dispute);
    CHECK(decision.movement == Movement::card_to_dispute);
    CHECK(it.card.disputed == Fen{200});
}

TEST_CASE("decide: an unresolved entry whose counter another debit took never happened") {
    Case it;
    it.card.counters.take(OfflineCounter{0});
    it.record.kind = RecordKind::unresolved;
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::not_debited);
    CHECK(decision.claim == ClaimState::voided);
    CHECK(decision.movement == Movement::none);
}

TEST_CASE("decide: an unresolved entry does not block the proof, nor does a void one") {
    for (const ClaimState state : {ClaimState::held, ClaimState::voided}) {
        Case it;
        it.record.kind = RecordKind::proven;
        it.claim = Claim{state, content_of(it.record)};
        const Decision decision = it.decide();
        CHECK(decision.outcome == ClearingOutcome::accepted);
        CHECK(decision.movement == Movement::card_to_payee);
        CHECK_FALSE(decision.releases_entry);
    }
}

TEST_CASE("decide: the proof of a disputed entry gives its money back and books it afresh") {
    Case it;
    it.record.kind = RecordKind::proven;
    it.claim = Claim{ClaimState::disputed, content_of(it.record)};
    const Decision decision = it.decide();
    CHECK(decision.outcome == ClearingOutcome::accepted);
    CHECK(decision.releases_entry);
    CHECK(decision.movement == Movement::card_to_payee);
}

TEST_CASE("decide: not_debited voids what has no proof, and nothing else") {
    const auto decide_with = [](std::optional<ClaimState> state) {
        Case it;
        it.record.kind = RecordKind::not_debited;
        if (state) it.claim = Claim{*state, content_of(it.record)};
        return it.decide();
    };
    CHECK(decide_with(std::nullopt).claim == ClaimState::voided);
    CHECK(decide_with(ClaimState::held).outcome == ClearingOutcome::not_debited);
    CHECK(decide_with(ClaimState::disputed).releases_entry);
    CHECK(decide_with(ClaimState::decided).outcome == ClearingOutcome::duplicate);
    CHECK_FALSE(decide_with(ClaimState::decided).claim.has_value());
    CHECK(decide_with(ClaimState::voided).outcome == ClearingOutcome::duplicate);
}

TEST_CASE("counter window: late counters inside it, too late ones outside") {
    CounterWindow window;
    window.take(OfflineCounter{200});
    CHECK_FALSE(window.is_taken(OfflineCounter{199}));
    CHECK_FALSE(window.is_taken(OfflineCounter{73}));
    CHECK(window.is_taken(OfflineCounter{72}));  // 128 behind: nobody can tell
    window.take(OfflineCounter{73});
    CHECK(window.is_taken(OfflineCounter{73}));
    CHECK_FALSE(window.is_taken(OfflineCounter{74}));
    window.take(OfflineCounter{201});
    CHECK(window.is_taken(OfflineCounter{200}));
    CHECK(window.is_taken(OfflineCounter{73}));
}

TEST_CASE("counter window: jumps of every size keep what is inside") {
    for (unsigned jump = 1; jump < 300; ++jump) {
        CounterWindow window;
        window.take(OfflineCounter{0});
        window.take(OfflineCounter{static_cast<std::uint16_t>(jump)});
        CHECK(window.is_taken(OfflineCounter{static_cast<std::uint16_t>(jump)}));
        CHECK(window.is_taken(OfflineCounter{0}));
        const bool middle_known = jump < 2 || jump - 1 >= CounterWindow::width + 1;
        if (!middle_known)
            CHECK_FALSE(window.is_taken(OfflineCounter{static_cast<std::uint16_t>(jump - 1)}));
    }
}

TEST_CASE("counter window: the last counter a card has") {
    CounterWindow window;
    window.take(OfflineCounter{0xFFFF});
    CHECK(window.newest() == OfflineCounter{0xFFFF});
    CHECK(window.is_taken(OfflineCounter{0xFFFF}));
    CHECK_FALSE(window.is_taken(OfflineCounter{0xFFFE}));
}

TEST_CASE("card state: the stored form reads back, a cut one is refused") {
    Case it;
    (void)it.decide();
    it.card.last_load = protocol::OnlineCounter{3};
    const auto bytes = it.card.bytes();
    const auto back = CardState::parse(bytes);
    REQUIRE(back);
    CHECK(back->bytes() == bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK_FALSE(CardState::parse(protocol::Bytes{bytes}.first(size)).has_value());
    }
}
