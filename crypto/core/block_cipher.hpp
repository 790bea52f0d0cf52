#pragma once
// One façade for the block ciphers this system speaks. DES, 3DES and AES are mbedTLS 2.28's; SM4 is
// ours. No heap. A key schedule lives inside the object and is wiped with it. Two types, because
// DES and AES expand a key differently for each direction: a decryptor cannot be handed to a MAC by
// mistake. mbedTLS's DES and AES use tables: constant time only where there is no data cache, as on
// the card.
#include <mbedtls/aes.h>
#include <mbedtls/des.h>

#include "crypto/core/sm4.hpp"

namespace crypto {

enum class Cipher : std::uint8_t {
    des,  ///< FIPS 46-3: 8-byte key, parity ignored. Only inside the MACs of the installed base.
    triple_des,  ///< ISO/IEC 18033-3:2010, 4.2, EDE: 16-byte key (two keys) or 24 (three)
    sm4,         ///< GB/T 32907-2016: 16-byte key
    aes,  ///< FIPS 197: 16, 24 or 32-byte key. Not in a card's image: to make one there stops it
};

constexpr std::size_t block_size_max = 16;

[[nodiscard]] constexpr std::size_t block_size(Cipher cipher) {
    return cipher == Cipher::des || cipher == Cipher::triple_des ? 8 : 16;
}
/// Ask before making a cipher from a key whose size comes from outside.
[[nodiscard]] constexpr bool key_size_fits(Cipher cipher, std::size_t size) {
    switch (cipher) {
        case Cipher::des: return size == 8;
        case Cipher::triple_des: return size == 16 || size == 24;
        case Cipher::sm4: return size == 16;
        case Cipher::aes: return size == 16 || size == 24 || size == 32;
    }
    return false;
}

/// What both directions share: storage for one expanded key of any of the ciphers.
class BlockSchedule {
public:
    BlockSchedule(const BlockSchedule&) = delete;
    BlockSchedule& operator=(const BlockSchedule&) = delete;
    [[nodiscard]] Cipher cipher() const { return cipher_; }
    [[nodiscard]] std::size_t block_size() const { return crypto::block_size(cipher_); }

protected:
    enum class Direction : std::uint8_t { encrypt, decrypt };
    BlockSchedule(Cipher cipher, Bytes key, Direction direction);
    ~BlockSchedule();
    void apply(MutableBytes block, Direction direction) const;

private:
    union Schedule {
        Schedule() {}   // the member that fits the cipher is made in its place
        ~Schedule() {}  // and ended there
        mbedtls_des_context des;
        mbedtls_des3_context triple_des;
        mbedtls_aes_context aes;  // points into itself: the object cannot move
        Sm4Key sm4;
    };
    Cipher cipher_;
    Schedule schedule_;
};

/// Encrypts blocks in place. A key whose size does not fit stops the program: see `key_size_fits`.
class BlockEncryptor : public BlockSchedule {
public:
    BlockEncryptor(Cipher cipher, Bytes key) : BlockSchedule{cipher, key, Direction::encrypt} {}
    /// `block` is exactly one block.
    void encrypt(MutableBytes block) const { apply(block, Direction::encrypt); }
};

/// Decrypts blocks in place.
class BlockDecryptor : public BlockSchedule {
public:
    BlockDecryptor(Cipher cipher, Bytes key) : BlockSchedule{cipher, key, Direction::decrypt} {}
    void decrypt(MutableBytes block) const { apply(block, Direction::decrypt); }
};

}  // namespace crypto
