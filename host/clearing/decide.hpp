#pragma once
// The issuer's decision about one record: a pure function. docs/outcomes.md is its table.
#include <optional>

#include "crypto/core/sm3.hpp"
#include "host/clearing/card_state.hpp"
#include "protocol/batch.hpp"
#include "protocol/outcome.hpp"

namespace host::clearing {

using protocol::BatchRecord;
using protocol::ClearingOutcome;
using protocol::OutcomeFlags;

struct Limits {
    Money amount_max = Money::from_fen(100'000);   ///< of one debit
    Money balance_max = Money::from_fen(100'000);  ///< of the purse
    std::int64_t age_seconds_max = 30LL * 86'400;  ///< from the tap to the decision
    std::int64_t future_seconds_max = 600;         ///< a terminal's clock may run ahead so far
};

/// What names a debit: the issuer's city, the SAM's terminal number, its transaction number. Sorts
/// in the order in which a terminal delivers. docs/outcomes.md, O2.
struct DebitKey {
    protocol::CityCode issuer_city;
    protocol::TerminalNumber terminal;
    protocol::TerminalSequence sequence;
    friend constexpr auto operator<=>(const DebitKey&, const DebitKey&) = default;
};

/// The content of a debit, whatever kind of record brings it: card, counter, balance, amount, type,
/// time. Two records with one key and one content are the same debit.
using ContentDigest = std::array<std::uint8_t, 16>;
[[nodiscard]] ContentDigest content_of(const BatchRecord& record);

/// What holds a debit's key. The numbers are in the store: only add.
enum class ClaimState : std::uint8_t {
    decided = 1,   ///< proven by a TAC, and decided for good
    held = 2,      ///< an unresolved entry without proof
    disputed = 3,  ///< the same, after the card went on: its money waits in dispute
    voided = 4,    ///< not debited
};
struct Claim {
    ClaimState state = ClaimState::decided;
    ContentDigest content{};
};

enum class Movement : std::uint8_t {
    none,
    card_to_payee,    ///< accepted
    card_to_dispute,  ///< the card paid, nobody has earned it yet
    dispute_to_card,  ///< a disputed entry is proven, which is booked afresh, or did not happen
};

struct DecisionInput {
    const BatchRecord& record;
    bool card_issued = false;
    bool key_known = false;      ///< a TAC key of that suite and version, in its window
    bool tac_genuine = false;    ///< asked only when the record carries a TAC
    std::optional<Claim> claim;  ///< on the record's debit key
    CardState& card;             ///< changed by decide() when the record claims its counter
    std::optional<protocol::DateTime> hot_since;  ///< on our list, in force from here
    protocol::DateTime now;
    const Limits& limits;
};

struct Decision {
    ClearingOutcome outcome = ClearingOutcome::malformed;
    OutcomeFlags flags{};
    Movement movement = Movement::none;
    std::optional<ClaimState> claim{};  ///< what the debit key becomes; nothing: as it was
    bool claims_counter = false;        ///< other entries of the card must be reconsidered
    /// The disputed entry that held the key gives its own amount back first (dispute_to_card).
    bool releases_entry = false;
};

/// Does the record carry a TAC?
[[nodiscard]] constexpr bool carries_tac(protocol::RecordKind kind) {
    return kind == protocol::RecordKind::debit || kind == protocol::RecordKind::proven ||
           kind == protocol::RecordKind::mac2_wrong;
}

/// Updates the card's counters, balances and the sums for its own movement, nothing else: releasing
/// a disputed entry is the caller's, who knows its amount.
[[nodiscard]] Decision decide(const DecisionInput& input);

/// An unresolved entry of a card whose counters have moved.
struct HeldEntry {
    protocol::OfflineCounter counter;
    protocol::DateTime when;
    Money amount;
    ClaimState state = ClaimState::held;  ///< held or disputed
};
/// Two entries with one counter: the card was seen again with its counter unchanged, so the earlier
/// one never happened.
[[nodiscard]] constexpr bool supersedes(const HeldEntry& a, const HeldEntry& b) {
    return a.counter == b.counter && a.when > b.when;
}
struct Reconsidered {
    ClaimState state = ClaimState::held;
    Movement movement = Movement::none;
};
/// Its counter is taken by a proven debit: it never happened. Passed: nobody proved it in time. The
/// sums of `card` follow the movement.
[[nodiscard]] Reconsidered reconsider(const HeldEntry& entry, CardState& card);

/// Applies a movement of `amount` to the card's sums.
void apply(Movement movement, Money amount, CardState& card);

}  // namespace host::clearing
