#pragma once
// Command and response APDUs. ISO/IEC 7816-3:2006, 12.1.3 (cases 1-4, short and extended), 12.1.4.
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/status_word.hpp"

namespace protocol {

constexpr std::size_t short_command_size_max = 5 + 255 + 1;  // header, Lc, data, Le
constexpr std::size_t short_response_size_max = 256 + 2;

/// A well-formed command. `parse` is the only way in, so code behind it never checks a length
/// again. The data refers to the caller's bytes.
class CommandApdu {
public:
    [[nodiscard]] static constexpr Parsed<CommandApdu> parse(Bytes raw) {
        ByteReader in{raw};
        ONECARD_TRY(header, in.take_array<4>());
        if (in.empty()) return CommandApdu{header, {}, std::nullopt, false};  // case 1
        ONECARD_TRY(first, in.take_u8());
        if (first != 0 || in.empty()) return parse_short(header, first, in);
        return parse_extended(header, in);
    }

    [[nodiscard]] constexpr std::uint8_t cla() const { return header_[0]; }
    [[nodiscard]] constexpr std::uint8_t ins() const { return header_[1]; }
    [[nodiscard]] constexpr std::uint8_t p1() const { return header_[2]; }
    [[nodiscard]] constexpr std::uint8_t p2() const { return header_[3]; }
    [[nodiscard]] constexpr const std::array<std::uint8_t, 4>& header() const { return header_; }
    [[nodiscard]] constexpr Bytes data() const { return data_; }
    /// How many bytes the sender accepts: 1..65536; empty in cases 1 and 3.
    [[nodiscard]] constexpr std::optional<std::uint32_t> le() const { return le_; }
    [[nodiscard]] constexpr bool is_extended() const { return extended_; }

private:
    constexpr CommandApdu(std::array<std::uint8_t, 4> header, Bytes data,
                          std::optional<std::uint32_t> le, bool extended)
        : header_{header}, data_{data}, le_{le}, extended_{extended} {}

    [[nodiscard]] static constexpr Parsed<CommandApdu> parse_short(
        const std::array<std::uint8_t, 4>& header, std::uint8_t first, ByteReader in) {
        if (in.empty()) return CommandApdu{header, {}, first == 0 ? 256U : first, false};  // case 2
        ONECARD_TRY(data, in.take(first));
        if (in.empty()) return CommandApdu{header, data, std::nullopt, false};  // case 3
        ONECARD_TRY(le, in.take_u8());
        ONECARD_CHECK(in.finish());
        return CommandApdu{header, data, le == 0 ? 256U : le, false};  // case 4
    }
    [[nodiscard]] static constexpr Parsed<CommandApdu> parse_extended(
        const std::array<std::uint8_t, 4>& header, ByteReader in) {
        ONECARD_TRY(length, in.take_u16());
        if (in.empty()) return CommandApdu{header, {}, extended_le(length), true};  // case 2
        if (length == 0) return refuse(ParseError::wrong_length);
        ONECARD_TRY(data, in.take(length));
        if (in.empty()) return CommandApdu{header, data, std::nullopt, true};  // case 3
        ONECARD_TRY(le, in.take_u16());
        ONECARD_CHECK(in.finish());
        return CommandApdu{header, data, extended_le(le), true};  // case 4
    }
    [[nodiscard]] static constexpr std::uint32_t extended_le(std::uint16_t le) {
        return le == 0 ? 65536U : le;
    }

    std::array<std::uint8_t, 4> header_;
    Bytes data_;
    std::optional<std::uint32_t> le_;
    bool extended_;
};

/// A short command with its bytes inside.
using ShortCommand = ByteBuffer<short_command_size_max>;

/// Builds a short command. Empty data and no `le` give case 1. `le` is 1..256. The data must fit
/// 255 bytes.
[[nodiscard]] constexpr ShortCommand make_command(std::uint8_t cla, std::uint8_t ins,
                                                  std::uint8_t p1, std::uint8_t p2, Bytes data = {},
                                                  std::optional<unsigned> le = std::nullopt) {
    ShortCommand out;
    const std::array<std::uint8_t, 4> header{cla, ins, p1, p2};
    bool fits = data.size() <= 255 && out.append(header);
    if (!data.empty()) {
        const std::array<std::uint8_t, 1> lc{static_cast<std::uint8_t>(data.size())};
        fits = fits && out.append(lc) && out.append(data);
    }
    if (le) {
        const std::array<std::uint8_t, 1> byte{
            static_cast<std::uint8_t>(*le)};  // 256 is sent as 00
        fits = fits && out.append(byte);
    }
    if (!fits) __builtin_trap();  // our own bug: every caller's data is bounded by its layout
    return out;
}

/// A response: data, then SW1-SW2. The data refers to the caller's bytes.
class ResponseApdu {
public:
    [[nodiscard]] static constexpr Parsed<ResponseApdu> parse(Bytes raw) {
        if (raw.size() < 2) return refuse(ParseError::truncated);
        const Bytes data = raw.first(raw.size() - 2);
        const auto status = static_cast<std::uint16_t>(read_big_endian(raw.last<2>()));
        return ResponseApdu{data, static_cast<StatusWord>(status)};
    }
    [[nodiscard]] constexpr Bytes data() const { return data_; }
    [[nodiscard]] constexpr StatusWord status() const { return status_; }
    [[nodiscard]] constexpr bool ok() const { return status_ == StatusWord::ok; }

private:
    constexpr ResponseApdu(Bytes data, StatusWord status) : data_{data}, status_{status} {}
    Bytes data_;
    StatusWord status_;
};

}  // namespace protocol
