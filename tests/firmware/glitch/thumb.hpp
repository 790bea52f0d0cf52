#pragma once
// As much of the Thumb-2 instruction set as disturbing one instruction needs. ARMv7-M ARM (DDI
// 0403E), A5 to A7.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace tests::glitch::thumb {

constexpr std::uint16_t wait_for_interrupt = 0xBF30, no_operation = 0xBF00, undefined = 0xDE00;

[[nodiscard]] inline std::uint16_t half(const std::vector<std::uint8_t>& code, std::size_t at) {
    std::uint16_t out = 0;
    std::memcpy(&out, code.data() + at, sizeof out);
    return out;
}
/// 11101, 11110 and 11111 begin an instruction of four bytes. A5.1.
[[nodiscard]] constexpr bool is_wide(std::uint16_t first) {
    return (first >> 11) >= 0x1D;
}
[[nodiscard]] inline std::uint32_t size_at(const std::vector<std::uint8_t>& code, std::size_t at) {
    return is_wide(half(code, at)) ? 4 : 2;
}
/// A7.7.38: 1011 1111 firstcond mask, mask not zero.
[[nodiscard]] constexpr bool is_it(std::uint16_t first) {
    return (first & 0xFF00) == 0xBF00 && (first & 0x000F) != 0;
}

/// Flags of xPSR. B1.4.2.
struct Flags {
    bool n, z, c, v;
    explicit constexpr Flags(std::uint32_t xpsr)
        : n{(xpsr >> 31 & 1) != 0},
          z{(xpsr >> 30 & 1) != 0},
          c{(xpsr >> 29 & 1) != 0},
          v{(xpsr >> 28 & 1) != 0} {}
    /// A7.3.
    [[nodiscard]] constexpr bool passes(unsigned condition) const {
        bool result = true;
        switch (condition >> 1) {
            case 0: result = z; break;
            case 1: result = c; break;
            case 2: result = n; break;
            case 3: result = v; break;
            case 4: result = c && !z; break;
            case 5: result = n == v; break;
            case 6: result = n == v && !z; break;
            default: return true;
        }
        return (condition & 1) != 0 ? !result : result;
    }
};

/// The state of an IT block, ITSTATE of A7.3.2: the condition's upper bits, then the mask.
class ItState {
public:
    constexpr ItState() = default;
    /// After an IT instruction.
    explicit constexpr ItState(std::uint16_t instruction)
        : bits_{static_cast<std::uint8_t>(instruction)} {}
    [[nodiscard]] constexpr bool is_inside() const { return (bits_ & 0x0F) != 0; }
    [[nodiscard]] constexpr unsigned condition() const { return bits_ >> 4; }
    /// After one instruction of the block.
    [[nodiscard]] constexpr ItState advanced() const {
        ItState out;
        if ((bits_ & 0x07) != 0) {
            out.bits_ = static_cast<std::uint8_t>((bits_ & 0xE0) | (bits_ << 1 & 0x1F));
        }
        return out;
    }
    /// Every instruction of the block under the opposite condition: the condition's lowest bits
    /// stand above the mask's last one, which marks the end.
    [[nodiscard]] constexpr ItState inverted() const {
        const unsigned end = bits_ & static_cast<unsigned>(-static_cast<int>(bits_ & 0x0F));
        ItState out;
        out.bits_ = static_cast<std::uint8_t>(bits_ ^ (0x1F & ~(2 * end - 1)));
        return out;
    }
    /// Into xPSR: IT[1:0] in 26:25, IT[7:2] in 15:10. B1.4.2.
    [[nodiscard]] constexpr std::uint32_t into(std::uint32_t xpsr) const {
        constexpr std::uint32_t field = 0x0600FC00;
        return (xpsr & ~field) | std::uint32_t{bits_ & 0x03U} << 25 |
               std::uint32_t{bits_ & 0xFCU} << 8;
    }

private:
    std::uint8_t bits_ = 0;
};

/// A branch that may be taken or not.
struct Branch {
    std::uint32_t target;
    bool is_taken;
};
/// The conditional branch at `at`, if there is one: B (T1 and T3, A7.7.12), CBZ and CBNZ (A7.7.21).
[[nodiscard]] std::optional<Branch> branch_at(const std::vector<std::uint8_t>& code,
                                              std::uint32_t at, Flags flags,
                                              const std::uint32_t* registers);

}  // namespace tests::glitch::thumb
