#pragma once
#include "protocol/bytes.hpp"

namespace protocol {

/// CRC-32 of ISO/IEC 13239 (reflected 04C11DB7, initial and final FFFFFFFF), as in file 1A. Detects
/// accidents, not attackers.
[[nodiscard]] constexpr std::uint32_t crc32(Bytes bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const std::uint8_t byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320U : 0U);
    }
    return ~crc;
}
static_assert(crc32(std::array<std::uint8_t, 9>{'1', '2', '3', '4', '5', '6', '7', '8', '9'}) ==
              0xCBF43926);

}  // namespace protocol
