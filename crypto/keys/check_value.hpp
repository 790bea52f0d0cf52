#pragma once
// Key check values, and by which method: docs/key_blocks.md, 3. ASC X9.24-1:2017, annex A.
#include "crypto/core/mac.hpp"

namespace crypto::keys {

/// The numbers are those of the key blocks' KC and KP. X9.143-2021, 6.3.6.7.
enum class CheckMethod : std::uint8_t {
    legacy = 0x00,  ///< E(key, zero block), the left three bytes
    cmac = 0x01,    ///< CMAC(key, zero block), the left five bytes
};
[[nodiscard]] constexpr const char* name(CheckMethod method) {
    return method == CheckMethod::legacy ? "legacy" : "cmac";
}
[[nodiscard]] constexpr std::size_t check_value_size(CheckMethod method) {
    return method == CheckMethod::legacy ? 3 : 5;
}

/// The whole block, whose beginning is the check value. The key's size fits the cipher.
[[nodiscard]] MacBlock check_block(CheckMethod method, Cipher cipher, Bytes key);

}  // namespace crypto::keys
