// The grey lock: between lock and unlock the purse is held for one station. docs/card_commands.md,
// 6.1. The station's key stays good over a reset: what derives it is stored with the lock.
#include "protocol/grey_lock.hpp"

#include "firmware/purse/transaction.hpp"

namespace firmware::purse {

using protocol::GreyDebitData;
using protocol::GreyInitialiseData;

namespace {

constexpr std::uint8_t lock_object = 2;

struct Lock {  // keyIdx1 rand4 term6 termSeq4 GTAC4. There is one exactly while the purse is
               // locked.
    protocol::KeyIndex key;
    protocol::CardRandom random;
    protocol::TerminalNumber terminal;
    protocol::TerminalSequence sequence;
    Mac certificate;
    static constexpr std::size_t size = 19;
};

[[nodiscard]] Outcome<Lock> load_lock(const Context& card) {
    std::array<std::uint8_t, Lock::size> bytes{};
    ONECARD_TRY(size, card.store.read(card.state(lock_object), bytes));
    if (size != bytes.size()) return fail(StatusWord::memory_failure);
    const std::span<const std::uint8_t, Lock::size> from{bytes};
    Lock lock{protocol::KeyIndex{from[0]}, {}, {}, {}, {}};
    std::ranges::copy(from.subspan<1, 4>(), lock.random.begin());
    std::array<std::uint8_t, 6> number{};
    std::ranges::copy(from.subspan<5, 6>(), number.begin());
    lock.terminal = protocol::TerminalNumber{number};
    lock.sequence = protocol::TerminalSequence{
        static_cast<std::uint32_t>(protocol::read_big_endian(from.subspan<11, 4>()))};
    std::ranges::copy(from.last<4>(), lock.certificate.begin());
    return lock;
}

[[nodiscard]] Outcome<void> stage_lock(Context& card, const Lock& lock) {
    std::array<std::uint8_t, Lock::size> bytes{};
    protocol::ByteWriter{bytes}
        .put_u8(lock.key.value())
        .put(lock.random)
        .put(lock.terminal.value())
        .put_u32(lock.sequence.value())
        .put(lock.certificate);
    return card.change.put(card.state(lock_object), bytes);
}

/// E0 7E 08 01: the station's sum, under the key of the lock, up to the commit.
[[nodiscard, gnu::noinline]] Outcome<Staged> stage_debit(Context& card, const GreyDebitData& data) {
    ONECARD_TRY(lock, load_lock(card));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, lock.key));
    ONECARD_TRY(states, load_states(card));
    OfflineState& offline = states.offline;
    const auto key = crypto::purse::offline_process_key(
        dpk.purse_key(), lock.random, protocol::OfflineCounter{offline.counter}, lock.sequence);
    const auto expected = crypto::purse::purse_mac(
        key, protocol::purchase_mac1_input(data.amount, protocol::grey_debit_type, lock.terminal,
                                           data.when));
    ONECARD_CHECK(check_mac(card, dpk, expected, data.mac));
    ONECARD_TRY(taken, take(offline, available(offline, states.online), data.amount));
    constexpr auto type = TransactionType::purchase;
    ONECARD_TRY(tac, certify(card, protocol::purchase_tac_input(taken, type, lock.terminal,
                                                                lock.sequence, data.when)));
    const auto mac2 = crypto::purse::purse_mac(key, protocol::purchase_mac2_input(taken));
    const std::uint16_t before = offline.counter++;
    offline.proof = {static_cast<std::uint8_t>(type), mac2, tac};
    card.session.purse.amount = taken;
    card.session.purse.terminal = lock.terminal;
    ONECARD_CHECK(stage(card.change, card.session.instance, offline));
    ONECARD_CHECK(stage_log(card, states.online, offline.counter, type, data.when));
    ONECARD_CHECK(card.change.erase(card.state(lock_object)));
    return Staged{taken, before};
}

[[nodiscard]] Outcome<void> debit_and_unlock(Context& card, const GreyDebitData& data) {
    ONECARD_TRY(staged, stage_debit(card, data));
    ONECARD_TRY(proof, settle_purchase(card, staged));
    card.answer.put(proof.tac);
    return {};
}

