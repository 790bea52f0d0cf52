#pragma once
// What a log or a screen may show, and hex for people.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/bytes.hpp"
#include "protocol/ids.hpp"

namespace platform {

/// First six and last four of the nineteen printed digits: "310482*********0017".
[[nodiscard]] std::string mask(const protocol::CardNumber& card);

/// Upper-case hex, no separators.
[[nodiscard]] std::string to_hex(protocol::Bytes bytes);
/// Both cases, even count of digits, nothing else; nothing on any other text.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(std::string_view text);
/// Exactly `size` bytes.
template <std::size_t size>
[[nodiscard]] std::optional<std::array<std::uint8_t, size>> from_hex(std::string_view text) {
    const auto bytes = from_hex(text);
    if (!bytes || bytes->size() != size) return std::nullopt;
    std::array<std::uint8_t, size> out{};
    std::ranges::copy(*bytes, out.begin());
    return out;
}

}  // namespace platform
