#pragma once
// Montgomery arithmetic for any odd modulus: the card's for everything, the host's for n and for
// tables.
#include "crypto/sm2/number.hpp"

namespace crypto::sm2 {

/// out = a b / R mod m, for a, b below m; `out` may be either. Operands are scanned once; each step
/// adds a row of the product and a row of the reduction (P. L. Montgomery, Math. Comp. 44 (1985);
/// "FIOS" in Koc, Acar, Kaliski 1996).
[[gnu::noinline]] constexpr void montgomery(Number& out, const Number& a, const Number& b,
                                            const Modulus& m) {
    Number t{};
    Word top = 0;
    for (const Word digit : a.words) {
        DoubleWord product = DoubleWord{digit} * b.words[0] + t.words[0];
        const Word quotient = static_cast<Word>(product) * m.negative_inverse;
        DoubleWord reduction = DoubleWord{quotient} * m.value.words[0] + static_cast<Word>(product);
        for (std::size_t j = 1; j < word_count; ++j) {
            // Neither line overflows: (2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1.
            product = DoubleWord{digit} * b.words[j] + t.words[j] + (product >> word_bits);
            reduction = DoubleWord{quotient} * m.value.words[j] + static_cast<Word>(product) +
                        (reduction >> word_bits);
            t.words[j - 1] = static_cast<Word>(reduction);
        }
        const DoubleWord last = DoubleWord{top} + (product >> word_bits) + (reduction >> word_bits);
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