/// E0 7E 09 00: the issuer's sum, online, when the station's answer is lost for good.
[[nodiscard]] Outcome<void> unlock_by_issuer(Context& card, const GreyDebitData& data) {
    constexpr auto type = protocol::grey_unlock_type;
    ONECARD_TRY(from, resume(card, State::grey_unlock, KeyUsage::unload));
    Session& session = card.session.purse;
    const auto key = process_key(card, from);
    const auto expected = crypto::purse::purse_mac(
        key, protocol::load_mac2_input(data.amount, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, from.used, expected, data.mac));
    States& states = from.states;
    ONECARD_TRY(taken, take(states.offline, available(states.offline, states.online), data.amount));
    const auto mac3 = crypto::purse::purse_mac(
        key, protocol::load_tac_input(states.offline.balance,
                                      protocol::OnlineCounter{states.online.counter}, taken, type,
                                      session.terminal, data.when));
    session.amount = taken;
    // The station's key derives from this counter: after the unlock it must be worth nothing.
    ++states.offline.counter;
    states.offline.proof = {};  // it was of the purchase before: no purchase has the new number
    ONECARD_CHECK(card.change.erase(card.state(lock_object)));
    return finish(card, states, TransactionType::unload, data.when, data.mac, mac3,
                  -static_cast<std::int32_t>(taken.fen()), 1);
}

}  // namespace

bool is_grey_locked(const Context& card) {
    return card.store.contains(card.state(lock_object));
}

Outcome<void> initialise_grey(Context& card, const Request& request) {
    const bool is_lock = request.p1() == 0x08;
    if ((!is_lock && request.p1() != 0x09) || request.p2() != 0x01) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_PARSE(data, GreyInitialiseData::parse(request.data));
    const protocol::InitialiseData plain{data.key, Money{}, data.terminal};
    if (is_lock) {
        if (is_grey_locked(card)) return fail(StatusWord::grey_locked);
        return initialise_purchase(card, request, plain, State::grey_lock);
    }
    if (!is_grey_locked(card)) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_TRY(from, begin(card, plain.key, KeyUsage::unload));
    return answer_money(card, request, plain, from, State::grey_unlock, protocol::grey_unlock_type);
}

/// E0 7C 08 00: nothing is debited; MAC1 and MAC2 are those of a purchase of nothing, type 91.
Outcome<void> grey_lock(Context& card, const Request& request) {
    const Session& session = card.session.purse;
    ONECARD_CHECK(expect(card, State::grey_lock));
    if (request.p1() != 0x08 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, protocol::DebitData::parse(request.data));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, session.key));
    ONECARD_TRY(states, load_states(card));
    constexpr auto type = protocol::grey_lock_type;
    const auto key = crypto::purse::offline_process_key(
        dpk.purse_key(), session.random, protocol::OfflineCounter{states.offline.counter},
        data.sequence);
    const auto expected = crypto::purse::purse_mac(
        key, protocol::purchase_mac1_input(Money{}, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, dpk, expected, data.mac1));
    ONECARD_TRY(certificate,
                certify(card, protocol::purchase_tac_input(Money{}, type, session.terminal,
                                                           data.sequence, data.when)));
    ONECARD_CHECK(stage_lock(
        card, {session.key, session.random, session.terminal, data.sequence, certificate}));
    const auto mac2 = crypto::purse::purse_mac(key, protocol::purchase_mac2_input(Money{}));
    card.close_transactions();
    ONECARD_CHECK(card.commit(Urgency::tap));
    ONECARD_TRY(taken, load_lock(card));  // answered when the store has it
    card.answer.put(taken.certificate).put(mac2);
    return {};
}

Outcome<void> grey_unlock(Context& card, const Request& request) {
    const bool is_debit = request.p1() == 0x08 && request.p2() == 0x01;
    if (!is_debit && (request.p1() != 0x09 || request.p2() != 0)) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_PARSE(data, GreyDebitData::parse(request.data));
    if (!is_grey_locked(card)) return fail(StatusWord::command_not_allowed_in_state);
    return is_debit ? debit_and_unlock(card, data) : unlock_by_issuer(card, data);
}

Outcome<void> grey_proof(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    if (!is_grey_locked(card)) {
        card.answer.fill(protocol::grey_proof_size);
        return {};
    }
    ONECARD_TRY(lock, load_lock(card));
    ONECARD_TRY(states, load_states(card));
    card.answer.put_u8(1)
        .put_u16(states.offline.counter)
        .put(lock.terminal.value())
        .put_u32(lock.sequence.value())
        .put(lock.certificate);
    return {};
}

}  // namespace firmware::purse
