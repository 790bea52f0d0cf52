#pragma once
// OFB and CFB, in place, any data size: ISO/IEC 10116:2017, 8 (CFB with the whole block fed back)
// and 9. No protocol of ours uses them; the calculator shows them.
#include "crypto/core/modes.hpp"

namespace crypto {

/// Both directions.
[[nodiscard]] ModeResult ofb_crypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data);
[[nodiscard]] ModeResult cfb_encrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data);
[[nodiscard]] ModeResult cfb_decrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data);

}  // namespace crypto
