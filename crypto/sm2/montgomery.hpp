#pragma once
// Montgomery arithmetic for any odd modulus: the card's for everything, the host's for n and for
// tables.
#include "crypto/sm2/number.hpp"

namespace crypto::sm2 {

/// The word a b + addend + carry, whose upper half becomes the carry. It cannot overflow: (2^w -
/// 1)^2 + 2 (2^w - 1) = 2^2w - 1. On a Cortex-M4 it is one instruction, which GCC 12 does not find
/// by itself.
constexpr Word multiply_add(Word a, Word b, Word addend, Word& carry) {
#if defined(__ARM_FEATURE_DSP) && !defined(__aarch64__)
    if (!std::is_constant_evaluated()) {
        __asm__("umaal %0, %1, %2, %3" : "+r"(addend), "+r"(carry) : "r"(a), "r"(b));
        return addend;
    }
#endif
    const DoubleWord sum = DoubleWord{a} * b + addend + carry;
    carry = static_cast<Word>(sum >> word_bits);
    return static_cast<Word>(sum);
}

/// out = a b / R mod m, for a, b below m; `out` may be either. Each step adds a row of the product
/// and a row of the reduction in one pass ("FIOS": C. K. Koc, T. Acar, B. S. Kaliski, IEEE Micro 16
/// (1996)).
[[gnu::noinline]] constexpr void montgomery(Number& out, const Number& a, const Number& b,
                                            const Modulus& m) {
    Number t{};
    Word top = 0;
    for (const Word digit : a.words) {
        Word product_carry = 0;
        Word reduction_carry = 0;
        const Word lowest = multiply_add(digit, b.words[0], t.words[0], product_carry);
        const Word quotient = lowest * m.negative_inverse;
        multiply_add(quotient, m.value.words[0], lowest,
                     reduction_carry);  // zero, by the quotient's choice
#pragma GCC unroll 7
        for (std::size_t j = 1; j < word_count; ++j) {
            const Word word = multiply_add(digit, b.words[j], t.words[j], product_carry);
            t.words[j - 1] = multiply_add(quotient, m.value.words[j], word, reduction_carry);
        }
        const DoubleWord last = DoubleWord{top} + product_carry + reduction_carry;
        t.words[word_count - 1] = static_cast<Word>(last);
        top = static_cast<Word>(last >> word_bits);
    }
    reduce_once(t, top, m.value);
    out = t;
}

/// a^(m-2) = a^-1, for a prime m (Fermat). The exponent is public. Montgomery form in and out.
constexpr void invert(Number& out, const Number& a, const Modulus& m) {
    Number exponent = m.value;
    exponent.words[0] -= 2;  // both moduli are odd and end in more than 2
    Number power = m.r;
    for (std::size_t bit = 256; bit-- > 0;) {
        montgomery(power, power, power, m);
        if ((exponent.words[bit / word_bits] >> (bit % word_bits)) & 1)
            montgomery(power, power, a, m);
    }
    out = power;
}

constexpr Number to_montgomery(const Number& a, const Modulus& m) {
    Number out{};
    montgomery(out, a, m.r_squared, m);
    return out;
}

}  // namespace crypto::sm2
