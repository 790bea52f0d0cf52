#pragma once
// XTS, in place, of ciphers with 16-byte blocks: IEEE Std 1619-2018, 5, and GB/T 17964-2021's,
// whose field has its bits the other way round. No protocol of ours uses it; the calculator shows
// it.
#include "crypto/core/block_cipher.hpp"

namespace crypto {

enum class XtsStandard : std::uint8_t { ieee, gb };
enum class XtsError : std::uint8_t {
    wrong_block_size,  ///< DES, 3DES
    wrong_iv_size,     ///< not 16 bytes
    data_too_short,    ///< below one block
};
[[nodiscard]] constexpr const char* name(XtsError error) {
    switch (error) {
        case XtsError::wrong_block_size: return "wrong_block_size";
        case XtsError::wrong_iv_size: return "wrong_iv_size";
        case XtsError::data_too_short: return "data_too_short";
    }
    return "unknown";
}
using XtsResult = std::expected<void, XtsError>;

/// `tweak` has the second half of the key. A part block at the end steals from the one before it.
[[nodiscard]] XtsResult xts_encrypt(XtsStandard standard, const BlockEncryptor& cipher,
                                    const BlockEncryptor& tweak, Bytes iv, MutableBytes data);
[[nodiscard]] XtsResult xts_decrypt(XtsStandard standard, const BlockDecryptor& cipher,
                                    const BlockEncryptor& tweak, Bytes iv, MutableBytes data);

}  // namespace crypto
