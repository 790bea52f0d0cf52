#include "crypto/keys/check_value.hpp"

#include <utility>

namespace crypto::keys {

MacBlock check_block(CheckMethod method, Cipher cipher, Bytes key) {
    MacBlock block{block_size(cipher)};  // zeros
    switch (method) {
        case CheckMethod::legacy: BlockEncryptor{cipher, key}.encrypt(block.bytes()); return block;
        case CheckMethod::cmac: return cmac(cipher, key, std::as_const(block).bytes());
    }
    __builtin_unreachable();
}

}  // namespace crypto::keys
