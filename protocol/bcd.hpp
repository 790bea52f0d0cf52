#pragma once
// Packed decimal, two digits a byte, most significant first.
#include "protocol/bytes.hpp"

namespace protocol {

[[nodiscard]] constexpr bool is_bcd(std::uint8_t byte) {
    return (byte >> 4) <= 9 && (byte & 0x0F) <= 9;
}
[[nodiscard]] constexpr bool is_bcd(Bytes bytes) {
    return std::ranges::all_of(bytes, [](std::uint8_t byte) { return is_bcd(byte); });
}
[[nodiscard]] constexpr std::uint8_t to_bcd(unsigned two_digits) {
    return static_cast<std::uint8_t>((two_digits / 10 % 10) << 4 | two_digits % 10);
}
/// The value of one BCD byte; the caller has checked it.
[[nodiscard]] constexpr unsigned from_bcd(std::uint8_t byte) {
    return (byte >> 4) * 10U + (byte & 0x0F);
}

/// The value of up to 19 digits.
[[nodiscard]] constexpr Parsed<std::uint64_t> read_bcd(Bytes bytes) {
    if (bytes.size() > 9) return refuse(ParseError::too_large);
    if (!is_bcd(bytes)) return refuse(ParseError::not_bcd);
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = value * 100 + from_bcd(byte);
    return value;
}
/// The low digits of `value`, as many as `out` holds; leading zeros.
constexpr void write_bcd(MutableBytes out, std::uint64_t value) {
    for (std::size_t i = out.size(); i > 0; --i) {
        out[i - 1] = to_bcd(static_cast<unsigned>(value % 100));
        value /= 100;
    }
}

}  // namespace protocol
