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

struct PurseKeySlot {
    KeySlot slot;
    Key key;
};
/// DPK, DLK, ... with this index; 9403 when there is none.
[[nodiscard]] Outcome<PurseKeySlot> find_key(const Context&, KeyUsage, KeyIndex);

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
/// Spends; insufficient_balance unless all of it was taken. Certify the amount that this returns,
/// and no other: then what was not taken is certified to nobody.
[[nodiscard]] Outcome<Money> take(OfflineState&, Money limit, Money amount);
/// A wrong MAC costs a try; the last one blocks the application for good. domain.md 1.6.
[[nodiscard]] Outcome<void> check_mac(Context&, const PurseKeySlot&, const Mac& expected,
                                      const Mac& received);
/// The TAC, under the card's DTK.
[[nodiscard]] Outcome<Mac> certify(const Context&, Bytes input);
/// One record for file 18.
[[nodiscard]] Outcome<void> stage_log(Context&, const OnlineState&, std::uint16_t counter_after,
                                      TransactionType, const protocol::DateTime&);

// offline.cpp
[[nodiscard]] Outcome<void> initialise_purchase(Context&, const Request&, const InitialiseData&,
                                                State);
/// Commits. The proof that the store holds now; memory_failure unless it is of the transaction
/// before `counter`. A debit's certificates are answered from here and from nowhere else.
[[nodiscard]] Outcome<Proof> settle_purchase(Context&, std::uint16_t counter);
// grey_lock.cpp
[[nodiscard]] bool is_grey_locked(const Context&);

// online.cpp
/// What every INITIALIZE of the issuer's kind needs: the PIN (if the application has one), key,
/// counter. Its second command looks at the PIN again.
struct Beginning {
    PurseKeySlot used;
    States states;
};
[[nodiscard]] Outcome<Beginning> begin(Context&, const InitialiseData&, KeyUsage);
[[nodiscard]] crypto::purse::ProcessKey process_key(const Context&, const Beginning&);
/// Opens the transaction; answers balance, counter, key, random number, MAC1.
[[nodiscard]] Outcome<void> answer_money(Context&, const Request&, const InitialiseData&,
                                         const Beginning&, State, TransactionType);
/// The transaction's second command: right state, the same key.
[[nodiscard]] Outcome<Beginning> resume(Context&, State, KeyUsage);
/// Counter, proof, log, commit; answers the certificate (TAC or MAC3) that the store has taken.
[[nodiscard]] Outcome<void> finish(Context&, States&, TransactionType, const protocol::DateTime&,
                                   const Mac& mac2, const Mac& certificate);
[[nodiscard]] Outcome<void> initialise_load(Context&, const Request&, const InitialiseData&);
[[nodiscard]] Outcome<void> initialise_unload(Context&, const Request&, const InitialiseData&);
[[nodiscard]] Outcome<void> initialise_overdraft(Context&, const Request&, const InitialiseData&);
[[nodiscard]] Outcome<void> debit_unload(Context&, const Request&);

}  // namespace firmware::purse
