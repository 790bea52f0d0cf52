#pragma once
// What became of one record. docs/outcomes.md: each name, who decides it, what it does with the
// money.
#include <cstdint>
#include <optional>
#include <string_view>

namespace protocol {

/// In the order they are checked; the first that fits is the outcome. The numbers are in files.
enum class ClearingOutcome : std::uint8_t {
    pending = 0x00,  ///< not decided yet: waits for the issuer's answer
    // By the city that received the batch:
    malformed = 0x01,           ///< not a record, or not a purchase
    operator_not_bound = 0x02,  ///< the SAM is not this operator's at that time
    sam_hot = 0x13,             ///< the SAM was on this city's hot list: the operator lost it
    issuer_unknown = 0x03,      ///< no city of ours issues such cards
    // By the card's issuer:
    card_unknown = 0x04,    ///< never issued
    key_unknown = 0x05,     ///< no key of that suite and version, or outside its window
    not_debited = 0x06,     ///< the card was asked: the entry is void
    unresolved = 0x07,      ///< held: the card left before it answered
    tac_wrong = 0x08,       ///< not made by this card; claims no key
    duplicate = 0x09,       ///< this debit was decided before: the first one counts
    id_reused = 0x0A,       ///< another debit has this terminal number and transaction number
    counter_reused = 0x0B,  ///< another debit has this card's counter
    mac2_wrong = 0x0C,      ///< held: the card is debited, the gate stayed shut
    from_the_future = 0x0D,
    too_old = 0x0E,
    over_limit = 0x0F,   ///< amount or balance above the purse's limits, or amount above balance
    hot_at_time = 0x10,  ///< the card was on the list in force: the operator's risk
    accepted = 0x11,
    // Later, instead of `unresolved`:
    dispute = 0x12,  ///< a later counter of the card was accepted and no proof had come
};
constexpr std::uint8_t outcome_last = 0x13;
[[nodiscard]] constexpr bool is_outcome(std::uint8_t value) {
    return value <= outcome_last;
}
[[nodiscard]] constexpr std::string_view name(ClearingOutcome outcome) {
    switch (outcome) {
        case ClearingOutcome::pending: return "pending";
        case ClearingOutcome::malformed: return "malformed";
        case ClearingOutcome::operator_not_bound: return "operator_not_bound";
        case ClearingOutcome::sam_hot: return "sam_hot";
        case ClearingOutcome::issuer_unknown: return "issuer_unknown";
        case ClearingOutcome::card_unknown: return "card_unknown";
        case ClearingOutcome::key_unknown: return "key_unknown";
        case ClearingOutcome::not_debited: return "not_debited";
        case ClearingOutcome::unresolved: return "unresolved";
        case ClearingOutcome::tac_wrong: return "tac_wrong";
        case ClearingOutcome::duplicate: return "duplicate";
        case ClearingOutcome::id_reused: return "id_reused";
        case ClearingOutcome::counter_reused: return "counter_reused";
        case ClearingOutcome::mac2_wrong: return "mac2_wrong";
        case ClearingOutcome::from_the_future: return "from_the_future";
        case ClearingOutcome::too_old: return "too_old";
        case ClearingOutcome::over_limit: return "over_limit";
        case ClearingOutcome::hot_at_time: return "hot_at_time";
        case ClearingOutcome::accepted: return "accepted";
        case ClearingOutcome::dispute: return "dispute";
    }
    return "unknown";
}
[[nodiscard]] constexpr std::optional<ClearingOutcome> parse_outcome(std::string_view word) {
    for (std::uint8_t value = 0; value <= outcome_last; ++value) {
        if (name(static_cast<ClearingOutcome>(value)) == word)
            return static_cast<ClearingOutcome>(value);
    }
    return std::nullopt;
}

/// What was odd about a record that is decided all the same. A set of bits.
struct OutcomeFlags {
    bool counter_gap = false;    ///< a counter before this one has not arrived yet
    bool balance_break = false;  ///< the balance does not continue from the neighbouring record
    [[nodiscard]] constexpr std::uint8_t bits() const {
        return static_cast<std::uint8_t>((counter_gap ? 1U : 0U) | (balance_break ? 2U : 0U));
    }
    [[nodiscard]] static constexpr OutcomeFlags from_bits(std::uint8_t bits) {
        return {(bits & 1U) != 0, (bits & 2U) != 0};
    }
    friend constexpr bool operator==(const OutcomeFlags&, const OutcomeFlags&) = default;
};

}  // namespace protocol
