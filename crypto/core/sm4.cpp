#include "crypto/core/sm4.hpp"

#include <bit>

#include "crypto/core/sm4_sbox.hpp"

namespace crypto {
namespace {

using Words = std::array<std::uint32_t, 4>;

// One copy of the circuit: it is the larger part of SM4 on a card.
[[gnu::noinline]] std::uint32_t tau(std::uint32_t word) {
    return sm4_circuit::substitute(word);
}

std::uint32_t linear(std::uint32_t b) {  // L, 6.2.2
    return b ^ std::rotl(b, 2) ^ std::rotl(b, 10) ^ std::rotl(b, 18) ^ std::rotl(b, 24);
}
std::uint32_t linear_key(std::uint32_t b) {  // L', 7.3
    return b ^ std::rotl(b, 13) ^ std::rotl(b, 23);
}

Words read_words(std::span<const std::uint8_t, sm4_block_size> bytes) {
    Words words{};
    for (std::size_t i = 0; i < bytes.size(); ++i) words[i / 4] = words[i / 4] << 8 | bytes[i];
    return words;
}
void write_reversed(const Words& words, std::span<std::uint8_t, sm4_block_size> out) {  // R, 7.1
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(words[3 - i / 4] >> (24 - 8 * (i % 4)));
    }
}

constexpr Words family_key{0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};  // FK, 7.3

std::uint32_t fixed_key(std::uint32_t round) {  // CK, 7.3: byte j of CK_i is (4i + j) * 7 mod 256
    std::uint32_t word = 0;
    for (std::uint32_t j = 0; j < 4; ++j) word = word << 8 | ((4 * round + j) * 7 & 0xFF);
    return word;
}

}  // namespace

Sm4Key::Sm4Key(std::span<const std::uint8_t, sm4_key_size> key) : round_keys_{} {
    Words k = read_words(key);
    for (std::size_t i = 0; i < 4; ++i) k[i] ^= family_key[i];
    for (std::uint32_t round = 0; round < 32; ++round) {
        const std::uint32_t next = k[0] ^ linear_key(tau(k[1] ^ k[2] ^ k[3] ^ fixed_key(round)));
        round_keys_[round] = next;
        k = {k[1], k[2], k[3], next};
    }
    wipe_object(k);
}

Sm4Key::~Sm4Key() {
    wipe_object(round_keys_);
}

void Sm4Key::encrypt_block(std::span<const std::uint8_t, sm4_block_size> in,
                           std::span<std::uint8_t, sm4_block_size> out) const {
    Words x = read_words(in);
    for (const std::uint32_t round_key : round_keys_) {  // F, 6.1
        x = {x[1], x[2], x[3], x[0] ^ linear(tau(x[1] ^ x[2] ^ x[3] ^ round_key))};
    }
    write_reversed(x, out);
    wipe_object(x);
}

void Sm4Key::decrypt_block(std::span<const std::uint8_t, sm4_block_size> in,
                           std::span<std::uint8_t, sm4_block_size> out) const {
    Words x = read_words(in);
    for (std::size_t round = round_keys_.size(); round > 0; --round) {  // 7.2: keys in reverse
        x = {x[1], x[2], x[3], x[0] ^ linear(tau(x[1] ^ x[2] ^ x[3] ^ round_keys_[round - 1]))};
    }
    write_reversed(x, out);
    wipe_object(x);
}

}  // namespace crypto
