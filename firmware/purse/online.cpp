// Load, unload and the overdraft's limit: what the issuer's host answers. domain.md 1.1 to 1.6.
#include "firmware/purse/transaction.hpp"

namespace firmware::purse {

using protocol::CreditData;
using protocol::OnlineCounter;
using protocol::OverdraftData;

namespace {

[[nodiscard]] Outcome<void> check_pin_shown(const Context& card) {
    const auto pin =
        card.keys.find(card.session.directory, KeyUsage::pin, protocol::administrative_key_index);
    if (pin) {
        return refuse_unless((card.session.rights.bits() & right::pin) != 0,
                             StatusWord::security_status_not_satisfied);
    }
    // A key that cannot be read is not a PIN that was never set.
    if (pin.error() != StatusWord::referenced_data_not_found) return fail(pin.error());
    return {};
}

}  // namespace

Outcome<Beginning> begin(const Context& card, KeyIndex index, KeyUsage usage) {
    ONECARD_CHECK(check_pin_shown(card));
    ONECARD_TRY(used, find_key(card, usage, index));
    ONECARD_TRY(states, load_states(card));
    if (states.online.counter == counter_end) return fail(StatusWord::counter_exhausted);
    return Beginning{std::move(used), states};
}

crypto::purse::ProcessKey process_key(const Context& card, const Beginning& from) {
    return crypto::purse::online_process_key(from.used.purse_key(), card.session.purse.random,
                                             OnlineCounter{from.states.online.counter});
}

Outcome<void> answer_money(Context& card, const Request& request, const InitialiseData& data,
                           const Beginning& from, State state, TransactionType type) {
    ONECARD_CHECK(check_le(request, protocol::LoadInitialised::size));
    const Session& session = open(card, state, data);
    const Money balance = from.states.offline.balance;
    const auto mac1 = crypto::purse::purse_mac(
        process_key(card, from),
        protocol::load_mac1_input(balance, data.amount, type, data.terminal));
    card.answer.put(protocol::LoadInitialised{
        balance, OnlineCounter{from.states.online.counter}, from.used.version,
        static_cast<protocol::Suite>(from.used.suite), session.random, mac1}
                        .bytes());
    return {};
}

Outcome<Beginning> resume(const Context& card, State state, KeyUsage usage) {
    ONECARD_CHECK(expect(card, state));
    return begin(card, card.session.purse.key, usage);
}

Outcome<void> finish(Context& card, States& states, TransactionType type,
                     const protocol::DateTime& when, const Mac& mac2, const Mac& certificate,
                     std::int32_t fen, std::uint16_t numbers) {
    const std::uint16_t before = states.online.counter++;
    states.online.proof = {static_cast<std::uint8_t>(type), mac2, certificate};
    ONECARD_CHECK(stage(card.change, card.session.instance, states.offline));
    ONECARD_CHECK(stage(card.change, card.session.instance, states.online));
    ONECARD_CHECK(stage_log(card, states.online, states.online.counter, type, when));
    card.close_transactions();
    ONECARD_CHECK(check_movement(card, fen, numbers));
    ONECARD_CHECK(card.commit(Urgency::tap));
    ONECARD_TRY(taken, load_online(card.store, card.session.instance));
    card.answer.put(taken.proof.tac);
    return refuse_unless(taken.counter == before + 1, StatusWord::memory_failure);
}

Outcome<void> initialise_money(Context& card, const Request& request, const InitialiseData& data,
                               TransactionType type) {
    const bool is_load = type == TransactionType::load;
    ONECARD_TRY(from, begin(card, data.key, is_load ? KeyUsage::load : KeyUsage::unload));
    OfflineState after = from.states.offline;
    const bool is_possible = is_load ? receive(after, data.amount) : data.amount <= after.balance;
    if (!is_possible) return fail(StatusWord::insufficient_balance);
    return answer_money(card, request, data, from, is_load ? State::load : State::unload, type);
}

/// Answer: balance4 onlineSeq2 oldLimit3 keyVer1 algId1 rand4 MAC1(4).
Outcome<void> initialise_overdraft(Context& card, const Request& request,
                                   const InitialiseData& data) {
    constexpr std::size_t answer_size = 19;
    ONECARD_TRY(from, begin(card, data.key, KeyUsage::overdraft));
    ONECARD_CHECK(check_le(request, answer_size));
    // No sum moves: what stands in its place is not for the log.
    const Session& session = open(card, State::overdraft, {data.key, Money{}, data.terminal});
    const States& states = from.states;
    const auto mac1 = crypto::purse::purse_mac(
        process_key(card, from),
        protocol::overdraft_mac1_input(states.offline.balance, states.online.overdraft_limit_fen,
                                       data.terminal));
    card.answer.put_u32(states.offline.balance.fen())
        .put_u16(states.online.counter)
        .put_u24(states.online.overdraft_limit_fen)
        .put_u8(from.used.version.value())
        .put_u8(from.used.suite)
        .put(session.random)
        .put(mac1);
    return {};
}

Outcome<void> credit(Context& card, const Request& request) {
    constexpr auto type = TransactionType::load;
    ONECARD_TRY(from, resume(card, State::load, KeyUsage::load));
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, CreditData::parse(request.data));
    const Session& session = card.session.purse;
    const auto expected = crypto::purse::purse_mac(
        process_key(card, from),
        protocol::load_mac2_input(session.amount, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, from.used, expected, data.mac2));
    States& states = from.states;
    if (!receive(states.offline, session.amount)) return fail(StatusWord::insufficient_balance);
    ONECARD_TRY(tac, certify(card, protocol::load_tac_input(
                                       states.offline.balance, OnlineCounter{states.online.counter},
                                       session.amount, type, session.terminal, data.when)));
    return finish(card, states, type, data.when, data.mac2, tac,
                  static_cast<std::int32_t>(session.amount.fen()));
}

