#include "tests/firmware/glitch/thumb.hpp"

namespace tests::glitch::thumb {
namespace {

/// The lowest `bits` bits as a signed number.
[[nodiscard]] constexpr std::uint32_t extend(std::uint32_t value, unsigned bits) {
    const std::uint32_t sign = std::uint32_t{1} << (bits - 1);
    return (value ^ sign) - sign;
}

constexpr unsigned always = 14;  // A7.3; above it stand other instructions

}  // namespace

std::optional<Branch> branch_at(const std::vector<std::uint8_t>& code, std::uint32_t at,
                                Flags flags, const std::uint32_t* registers) {
    const std::uint16_t first = half(code, at);
    const std::uint32_t pc = at + 4;
    if ((first & 0xF000) == 0xD000) {  // T1
        const unsigned condition = first >> 8 & 0x0F;
        if (condition >= always) return std::nullopt;
        return Branch{pc + extend(std::uint32_t{first & 0xFFU} << 1, 9), flags.passes(condition)};
    }
    if ((first & 0xF500) == 0xB100) {  // CBZ; bit 11: CBNZ
        const std::uint32_t offset = (first >> 3 & 0x40U) | (first >> 2 & 0x3EU);
        const bool is_zero = registers[first & 0x07] == 0;
        return Branch{pc + offset, is_zero != ((first & 0x0800) != 0)};
    }
    if ((first & 0xF800) != 0xF000) return std::nullopt;
    const std::uint16_t second = half(code, at + 2);
    const unsigned condition = first >> 6 & 0x0F;
    if ((second & 0xD000) != 0x8000 || condition >= always) return std::nullopt;
    const std::uint32_t offset =
        std::uint32_t{first & 0x0400U} << 10 |  // S, J2, J1
        std::uint32_t{second & 0x0800U} << 8 | std::uint32_t{second & 0x2000U} << 5 |
        std::uint32_t{first & 0x003FU} << 12 | std::uint32_t{second & 0x07FFU} << 1;
    return Branch{pc + extend(offset, 21), flags.passes(condition)};
}

}  // namespace tests::glitch::thumb
