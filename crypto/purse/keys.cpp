#include "crypto/purse/keys.hpp"

#include "crypto/core/mac.hpp"

namespace crypto::purse {
namespace {

constexpr Cipher cipher_of(Suite suite) {
    return suite == Suite::triple_des ? Cipher::triple_des : Cipher::sm4;
}

/// The installed base's single-length key: left half XOR right half. domain.md 1.3 (TAC), 1.1
/// (RELOAD PIN).
SecretBytes<8> fold(const SecretBytes<key_size>& key) {
    SecretBytes<8> out;
    for (std::size_t i = 0; i < 8; ++i) out.bytes()[i] = key.bytes()[i] ^ key.bytes()[i + 8];
    return out;
}

/// domain.md 1.4: algorithm 1, padding method 2, starting value zero, the left four bytes.
Mac short_mac(Cipher cipher, Bytes key, Bytes input) {
    return cbc_mac(cipher, key, input, Padding::method_2).first<4>();
}

Mac mac_under_card_key(const PurseKey& key, Bytes input) {
    if (key.suite == Suite::triple_des) {
        return short_mac(Cipher::des, fold(key.value).bytes(), input);
    }
    return short_mac(Cipher::sm4, key.value.bytes(), input);  // docs/algorithms.md, 4
}

}  // namespace

PurseKey diversify(const PurseKey& parent, const Factor& factor) {  // docs/algorithms.md, 2
    PurseKey child;
    child.suite = parent.suite;
    const auto bytes = child.value.bytes();
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = factor.value()[i];
        bytes[i + 8] = static_cast<std::uint8_t>(~factor.value()[i]);
    }
    const BlockEncryptor encryptor{cipher_of(parent.suite), parent.value.bytes()};
    const std::size_t size = encryptor.block_size();  // 3DES: two blocks; SM4: one
    for (std::size_t at = 0; at < bytes.size(); at += size) {
        encryptor.encrypt(bytes.subspan(at, size));
    }
    return child;
}

PurseKey diversify(const PurseKey& master, const protocol::IssuerId& issuer,
                   const protocol::CardNumber& card) {
    return diversify(diversify(master, factor_of(issuer)), factor_of(card));
}

// docs/algorithms.md, 3. The SM4 block is the 3DES block followed by 80 00 x 7.
ProcessKey::ProcessKey(const PurseKey& key, const std::array<std::uint8_t, 8>& input)
    : suite_{key.suite} {
    const auto bytes = value_.bytes();
    std::ranges::copy(input, bytes.begin());
    if (suite_ == Suite::sm4) bytes[8] = 0x80;
    const BlockEncryptor encryptor{cipher_of(suite_), key.value.bytes()};
    encryptor.encrypt(bytes.first(encryptor.block_size()));
}

ProcessKey online_process_key(const PurseKey& key, const protocol::CardRandom& random,
                              protocol::OnlineCounter counter) {
    std::array<std::uint8_t, 8> input{};  // rand4 onlineSeq2 80 00
    protocol::ByteWriter{input}.put(random).put_u16(counter.value()).put_u16(0x8000);
    return ProcessKey{key, input};
}

ProcessKey offline_process_key(const PurseKey& key, const protocol::CardRandom& random,
                               protocol::OfflineCounter counter,
                               protocol::TerminalSequence sequence) {
    std::array<std::uint8_t, 8> input{};  // rand4 offlineSeq2 termSeq's low two bytes
    const auto low = static_cast<std::uint16_t>(sequence.value());
    protocol::ByteWriter{input}.put(random).put_u16(counter.value()).put_u16(low);
    return ProcessKey{key, input};
}

Mac purse_mac(const ProcessKey& key, Bytes input) {
    return short_mac(key.suite() == Suite::triple_des ? Cipher::des : Cipher::sm4, key.bytes(),
                     input);
}

Mac tac(const PurseKey& transaction_key, Bytes input) {
    return mac_under_card_key(transaction_key, input);
}
Mac reload_pin_mac(const PurseKey& reload_key, Bytes pin) {
    return mac_under_card_key(reload_key, pin);
}

}  // namespace crypto::purse
