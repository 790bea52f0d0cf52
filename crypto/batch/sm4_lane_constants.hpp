#pragma once
// SM4's constants in the lane kernels' basis (sm4_field.hpp), each byte four times over for a
// 32-bit broadcast. Data only.
#include <cstdint>

#include "crypto/batch/sm4_field.hpp"

namespace crypto::batch {

consteval std::uint32_t four_times(std::uint8_t byte) {
    return byte * 0x01010101U;
}

struct Sm4Family {
    std::uint32_t word[16];
};
/// FK, with the constant that all words of the key schedule carry. GB/T 32907-2016, 7.3 a).
consteval Sm4Family make_sm4_family() {
    constexpr std::uint32_t fk[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    Sm4Family out{};
    for (unsigned i = 0; i < 16; ++i) {
        const auto byte = static_cast<std::uint8_t>(fk[i / 4] >> (24 - 8 * (i % 4)));
        out.word[i] = four_times(sm4_field::apply(sm4_field::in, byte) ^ sm4_field::in_constant);
    }
    return out;
}

struct Sm4Fixed {
    std::uint32_t word[128];
};
/// CK: byte j of round i is 7(4i + j) mod 256. GB/T 32907-2016, 7.3 b).
consteval Sm4Fixed make_sm4_fixed() {
    Sm4Fixed out{};
    for (unsigned i = 0; i < 128; ++i) {
        out.word[i] = four_times(sm4_field::apply(sm4_field::in, static_cast<std::uint8_t>(7 * i)));
    }
    return out;
}

constexpr Sm4Family sm4_family = make_sm4_family();
constexpr Sm4Fixed sm4_fixed = make_sm4_fixed();

/// The maps of a byte of L (sm4_lanes.inc, 2), and of L'(b) = b ^ b<<<13 ^ b<<<23 (7.3), of which
/// byte j is
///
///   b[j] ^ (b[j+1] << 5) ^ (b[j+2] >> 3 ^ b[j+2] << 7) ^ (b[j+3] >> 1)
///
/// since 13 bits are one byte and 5 bits, 23 bits two bytes and 7.
constexpr sm4_field::Matrix text_p =
    sm4_field::add(sm4_field::identity(), sm4_field::shift_left(2));
constexpr sm4_field::Matrix text_q =
    sm4_field::add(sm4_field::shift_left(2), sm4_field::shift_right(6));
constexpr sm4_field::Matrix key_i = sm4_field::identity();
constexpr sm4_field::Matrix key_a = sm4_field::shift_left(5);
constexpr sm4_field::Matrix key_b =
    sm4_field::add(sm4_field::shift_right(3), sm4_field::shift_left(7));
constexpr sm4_field::Matrix key_c = sm4_field::shift_right(1);

/// Of the S-box's constant a byte of the result sees (P + R + Q + Q) = Q times, in the text: three
/// q's carry it, so each does; the p's carry none. In the key schedule the sum of all four maps:
/// `i` has it.
constexpr std::uint8_t text_constant = sm4_field::constant_of(text_q);
constexpr std::uint8_t key_constant = sm4_field::constant_of(
    sm4_field::add(sm4_field::add(key_i, key_a), sm4_field::add(key_b, key_c)));

}  // namespace crypto::batch
