#pragma once
// What the purse keeps in NVM. Two objects, so that a debit programs only the first.
#include "firmware/os/objects.hpp"
#include "protocol/purse.hpp"

namespace firmware::purse {

using protocol::Mac;
using protocol::Money;

/// Readers mask the top bit off: it marks a negative balance on some cards. domain.md 1.2.
constexpr Money balance_max = Money::from_fen(0x7FFFFFFF);

/// The last transaction of its kind, for GET TRANSACTION PROVE. Its counter is the one before.
struct Proof {              // TT1 MAC2(4) TAC4
    std::uint8_t type = 0;  ///< a TransactionType; 00: none yet
    Mac mac{};
    Mac tac{};
};

struct OfflineState {  // balance4 overdraftUsed3 offlineSeq2 TT1 MAC2(4) TAC4
    Money balance{};
    std::uint32_t overdraft_used_fen = 0;  ///< above 0 only while the balance is 0
    std::uint16_t counter = 0;             ///< of the next transaction
    Proof proof{};
    static constexpr std::uint8_t object = 0;
    static constexpr std::size_t size = 18;
};
struct OnlineState {  // onlineSeq2 overdraftLimit3 TT1 MAC2(4) TAC4
    std::uint16_t counter = 0;
    std::uint32_t overdraft_limit_fen = 0;
    Proof proof{};
    static constexpr std::uint8_t object = 1;
    static constexpr std::size_t size = 14;
};

[[nodiscard]] Outcome<OfflineState> load_offline(const Store&, std::uint8_t instance);
[[nodiscard]] Outcome<OnlineState> load_online(const Store&, std::uint8_t instance);
[[nodiscard]] Outcome<void> stage(Transaction&, std::uint8_t instance, const OfflineState&);
[[nodiscard]] Outcome<void> stage(Transaction&, std::uint8_t instance, const OnlineState&);
/// What may be spent: balance and what is left of the overdraft.
[[nodiscard]] Money available(const OfflineState&, const OnlineState&);
/// Takes from the balance, then from the overdraft, if `limit` suffices. Returns by how much the
/// purse is worth less than before, a sum of its own: nothing, if it was refused.
[[nodiscard]] Money spend(OfflineState&, Money limit, Money amount);
/// Does what is staged for this purse make it worth so much more (less: below zero) than the store
/// has it now, and take so many of its offline transactions' numbers? Of the bytes themselves: the
/// sums above are not believed here.
[[nodiscard]] bool moves_by(const Store&, const Transaction&, std::uint8_t instance,
                            std::int32_t fen, std::uint16_t numbers);
/// Repays the overdraft first, then adds; false above the greatest balance.
[[nodiscard]] bool receive(OfflineState&, Money amount);

/// An empty purse.
[[nodiscard]] Outcome<void> stage_new(Transaction&, std::uint8_t instance);

}  // namespace firmware::purse
