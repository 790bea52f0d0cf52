#include "crypto/core/block_cipher.hpp"

#include <memory>

namespace crypto {
namespace {

// What only our own bug can produce: a wrong size that no caller checked, or mbedTLS failing where
// it cannot.
void require(bool holds) {
    if (!holds) __builtin_trap();
}

void set_des3_key(mbedtls_des3_context& context, Bytes key, bool encrypting) {
    const bool two_keys = key.size() == 16;
    const auto set = encrypting ? (two_keys ? mbedtls_des3_set2key_enc : mbedtls_des3_set3key_enc)
                                : (two_keys ? mbedtls_des3_set2key_dec : mbedtls_des3_set3key_dec);
    require(set(&context, key.data()) == 0);
}

}  // namespace

BlockSchedule::BlockSchedule(Cipher cipher, Bytes key, Direction direction) : cipher_{cipher} {
    require(key_size_fits(cipher, key.size()));
    const bool encrypting = direction == Direction::encrypt;
    switch (cipher) {
        case Cipher::des:
            mbedtls_des_init(&schedule_.des);
            require((encrypting ? mbedtls_des_setkey_enc : mbedtls_des_setkey_dec)(
                        &schedule_.des, key.data()) == 0);
            return;
        case Cipher::triple_des:
            mbedtls_des3_init(&schedule_.triple_des);
            set_des3_key(schedule_.triple_des, key, encrypting);
            return;
        case Cipher::sm4: std::construct_at(&schedule_.sm4, key.first<sm4_key_size>()); return;
        case Cipher::aes:
            mbedtls_aes_init(&schedule_.aes);
            require((encrypting ? mbedtls_aes_setkey_enc : mbedtls_aes_setkey_dec)(
                        &schedule_.aes, key.data(), static_cast<unsigned>(key.size() * 8)) == 0);
            return;
    }
    require(false);
}

BlockSchedule::~BlockSchedule() {
    switch (cipher_) {  // each of them wipes
        case Cipher::des: mbedtls_des_free(&schedule_.des); return;
        case Cipher::triple_des: mbedtls_des3_free(&schedule_.triple_des); return;
        case Cipher::sm4: std::destroy_at(&schedule_.sm4); return;
        case Cipher::aes: mbedtls_aes_free(&schedule_.aes); return;
    }
}

void BlockSchedule::apply(MutableBytes block, Direction direction) const {
    require(block.size() == block_size());
    std::uint8_t* const at = block.data();
    // mbedTLS's AES takes a context it does not change by a pointer that says it might.
    auto& aes = const_cast<mbedtls_aes_context&>(schedule_.aes);
    auto& des = const_cast<mbedtls_des_context&>(schedule_.des);
    auto& triple_des = const_cast<mbedtls_des3_context&>(schedule_.triple_des);
    switch (cipher_) {
        case Cipher::des: require(mbedtls_des_crypt_ecb(&des, at, at) == 0); return;
        case Cipher::triple_des: require(mbedtls_des3_crypt_ecb(&triple_des, at, at) == 0); return;
        case Cipher::sm4: {
            const auto sm4_block = block.first<sm4_block_size>();
            if (direction == Direction::encrypt) {
                schedule_.sm4.encrypt_block(sm4_block, sm4_block);
            } else {
                schedule_.sm4.decrypt_block(sm4_block, sm4_block);
            }
            return;
        }
        case Cipher::aes: {
            const int mode =
                direction == Direction::encrypt ? MBEDTLS_AES_ENCRYPT : MBEDTLS_AES_DECRYPT;
            require(mbedtls_aes_crypt_ecb(&aes, mode, at, at) == 0);
            return;
        }
    }
}

}  // namespace crypto
