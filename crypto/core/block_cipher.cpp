#include "crypto/core/block_cipher.hpp"

#include <memory>
#include <utility>

namespace crypto {
namespace {

// What only our own bug can produce: a wrong size that no caller checked, or mbedTLS failing where
// it cannot.
void require(bool holds) {
    if (!holds) __builtin_trap();
}

#ifdef MBEDTLS_AES_C
constexpr bool has_aes = true;
#else
constexpr bool has_aes = false;  // a card's mbedTLS: nothing on it speaks AES
#endif

constexpr std::size_t des_key_size = 8;
constexpr std::size_t des_round_words = 32;  // two for each of sixteen rounds

/// One DES key's rounds; deciphering takes the same ones from the last to the first. FIPS 46-3.
void set_des_rounds(std::uint32_t* rounds, Bytes key, bool encrypting) {
    mbedtls_des_setkey(rounds, key.data());
    if (encrypting) return;
    for (std::size_t i = 0; i < des_round_words / 2; i += 2) {
        std::swap(rounds[i], rounds[des_round_words - 2 - i]);
        std::swap(rounds[i + 1], rounds[des_round_words - 1 - i]);
    }
}

/// ISO/IEC 18033-3:2010, 4.2: E(k1) D(k2) E(k3), or all of it backwards; with two keys k3 is k1.
/// mbedTLS's own function makes both directions, with 384 bytes of stack for the one not wanted.
void set_des3_key(mbedtls_des3_context& context, Bytes key, bool encrypting) {
    const Bytes k1 = key.first(des_key_size);
    const Bytes k2 = key.subspan(des_key_size, des_key_size);
    const Bytes k3 = key.size() == 3 * des_key_size ? key.last(des_key_size) : k1;
    set_des_rounds(context.sk, encrypting ? k1 : k3, encrypting);
    set_des_rounds(context.sk + des_round_words, k2, !encrypting);
    set_des_rounds(context.sk + 2 * des_round_words, encrypting ? k3 : k1, encrypting);
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
            if constexpr (has_aes) {
                mbedtls_aes_init(&schedule_.aes);
                const auto set = encrypting ? mbedtls_aes_setkey_enc : mbedtls_aes_setkey_dec;
                require(set(&schedule_.aes, key.data(), static_cast<unsigned>(key.size() * 8)) ==
                        0);
                return;
            }
            break;
    }
    require(false);
}

BlockSchedule::~BlockSchedule() {
    switch (cipher_) {  // each of them wipes
        case Cipher::des: mbedtls_des_free(&schedule_.des); return;
        case Cipher::triple_des: mbedtls_des3_free(&schedule_.triple_des); return;
        case Cipher::sm4: std::destroy_at(&schedule_.sm4); return;
        case Cipher::aes:
            if constexpr (has_aes) mbedtls_aes_free(&schedule_.aes);
            return;
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
            if constexpr (has_aes) require(mbedtls_aes_crypt_ecb(&aes, mode, at, at) == 0);
            return;
        }
    }
}

}  // namespace crypto
