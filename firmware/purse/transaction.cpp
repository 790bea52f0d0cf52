#include "firmware/purse/transaction.hpp"

namespace firmware::purse {

Outcome<States> load_states(const Context& card) {
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    return States{offline, online};
}

Session& open(Context& card, State state, const InitialiseData& data) {
    Session& session = card.session.purse;  // closed before: its cache is empty
    session.state = state;
    session.key = data.key;
    session.amount = data.amount;
    session.terminal = data.terminal;
    card.random.fill(session.random);
    return session;
}

Outcome<void> expect(const Context& card, State wanted) {
    ONECARD_CHECK(refuse_unless(card.session.purse.state == wanted,
                                StatusWord::command_not_allowed_in_state));
    const bool is_free = wanted == State::grey_unlock || !is_grey_locked(card);
    return refuse_unless(is_free, StatusWord::grey_locked);
}

Outcome<void> check_movement(const Context& card, std::int32_t fen, std::uint16_t numbers) {
    return refuse_unless(moves_by(card.store, card.change, card.session.instance, fen, numbers),
                         StatusWord::memory_failure);
}

Outcome<Money> take(OfflineState& offline, Money limit, Money amount) {
    const Money taken = spend(offline, limit, amount);
    if (taken != amount) return fail(StatusWord::insufficient_balance);
    return look_again_at(taken);
}

Outcome<void> check_mac(Context& card, const Key& used, const Mac& expected, const Mac& received) {
    const auto checked = card.prove(used, expected, received, StatusWord::mac_wrong);
    if (checked) return {};
    if (checked.error() != StatusWord::mac_wrong &&
        checked.error() != StatusWord::authentication_blocked) {
        return checked;
    }
    ONECARD_TRY(left, card.keys.tries_left(used));
    if (left != 0) return fail(StatusWord::mac_wrong);
    ONECARD_CHECK(card.files.set_state(card.change, card.session.directory, FileState::terminated));
    ONECARD_CHECK(card.store.commit(card.change, Urgency::tap));
    return fail(StatusWord::application_permanently_blocked);
}

Outcome<Mac> certify(const Context& card, Bytes input) {
    constexpr protocol::KeyIndex certificate_key_index{1};
    ONECARD_TRY(key, card.key(KeyUsage::transaction_certificate, certificate_key_index));
    return crypto::purse::tac(key.purse_key(), input);
}

Outcome<void> stage_log(Context& card, const OnlineState& online, std::uint16_t counter_after,
                        TransactionType type, const protocol::DateTime& when) {
    ONECARD_TRY(log, card.files.by_short_identifier(card.session.directory,
                                                    ShortFileIdentifier{protocol::sfi_log}));
    const Session& session = card.session.purse;
    const protocol::PurseLogRecord record{counter_after, online.overdraft_limit_fen, session.amount,
                                          type,          session.terminal,           when};
    return card.files.append_record(card.change, log, firmware::Access::internal(), record.bytes());
}

}  // namespace firmware::purse
