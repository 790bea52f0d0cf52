#include "crypto/purse/emv.hpp"

namespace crypto::emv {
namespace {

using purse::Suite;

constexpr Cipher cipher_of(const PurseKey& key) {
    return key.suite == Suite::triple_des ? Cipher::triple_des : Cipher::sm4;
}

using Input = std::array<std::uint8_t, purse::key_size>;

/// 00 x 6 | ATC | 00 x 6 | not ATC.
Input counter_input(TransactionCounter counter) {
    Input input{};
    protocol::ByteWriter{input}
        .fill(6)
        .put_u16(counter.value())
        .fill(6)
        .put_u16(static_cast<std::uint16_t>(~counter.value()));
    return input;
}

/// The input enciphered block by block: two blocks of 3DES, one of SM4.
PurseKey enciphered(const PurseKey& key, const Input& input) {
    PurseKey out{key.suite, input};
    const BlockEncryptor encryptor{cipher_of(key), key.value.bytes()};
    const std::size_t size = encryptor.block_size();
    const MutableBytes bytes = out.value.bytes();
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        encryptor.encrypt(bytes.subspan(at, size));
    }
    return out;
}

MacBlock mac(const PurseKey& key, Pieces message, Padding padding) {
    return key.suite == Suite::triple_des
               ? retail_mac(Cipher::des, key.value.bytes(), message, padding)
               : cbc_mac(Cipher::sm4, key.value.bytes(), message, padding);
}

}  // namespace

PurseKey pboc_session_key(const PurseKey& card_key, TransactionCounter counter) {
    return enciphered(card_key, counter_input(counter));
}

PurseKey common_session_key(const PurseKey& card_key, const std::array<std::uint8_t, 8>& r) {
    if (card_key.suite != Suite::triple_des) __builtin_trap();  // not defined for SM4
    Input input{};
    protocol::ByteWriter{input}.put(r).put(r);
    input[2] = 0xF0;
    input[10] = 0x0F;
    return enciphered(card_key, input);
}

PurseKey common_session_key(const PurseKey& card_key, TransactionCounter counter) {
    std::array<std::uint8_t, 8> r{};
    protocol::ByteWriter{r}.put_u16(counter.value());
    return common_session_key(card_key, r);
}

PurseKey visa_script_key(const PurseKey& card_key, TransactionCounter counter) {
    PurseKey out = card_key.duplicate();
    const Input input = counter_input(counter);
    for (std::size_t i = 0; i < input.size(); ++i) out.value.bytes()[i] ^= input[i];
    return out;
}

Cryptogram application_cryptogram(const PurseKey& key, Bytes data, Padding padding) {
    return mac(key, Pieces{&data, 1}, padding).first<8>();
}

Cryptogram response_cryptogram(const PurseKey& key, const Cryptogram& ac,
                               const std::array<std::uint8_t, 2>& response_code) {
    std::array<std::uint8_t, block_size_max> block{};
    std::ranges::copy(ac, block.begin());
    block[0] ^= response_code[0];
    block[1] ^= response_code[1];
    const BlockEncryptor encryptor{cipher_of(key), key.value.bytes()};
    encryptor.encrypt(MutableBytes{block}.first(encryptor.block_size()));
    Cryptogram out{};
    std::copy_n(block.begin(), out.size(), out.begin());
    return out;
}

std::array<std::uint8_t, 4> response_mac(const PurseKey& key, const Cryptogram& ac,
                                         const std::array<std::uint8_t, 4>& status_update,
                                         Bytes proprietary) {
    const std::array<Bytes, 3> pieces{ac, status_update, proprietary};
    return mac(key, pieces, Padding::method_2).first<4>();
}

}  // namespace crypto::emv
