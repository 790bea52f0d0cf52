#include "crypto/purse/secure_messaging.hpp"

#include "crypto/core/mac.hpp"
#include "crypto/core/modes.hpp"

namespace crypto::purse {
namespace {

using Refusal = std::unexpected<SecureMessagingError>;

Cipher cipher_of(const PurseKey& key) {
    return key.suite == Suite::triple_des ? Cipher::triple_des : Cipher::sm4;
}

/// The length byte's place and the padding agree, or why not. docs/algorithms.md, 5.
std::expected<Bytes, SecureMessagingError> find_plain(Bytes padded, std::size_t block) {
    const std::size_t length = padded[0];
    const std::size_t used = 1 + length;
    if (used > padded.size() || padded.size() - used >= block) {
        return Refusal{SecureMessagingError::wrong_length};
    }
    const Bytes padding = padded.subspan(used);
    for (std::size_t i = 0; i < padding.size(); ++i) {
        if (padding[i] != (i == 0 ? 0x80 : 0x00)) {
            return Refusal{SecureMessagingError::wrong_padding};
        }
    }
    return padded.subspan(1, length);
}

}  // namespace

Mac secure_messaging_mac(const PurseKey& key, const Challenge& challenge,
                         const CommandHeader& header, Bytes data) {
    const std::array<Bytes, 2> message{header, data};
    if (key.suite == Suite::triple_des) {
        return retail_mac(Cipher::des, key.value.bytes(), message, Padding::method_2,
                          challenge.bytes())
            .first<4>();
    }
    std::array<std::uint8_t, sm4_block_size> iv{};
    std::ranges::copy(challenge.bytes(), iv.begin());
    return cbc_mac(Cipher::sm4, key.value.bytes(), message, Padding::method_2, iv).first<4>();
}

std::expected<std::size_t, SecureMessagingError> encipher(const PurseKey& key, Bytes plain,
                                                          MutableBytes out) {
    const BlockEncryptor encryptor{cipher_of(key), key.value.bytes()};
    const std::size_t block = encryptor.block_size();
    const std::size_t size = (1 + plain.size() + block - 1) / block * block;
    if (plain.size() > 255 || size > out.size()) {
        return Refusal{SecureMessagingError::plain_too_long};
    }
    protocol::ByteWriter writer{out.first(size)};
    writer.put_u8(static_cast<std::uint8_t>(plain.size())).put(plain);
    if (writer.size() < size) writer.put_u8(0x80).fill(size - writer.size());
    if (!ecb_encrypt(encryptor, out.first(size))) __builtin_trap();  // `size` is whole blocks
    return size;
}

std::expected<Bytes, SecureMessagingError> decipher(const PurseKey& key, MutableBytes data) {
    const BlockDecryptor decryptor{cipher_of(key), key.value.bytes()};
    if (data.empty() || !ecb_decrypt(decryptor, data)) {
        wipe(data);
        return Refusal{SecureMessagingError::not_whole_blocks};
    }
    auto plain = find_plain(data, decryptor.block_size());
    if (!plain) wipe(data);
    return plain;
}

AuthenticationData authentication_cryptogram(const PurseKey& key, const Challenge& challenge) {
    std::array<std::uint8_t, block_size_max> block{};
    std::ranges::copy(challenge.bytes(), block.begin());
    const BlockEncryptor encryptor{cipher_of(key), key.value.bytes()};
    encryptor.encrypt(MutableBytes{block}.first(encryptor.block_size()));
    AuthenticationData out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = block[i];
        if (key.suite == Suite::sm4) out[i] ^= block[i + 8];
    }
    wipe(block);
    return out;
}

}  // namespace crypto::purse
