#include "crypto/core/mac.hpp"

namespace crypto {
namespace {

/// Chains the pieces' bytes block by block, as if they were joined. Holds back the last block,
/// because CMAC treats it differently: `last()` is between one byte and a block, or empty for an
/// empty message.
class Chain {
public:
    Chain(const BlockEncryptor& cipher, Bytes iv) : cipher_{cipher}, value_{cipher.block_size()} {
        if (!iv.empty() && iv.size() != value_.size()) __builtin_trap();  // the caller's constant
        std::ranges::copy(iv, value_.bytes().begin());
    }
    ~Chain() { wipe(last_); }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;

    void update(Bytes piece) {
        for (const std::uint8_t byte : piece) {
            if (held_ == value_.size()) absorb_last();
            last_[held_++] = byte;
        }
    }
    void absorb(Bytes block) {
        for (std::size_t i = 0; i < block.size(); ++i) value_.bytes()[i] ^= block[i];
        cipher_.encrypt(value_.bytes());
    }
    void absorb_last() {
        absorb(last());
        held_ = 0;
    }
    /// Completes the last block with the mark and zeros, and absorbs it.
    void pad(std::uint8_t mark) {
        last_[held_++] = mark;
        while (held_ < value_.size()) last_[held_++] = 0;
        absorb_last();
    }
    [[nodiscard]] Bytes last() const { return Bytes{last_}.first(held_); }
    [[nodiscard]] bool last_is_whole() const { return held_ == value_.size(); }
    [[nodiscard]] const MacBlock& value() const { return value_; }

private:
    const BlockEncryptor& cipher_;
    MacBlock value_;
    std::array<std::uint8_t, block_size_max> last_{};
    std::size_t held_ = 0;
};

/// `tail`, then the mark, then zeros.
MacBlock fill_block(std::size_t size, Bytes tail, std::uint8_t mark) {
    MacBlock block{size};
    std::ranges::copy(tail, block.bytes().begin());
    block.bytes()[tail.size()] = mark;
    return block;
}

MacBlock cbc_mac_with(const BlockEncryptor& cipher, Pieces message, Padding padding, Bytes iv) {
    Chain chain{cipher, iv};
    for (const Bytes piece : message) chain.update(piece);
    const bool is_whole = chain.last_is_whole();
    if (is_whole) chain.absorb_last();
    switch (padding) {
        case Padding::method_1:  // 6.3.2: nothing to add after a whole block
            if (!is_whole) chain.pad(0x00);
            break;
        case Padding::method_2: chain.pad(0x80); break;  // 6.3.3
    }
    return chain.value();
}

/// Doubling in GF(2^n), without a branch on the secret: 7.6.2; NIST SP 800-38B, 6.1.
void double_in_field(MutableBytes value) {
    const std::uint8_t reduction = value.size() == 16 ? 0x87 : 0x1B;
    unsigned carry = 0;
    for (std::size_t i = value.size(); i > 0; --i) {
        const unsigned shifted = static_cast<unsigned>(value[i - 1]) << 1 | carry;
        value[i - 1] = static_cast<std::uint8_t>(shifted);
        carry = shifted >> 8 & 1;
    }
    const unsigned mask = 0U - carry;
    value[value.size() - 1] ^= static_cast<std::uint8_t>(reduction & mask);
}

}  // namespace

MacBlock cbc_mac(Cipher cipher, Bytes key, Pieces message, Padding padding, Bytes iv) {
    const BlockEncryptor encryptor{cipher, key};
    return cbc_mac_with(encryptor, message, padding, iv);
}
MacBlock cbc_mac(Cipher cipher, Bytes key, Bytes message, Padding padding, Bytes iv) {
    return cbc_mac(cipher, key, Pieces{&message, 1}, padding, iv);
}

// One key schedule at a time: on a card they are the largest thing on the stack. Each of these has
// its own frame, gone when it returns.
[[gnu::noinline]] static void encrypt_once(Cipher cipher, Bytes key, MutableBytes block) {
    BlockEncryptor{cipher, key}.encrypt(block);
}
[[gnu::noinline]] static void decrypt_once(Cipher cipher, Bytes key, MutableBytes block) {
    BlockDecryptor{cipher, key}.decrypt(block);
}
MacBlock retail_mac(Cipher cipher, Bytes key_pair, Pieces message, Padding padding, Bytes iv) {
    if (key_pair.size() % 2 != 0) __builtin_trap();
    const Bytes left = key_pair.first(key_pair.size() / 2);
    const Bytes right = key_pair.last(key_pair.size() / 2);
    MacBlock value = cbc_mac(cipher, left, message, padding, iv);
    decrypt_once(cipher, right, value.bytes());  // output transformation 3, 6.6
    encrypt_once(cipher, left, value.bytes());
    return value;
}
MacBlock retail_mac(Cipher cipher, Bytes key_pair, Bytes message, Padding padding, Bytes iv) {
    return retail_mac(cipher, key_pair, Pieces{&message, 1}, padding, iv);
}

MacBlock cmac(Cipher cipher, Bytes key, Pieces message) {
    const BlockEncryptor encryptor{cipher, key};
    MacBlock subkey{encryptor.block_size()};
    encryptor.encrypt(subkey.bytes());
    double_in_field(subkey.bytes());  // K1: for a whole last block
    Chain chain{encryptor, {}};
    for (const Bytes piece : message) chain.update(piece);
    MacBlock last{encryptor.block_size()};
    if (chain.last_is_whole()) {
        std::ranges::copy(chain.last(), last.bytes().begin());
    } else {
        last = fill_block(encryptor.block_size(), chain.last(), 0x80);
        double_in_field(subkey.bytes());  // K2: for a padded one
    }
    for (std::size_t i = 0; i < last.size(); ++i) last.bytes()[i] ^= subkey.bytes()[i];
    chain.absorb(last.bytes());
    wipe(subkey.bytes());
    wipe(last.bytes());
    return chain.value();
}
MacBlock cmac(Cipher cipher, Bytes key, Bytes message) {
    return cmac(cipher, key, Pieces{&message, 1});
}

}  // namespace crypto
