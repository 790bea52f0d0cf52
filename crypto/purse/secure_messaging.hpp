#pragma once
// Secure messaging of the purse's management commands (CLA low nibble 4), and authentication by
// challenge. domain.md 1.9; docs/algorithms.md, 5 and 6.
#include "crypto/purse/keys.hpp"

namespace crypto::purse {

/// What GET CHALLENGE answered, four or eight bytes. Used once.
class Challenge {
public:
    explicit constexpr Challenge(const std::array<std::uint8_t, 4>& four) {
        std::ranges::copy(four, bytes_.begin());
    }
    explicit constexpr Challenge(const std::array<std::uint8_t, 8>& eight) : bytes_{eight} {}
    /// Eight bytes: four random and four zero, or all eight random.
    [[nodiscard]] constexpr const std::array<std::uint8_t, 8>& bytes() const { return bytes_; }

private:
    std::array<std::uint8_t, 8> bytes_{};
};

/// CLA INS P1 P2 Lc as sent: Lc counts the four MAC bytes.
using CommandHeader = std::array<std::uint8_t, 5>;

/// MAC of one command. Its starting value is the challenge, filled with zeros to the cipher's
/// block. 3DES: algorithm 3; SM4: algorithm 1. Padding method 2; the left four bytes. `data` is the
/// command's data before the MAC, already enciphered if the command enciphers.
[[nodiscard]] Mac secure_messaging_mac(const PurseKey& key, const Challenge& challenge,
                                       const CommandHeader& header, Bytes data);

enum class SecureMessagingError : std::uint8_t {
    plain_too_long,    ///< more plaintext than a length byte, or than the caller's buffer, can hold
    not_whole_blocks,  ///< ciphertext that is empty or not a multiple of the block
    wrong_length,      ///< the length byte does not match the number of blocks
    wrong_padding,     ///< not 80 00 .. after the plaintext: a wrong key, or an altered message
};
[[nodiscard]] constexpr const char* name(SecureMessagingError error) {
    switch (error) {
        case SecureMessagingError::plain_too_long: return "plain_too_long";
        case SecureMessagingError::not_whole_blocks: return "not_whole_blocks";
        case SecureMessagingError::wrong_length: return "wrong_length";
        case SecureMessagingError::wrong_padding: return "wrong_padding";
    }
    return "unknown";
}

/// Enciphers len1 | plain | 80 00.. (no 80 when already aligned), block by block (ECB), into `out`.
/// Answers how many bytes of `out` it filled. `out` and `plain` do not overlap.
[[nodiscard]] std::expected<std::size_t, SecureMessagingError> encipher(const PurseKey& key,
                                                                        Bytes plain,
                                                                        MutableBytes out);
/// Deciphers in place; the answer is the plaintext's place inside `data`, which the caller wipes.
/// A refusal leaves `data` wiped. Call only after the MAC was found right.
[[nodiscard]] std::expected<Bytes, SecureMessagingError> decipher(const PurseKey& key,
                                                                  MutableBytes data);

using AuthenticationData = std::array<std::uint8_t, 8>;
/// EXTERNAL AUTHENTICATE of the card's challenge, INTERNAL AUTHENTICATE of the terminal's: the same
/// sum. 3DES: E(challenge). SM4: left half XOR right half of E(challenge | 00 x 8).
/// domain.md 1.9, 1.13.
[[nodiscard]] AuthenticationData authentication_cryptogram(const PurseKey& key,
                                                           const Challenge& challenge);

}  // namespace crypto::purse
