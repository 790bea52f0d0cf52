#pragma once
// Modes of operation, in place, without padding. ISO/IEC 10116:2017: ECB (6), CBC (7), CTR (10).
#include "crypto/core/block_cipher.hpp"

namespace crypto {

enum class ModeError : std::uint8_t {
    not_whole_blocks,  ///< the data's size is not a multiple of the cipher's block
    wrong_iv_size,     ///< the starting value is not one block
};
[[nodiscard]] constexpr const char* name(ModeError error) {
    switch (error) {
        case ModeError::not_whole_blocks: return "not_whole_blocks";
        case ModeError::wrong_iv_size: return "wrong_iv_size";
    }
    return "unknown";
}
using ModeResult = std::expected<void, ModeError>;

/// Nothing is changed when the call refuses.
[[nodiscard]] ModeResult ecb_encrypt(const BlockEncryptor& cipher, MutableBytes data);
[[nodiscard]] ModeResult ecb_decrypt(const BlockDecryptor& cipher, MutableBytes data);
[[nodiscard]] ModeResult cbc_encrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data);
[[nodiscard]] ModeResult cbc_decrypt(const BlockDecryptor& cipher, Bytes iv, MutableBytes data);
/// Both directions. `counter` is the first counter block, big-endian over the whole block; any data
/// size.
[[nodiscard]] ModeResult ctr_crypt(const BlockEncryptor& cipher, Bytes counter, MutableBytes data);

}  // namespace crypto