Outcome<void> debit_unload(Context& card, const Request& request) {
    constexpr auto type = TransactionType::unload;
    ONECARD_TRY(from, resume(card, State::unload, KeyUsage::unload));
    if (request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, CreditData::parse(request.data));
    ONECARD_CHECK(check_le(request, sizeof(Mac)));
    const Session& session = card.session.purse;
    const auto key = process_key(card, from);
    const auto expected = crypto::purse::purse_mac(
        key, protocol::load_mac2_input(session.amount, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, from.used, expected, data.mac2));
    States& states = from.states;
    ONECARD_TRY(taken, take(states.offline, states.offline.balance, session.amount));
    const auto mac3 = crypto::purse::purse_mac(
        key, protocol::load_tac_input(states.offline.balance, OnlineCounter{states.online.counter},
                                      taken, type, session.terminal, data.when));
    return finish(card, states, type, data.when, data.mac2, mac3,
                  -static_cast<std::int32_t>(taken.fen()));
}

Outcome<void> update_overdraft(Context& card, const Request& request) {
    constexpr auto type = TransactionType::overdraft_change;
    ONECARD_TRY(from, resume(card, State::overdraft, KeyUsage::overdraft));
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, OverdraftData::parse(request.data));
    const Session& session = card.session.purse;
    const auto expected = crypto::purse::purse_mac(
        process_key(card, from),
        protocol::overdraft_mac2_input(data.limit_fen, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, from.used, expected, data.mac2));
    States& states = from.states;
    if (data.limit_fen < states.offline.overdraft_used_fen) {
        return fail(StatusWord::incorrect_data);  // what is owed stays covered
    }
    states.online.overdraft_limit_fen = data.limit_fen;
    ONECARD_TRY(tac, certify(card, protocol::overdraft_tac_input(
                                       states.offline.balance, OnlineCounter{states.online.counter},
                                       data.limit_fen, session.terminal, data.when)));
    return finish(card, states, type, data.when, data.mac2, tac, 0);
}

}  // namespace firmware::purse
