#pragma once
// 256-bit numbers, and what both engines do with them. Little-endian words; every function is
// constant time.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "protocol/bytes.hpp"

namespace crypto::sm2 {

#if defined(__SIZEOF_INT128__) && !defined(ONECARD_SM2_CARD_ENGINE)
using Word = std::uint64_t;
__extension__ using DoubleWord = unsigned __int128;
#else
using Word = std::uint32_t;
using DoubleWord = std::uint64_t;
#endif

constexpr std::size_t word_bits = 8 * sizeof(Word);
constexpr std::size_t word_count = 256 / word_bits;

struct Number {
    std::array<Word, word_count> words;
};

/// All ones or all zeros: the answer to a question about a secret.
using Mask = Word;

/// Hides a mask's value from the compiler, which could otherwise turn the selection behind it into
/// a branch.
[[nodiscard]] constexpr Mask opaque(Mask mask) {
    if (!std::is_constant_evaluated()) __asm__("" : "+r"(mask));
    return mask;
}
[[nodiscard]] constexpr Mask mask_if(Word bit) {
    return opaque(Word{0} - bit);
}
[[nodiscard]] constexpr Mask mask_if_zero(Word word) {
    return mask_if(((word | (Word{0} - word)) >> (word_bits - 1)) ^ 1);
}

/// out = a + b; the carry out, 0 or 1.
constexpr Word add(Number& out, const Number& a, const Number& b) {
    DoubleWord sum = 0;
    for (std::size_t i = 0; i < word_count; ++i) {
        sum += DoubleWord{a.words[i]} + b.words[i];
        out.words[i] = static_cast<Word>(sum);
        sum >>= word_bits;
    }
    return static_cast<Word>(sum);
}
/// out = a - b; the borrow out, 0 or 1.
constexpr Word subtract(Number& out, const Number& a, const Number& b) {
    Word borrow = 0;
    for (std::size_t i = 0; i < word_count; ++i) {
        const DoubleWord difference = DoubleWord{a.words[i]} - b.words[i] - borrow;
        out.words[i] = static_cast<Word>(difference);
        borrow = static_cast<Word>(difference >> word_bits) & 1;
    }
    return borrow;
}
/// out = mask ? a : out
constexpr void assign_if(Mask mask, Number& out, const Number& a) {
    for (std::size_t i = 0; i < word_count; ++i) {
        out.words[i] ^= mask & (out.words[i] ^ a.words[i]);
    }
}
[[nodiscard]] constexpr Mask is_zero(const Number& a) {
    Word any = 0;
    for (const Word word : a.words) any |= word;
    return mask_if_zero(any);
}
[[nodiscard]] constexpr Mask is_equal(const Number& a, const Number& b) {
    Word any = 0;
    for (std::size_t i = 0; i < word_count; ++i) any |= a.words[i] ^ b.words[i];
    return mask_if_zero(any);
}
[[nodiscard]] constexpr Mask is_below(const Number& a, const Number& b) {
    Number difference{};
    return mask_if(subtract(difference, a, b));
}
/// a - modulus where carry * 2^256 + a is not below the modulus; it is below twice the modulus.
constexpr void reduce_once(Number& a, Word carry, const Number& modulus) {
    Number difference{};
    const Word borrow = subtract(difference, a, modulus);
    assign_if(mask_if(carry | (borrow ^ 1)), a, difference);
}
/// out = a + b mod modulus, both below it. `out` may be either.
constexpr void add_modulo(Number& out, const Number& a, const Number& b, const Number& modulus) {
    const Word carry = add(out, a, b);
    reduce_once(out, carry, modulus);
}
/// out = a - b mod modulus, both below it. `out` may be either.
constexpr void subtract_modulo(Number& out, const Number& a, const Number& b,
                               const Number& modulus) {
    const Mask borrowed = mask_if(subtract(out, a, b));
    Number addend{};
    assign_if(borrowed, addend, modulus);
    add(out, out, addend);
}

constexpr void from_bytes(Number& out, std::span<const std::uint8_t, 32> bytes) {
    for (std::size_t i = 0; i < word_count; ++i) {
        Word word = 0;
        for (std::size_t j = 0; j < sizeof(Word); ++j) {
            word = static_cast<Word>(word << 8) | bytes[32 - sizeof(Word) * (i + 1) + j];
        }
        out.words[i] = word;
    }
}
constexpr void to_bytes(std::span<std::uint8_t, 32> out, const Number& number) {
    for (std::size_t i = 0; i < 32; ++i) {
        const Word word = number.words[i / sizeof(Word)];
        out[31 - i] = static_cast<std::uint8_t>(word >> (8 * (i % sizeof(Word))));
    }
}

/// A constant as a standard prints it: 64 hexadecimal digits, blanks ignored.
consteval Number number(const char* digits) {
    Number out{};
    for (; *digits != 0; ++digits) {
        if (*digits == ' ') continue;
        Word carry = static_cast<Word>(*digits <= '9' ? *digits - '0' : *digits - 'A' + 10);
        for (Word& word : out.words) {
            const Word next = word >> (word_bits - 4);
            word = static_cast<Word>(word << 4) | carry;
            carry = next;
        }
    }
    return out;
}

/// What Montgomery multiplication needs of a modulus. R = 2^256; the Montgomery form of a is a R.
struct Modulus {
    Number value;
    Number r;          ///< R mod value: one, in Montgomery form
    Number r_squared;  ///< R^2 mod value: multiplying by it brings a number into Montgomery form
    Word negative_inverse;  ///< -value^-1 mod 2^word_bits
};
consteval Modulus modulus(const Number& value) {
    Modulus out{value, {}, {}, 0};
    Word inverse = 1;  // Newton: each round doubles the number of right bits
    for (int round = 0; round < 6; ++round) inverse *= 2 - value.words[0] * inverse;
    out.negative_inverse = 0 - inverse;
    Number power{};
    power.words[0] = 1;
    for (int doubling = 0; doubling < 512; ++doubling) {
        if (doubling == 256) out.r = power;
        add_modulo(power, power, power, value);
    }
    out.r_squared = power;
    return out;
}

}  // namespace crypto::sm2
