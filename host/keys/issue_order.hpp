#pragma once
// What to issue: one line per chip, from a CSV file. docs/keys.md, 5.
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/keys/refusal.hpp"
#include "protocol/transit_card.hpp"

namespace host::keys {

enum class ChipKind : std::uint8_t { card = 1, sam = 2 };
[[nodiscard]] constexpr const char* name(ChipKind kind) {
    return kind == ChipKind::card ? "card" : "sam";
}

struct CardOrder {
    protocol::CardNumber number;
    protocol::Suite suite = protocol::Suite::sm4;
    protocol::Date valid_from;
    protocol::Date valid_to;
    protocol::CardKind holder = protocol::CardKind::ordinary;
    bool interoperable = true;
    bool enabled = true;
    std::string pin;  ///< digits; empty: no PIN. Secret until the card's holder has it
    std::optional<protocol::CardNumber> replaces;  ///< its holder's card before
    friend bool operator==(const CardOrder&, const CardOrder&) = default;
};
struct SamOrder {
    protocol::SamNumber number;
    protocol::Suite suite = protocol::Suite::sm4;
    protocol::Date valid_from;
    protocol::Date valid_to;
    protocol::TerminalNumber terminal;
    protocol::OperatorId operator_id;
    std::optional<protocol::SamNumber> replaces;
    friend bool operator==(const SamOrder&, const SamOrder&) = default;
};
using IssueOrder = std::variant<CardOrder, SamOrder>;

[[nodiscard]] ChipKind kind_of(const IssueOrder& order);
/// The ten bytes of the card's or SAM's number.
[[nodiscard]] const std::array<std::uint8_t, 10>& number_of(const IssueOrder& order);
/// The number of the chip that this one replaces.
[[nodiscard]] std::optional<std::array<std::uint8_t, 10>> replaces_of(const IssueOrder& order);
[[nodiscard]] protocol::Suite suite_of(const IssueOrder& order);
[[nodiscard]] const char* word(protocol::CardKind holder);
[[nodiscard]] constexpr const char* word(protocol::Suite suite) {
    return suite == protocol::Suite::sm4 ? "sm4" : "3des";
}

constexpr std::size_t order_count_max = 10'000'000;

/// The whole file, or a refusal that names line and column. No quoting: no column needs a comma.
/// The header line gives the columns' order; unknown and repeated columns are refused. Numbers that
/// occur twice are refused. A byte order mark and CR LF are skipped.
[[nodiscard]] Result<std::vector<IssueOrder>> parse_orders(std::string_view csv,
                                                           const std::string& file,
                                                           std::size_t count_max = order_count_max);
/// One order back as a line in the order of `order_header`. For the state store.
[[nodiscard]] std::string to_csv(const IssueOrder& order);
extern const std::string_view order_header;

}  // namespace host::keys
