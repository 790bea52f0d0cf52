#pragma once
// What the purse's two halves share: offline (purchases) and online (load, unload, overdraft).
#include "firmware/os/commands.hpp"
#include "firmware/purse/commands.hpp"
#include "firmware/purse/state.hpp"

namespace firmware::purse {

using protocol::fail;
using protocol::InitialiseData;
using protocol::TransactionType;

constexpr std::uint16_t counter_end = 0xFFFF;  // docs/card_commands.md, 6

/// DPK, DLK, ... with this index; 9403 when there is none.
[[nodiscard]] inline Outcome<Key> find_key(const Context& card, KeyUsage usage, KeyIndex index) {
    return card.key(usage, index, StatusWord::key_index_not_supported);
}

struct States {
    OfflineState offline;
    OnlineState online;
};
[[nodiscard]] Outcome<States> load_states(const Context&);

/// Opens a transaction with a random number of its own.
Session& open(Context&, State, const InitialiseData&);
/// The transaction must be the one that `wanted` continues; whether the grey lock forbids it is
/// looked at again.
[[nodiscard]] Outcome<void> expect(const Context&, State wanted);
/// moves_by, or memory_failure.
[[nodiscard]] Outcome<void> check_movement(const Context&, std::int32_t fen, std::uint16_t numbers);
/// Spends; insufficient_balance unless all of it was taken. Certify the amount that this returns,
/// and no other: then what was not taken is certified to nobody.
[[nodiscard]] Outcome<Money> take(OfflineState&, Money limit, Money amount);
/// A wrong MAC costs a try; the last one blocks the application for good. domain.md 1.6.
[[nodiscard]] Outcome<void> check_mac(Context&, const Key&, const Mac& expected,
                                      const Mac& received);
/// The TAC, under the card's DTK.
[[nodiscard]] Outcome<Mac> certify(const Context&, Bytes input);
/// One record for file 18.
[[nodiscard]] Outcome<void> stage_log(Context&, const OnlineState&, std::uint16_t counter_after,
                                      TransactionType, const protocol::DateTime&);

// offline.cpp
[[nodiscard]] Outcome<void> initialise_purchase(Context&, const Request&, const InitialiseData&,
                                                State);
/// What a debit has staged: the sum, and the number it has.
struct Staged {
    Money taken;
    std::uint16_t counter;
};
/// Commits, if what is staged moves this sum. The proof that the store holds now; memory_failure
/// unless it is of this number. A debit's certificates are answered from here
/// and from nowhere else.
[[nodiscard]] Outcome<Proof> settle_purchase(Context&, const Staged&);
// grey_lock.cpp
[[nodiscard]] bool is_grey_locked(const Context&);

// online.cpp
/// What every INITIALIZE of the issuer's kind needs: the PIN (if the application has one), key,
/// counter. Its second command looks at the PIN again.
struct Beginning {
    Key used;
    States states;
};
[[nodiscard]] Outcome<Beginning> begin(const Context&, KeyIndex, KeyUsage);
[[nodiscard]] crypto::purse::ProcessKey process_key(const Context&, const Beginning&);
/// Opens the transaction; answers balance, counter, key, random number, MAC1.
[[nodiscard]] Outcome<void> answer_money(Context&, const Request&, const InitialiseData&,
                                         const Beginning&, State, TransactionType);
/// The transaction's second command: right state; the same key, and all of `begin` once more.
[[nodiscard]] Outcome<Beginning> resume(const Context&, State, KeyUsage);
/// Counter, proof, log, commit (if what is staged moves `fen` and `numbers`: moves_by); answers the
/// certificate (TAC or MAC3) that the store has taken.
[[nodiscard]] Outcome<void> finish(Context&, States&, TransactionType, const protocol::DateTime&,
                                   const Mac& mac2, const Mac& certificate, std::int32_t fen,
                                   std::uint16_t numbers = 0);
/// Load or unload.
[[nodiscard]] Outcome<void> initialise_money(Context&, const Request&, const InitialiseData&,
                                             TransactionType);
[[nodiscard]] Outcome<void> initialise_overdraft(Context&, const Request&, const InitialiseData&);
[[nodiscard]] Outcome<void> debit_unload(Context&, const Request&);

}  // namespace firmware::purse
