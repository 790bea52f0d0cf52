#pragma once
// SM4, GB/T 32907-2016 (ISO/IEC 18033-3:2010/Amd 1:2021). Portable, small, constant time.
//
// No table: the S-box is a circuit (crypto/core/sm4_sbox.hpp). The four bytes that enter a round
// lie in one 32-bit word, so bit i of all four is that word shifted right by i: slicing and
// unslicing cost eight operations each way, and the circuit runs once per round for the four
// S-boxes together. The same code serves a Cortex-M3 and a host; many cards at once are the
// business of crypto/batch.
#include "crypto/core/secret.hpp"

namespace crypto {

constexpr std::size_t sm4_block_size = 16;
constexpr std::size_t sm4_key_size = 16;

/// An expanded key, both directions; wiped when it goes.
class Sm4Key {
public:
    explicit Sm4Key(std::span<const std::uint8_t, sm4_key_size> key);
    Sm4Key(const Sm4Key&) = delete;
    Sm4Key& operator=(const Sm4Key&) = delete;
    ~Sm4Key();

    /// `in` and `out` may be the same block.
    void encrypt_block(std::span<const std::uint8_t, sm4_block_size> in,
                       std::span<std::uint8_t, sm4_block_size> out) const;
    void decrypt_block(std::span<const std::uint8_t, sm4_block_size> in,
                       std::span<std::uint8_t, sm4_block_size> out) const;

private:
    std::array<std::uint32_t, 32> round_keys_;
};

}  // namespace crypto
