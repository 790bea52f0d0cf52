#pragma once
// The host's JSON answers, checked. docs/online_messages.md, "Terminal to its city's host".
#include <expected>
#include <string>
#include <vector>

#include "protocol/batch.hpp"

namespace terminal {

struct Receipt {
    std::uint32_t sequence = 0;
    std::uint32_t records = 0;
    protocol::Digest digest{};
};
constexpr std::size_t unresolved_count_max = 100'000;

/// Each names what is wrong with the text: "not JSON", "sequence missing".
template <class T>
using Answer = std::expected<T, std::string>;
[[nodiscard]] Answer<Receipt> parse_receipt(std::string_view body);
/// Whether a result file is complete.
[[nodiscard]] Answer<bool> parse_result(std::string_view body);
/// A list of records in hex, or an object whose `records` is that list.
[[nodiscard]] Answer<std::vector<protocol::BatchRecord>> parse_unresolved(std::string_view body);
/// "name: detail" of a refusal; the body's beginning when it is no refusal of ours.
[[nodiscard]] std::string refusal_text(unsigned status, std::string_view body);

}  // namespace terminal
