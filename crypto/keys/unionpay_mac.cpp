#include "crypto/keys/unionpay_mac.hpp"

#include <string_view>

#include "crypto/core/block_cipher.hpp"

namespace crypto::keys {
namespace {

using Block = std::array<std::uint8_t, 8>;

std::array<std::uint8_t, 16> hex_characters(const Block& block) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::array<std::uint8_t, 16> out{};
    for (std::size_t i = 0; i < block.size(); ++i) {
        out[2 * i] = static_cast<std::uint8_t>(digits[block[i] >> 4]);
        out[2 * i + 1] = static_cast<std::uint8_t>(digits[block[i] & 0x0F]);
    }
    return out;
}

}  // namespace

std::array<std::uint8_t, 8> unionpay_mac(Bytes key, Bytes message) {
    Block sum{};
    for (std::size_t i = 0; i < message.size(); ++i) sum[i % sum.size()] ^= message[i];
    const auto characters = hex_characters(sum);
    const BlockEncryptor cipher{key.size() == 8 ? Cipher::des : Cipher::triple_des, key};
    Block value{};
    std::copy_n(characters.begin(), 8, value.begin());
    cipher.encrypt(value);
    for (std::size_t i = 0; i < value.size(); ++i) value[i] ^= characters[i + 8];
    cipher.encrypt(value);
    Block mac{};
    std::copy_n(hex_characters(value).begin(), 8, mac.begin());
    return mac;
}

}  // namespace crypto::keys
