#include "crypto/core/xts.hpp"

namespace crypto {
namespace {

constexpr std::size_t block_size = 16;
using Block = std::array<std::uint8_t, block_size>;

/// IEEE 1619, 5.2: the first byte is the lowest; x^128 = x^7 + x^2 + x + 1.
void next_tweak_ieee(Block& tweak) {
    unsigned carry = 0;
    for (std::uint8_t& byte : tweak) {
        const unsigned shifted = unsigned{byte} << 1 | carry;
        byte = static_cast<std::uint8_t>(shifted);
        carry = shifted >> 8;
    }
    tweak[0] ^= static_cast<std::uint8_t>(0x87 & (0U - carry));
}

/// GB/T 17964-2021: the first bit is the lowest: as in GCM.
void next_tweak_gb(Block& tweak) {
    unsigned carry = 0;
    for (std::uint8_t& byte : tweak) {
        const unsigned low = byte & 1U;
        byte = static_cast<std::uint8_t>(byte >> 1 | carry << 7);
        carry = low;
    }
    tweak[0] ^= static_cast<std::uint8_t>(0xE1 & (0U - carry));
}

void next_tweak(XtsStandard standard, Block& tweak) {
    standard == XtsStandard::ieee ? next_tweak_ieee(tweak) : next_tweak_gb(tweak);
}

void apply(const BlockEncryptor& cipher, MutableBytes block) {
    cipher.encrypt(block);
}
void apply(const BlockDecryptor& cipher, MutableBytes block) {
    cipher.decrypt(block);
}

template <class Engine>
void crypt_block(const Engine& cipher, const Block& tweak, MutableBytes block) {
    for (std::size_t i = 0; i < block_size; ++i) block[i] ^= tweak[i];
    apply(cipher, block);
    for (std::size_t i = 0; i < block_size; ++i) block[i] ^= tweak[i];
}

/// 5.3.2, 5.4.2: with a part block behind, the last whole one goes second when encrypting and under
/// the later tweak first when decrypting.
template <class Engine>
XtsResult crypt(XtsStandard standard, const Engine& cipher, const BlockEncryptor& tweak_cipher,
                Bytes iv, MutableBytes data, bool decrypting) {
    if (cipher.block_size() != block_size || tweak_cipher.block_size() != block_size) {
        return std::unexpected{XtsError::wrong_block_size};
    }
    if (iv.size() != block_size) return std::unexpected{XtsError::wrong_iv_size};
    if (data.size() < block_size) return std::unexpected{XtsError::data_too_short};
    Block tweak{};
    std::ranges::copy(iv, tweak.begin());
    tweak_cipher.encrypt(tweak);
    const std::size_t part = data.size() % block_size;
    for (; data.size() >= 2 * block_size || (data.size() == block_size && part == 0);
         data = data.subspan(block_size)) {
        crypt_block(cipher, tweak, data.first(block_size));
        next_tweak(standard, tweak);
    }
    if (part == 0) return {};
    Block later = tweak;
    next_tweak(standard, later);
    crypt_block(cipher, decrypting ? later : tweak, data.first(block_size));
    for (std::size_t i = 0; i < part; ++i) std::swap(data[i], data[block_size + i]);
    crypt_block(cipher, decrypting ? tweak : later, data.first(block_size));
    wipe(tweak);
    wipe(later);
    return {};
}

}  // namespace

XtsResult xts_encrypt(XtsStandard standard, const BlockEncryptor& cipher,
                      const BlockEncryptor& tweak, Bytes iv, MutableBytes data) {
    return crypt(standard, cipher, tweak, iv, data, false);
}
XtsResult xts_decrypt(XtsStandard standard, const BlockDecryptor& cipher,
                      const BlockEncryptor& tweak, Bytes iv, MutableBytes data) {
    return crypt(standard, cipher, tweak, iv, data, true);
}

}  // namespace crypto
