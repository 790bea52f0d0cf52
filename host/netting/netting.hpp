#pragma once
// Multilateral netting: who owes whom becomes as few payments as settle it. docs/day.md, 4. Pure.
#include <expected>
#include <map>
#include <vector>

#include "host/ledger/account.hpp"
#include "protocol/bytes.hpp"
#include "protocol/money.hpp"

namespace host::netting {

using ledger::Participant;
using protocol::Fen;

/// What each participant is to receive; negative: to pay.
using Positions = std::map<Participant, Fen>;

struct Debt {
    Participant from;
    Participant to;
    Fen amount;  ///< positive
    friend auto operator<=>(const Debt&, const Debt&) = default;
};

enum class NettingRefusal : std::uint8_t {  // In the order they are checked.
    total_overflows,                        ///< a sum passes 2^63 - 1 fen
    sum_not_zero,                           ///< money would be made or lost
};
[[nodiscard]] const char* name(NettingRefusal refusal);

/// Debts as positions: their sum is zero.
[[nodiscard]] std::expected<Positions, NettingRefusal> positions_of(const std::vector<Debt>& debts);

/// Up to this many participants with a position the payments are provably fewest; above, at most
/// one less than there are participants.
constexpr std::size_t exact_participants_max = 14;

/// Payments that settle the positions, sorted by payer and payee. The same positions give the same
/// payments. Everyone only pays, or only receives.
[[nodiscard]] std::expected<std::vector<Debt>, NettingRefusal> net(const Positions& positions);

}  // namespace host::netting
