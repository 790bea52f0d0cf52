#pragma once
// Authenticated encryption with any cipher of 16-byte blocks, in place: GCM (NIST SP 800-38D;
// ISO/IEC 19772:2020, 10) and CCM (NIST SP 800-38C; RFC 3610). With SM4: RFC 8998. No table is
// indexed by a secret; speed is not the point here. A key and nonce may be used once.
#include "crypto/core/modes.hpp"

namespace crypto {

constexpr std::size_t aead_tag_size = 16;
constexpr std::size_t ccm_nonce_size_min = 7;
constexpr std::size_t ccm_nonce_size_max = 13;
using AeadTag = std::array<std::uint8_t, aead_tag_size>;

enum class AeadError : std::uint8_t {
    wrong_block_size,  ///< DES, 3DES: neither mode is defined for 8-byte blocks
    wrong_nonce_size,  ///< GCM: empty; CCM: not 7..13 bytes
    data_too_long,     ///< CCM: more than its length field can say; additional data above 65279
    tag_mismatch,      ///< another key or nonce, or altered: `data` is all zero
};
[[nodiscard]] constexpr const char* name(AeadError error) {
    switch (error) {
        case AeadError::wrong_block_size: return "wrong_block_size";
        case AeadError::wrong_nonce_size: return "wrong_nonce_size";
        case AeadError::data_too_long: return "data_too_long";
        case AeadError::tag_mismatch: return "tag_mismatch";
    }
    return "unknown";
}
using AeadResult = std::expected<AeadTag, AeadError>;
using AeadOpened = std::expected<void, AeadError>;

[[nodiscard]] AeadResult gcm_encrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                                     MutableBytes data);
/// `tag` has 16 bytes; a shorter one is a mismatch.
[[nodiscard]] AeadOpened gcm_decrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                                     MutableBytes data, Bytes tag);
[[nodiscard]] AeadResult ccm_encrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                                     MutableBytes data);
[[nodiscard]] AeadOpened ccm_decrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                                     MutableBytes data, Bytes tag);

}  // namespace crypto
