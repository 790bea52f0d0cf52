// The card's engine: 32-bit words, one Montgomery multiplication for both moduli, complete
// formulas, one multiplication routine for everything. Small first; no branch or address depends on
// any argument. Target: Cortex-M4, where the inner step is two UMAAL. On a Cortex-M3 the flow is as
// constant, but its UMULL ends early for small operands (Cortex-M3 TRM, 18.2): there this code is
// not free of timing differences.
#include "crypto/core/secret.hpp"
#include "crypto/sm2/complete_formulas.hpp"
#include "crypto/sm2/engine.hpp"
#include "crypto/sm2/montgomery.hpp"

namespace crypto::sm2 {
namespace {

constexpr Number b_montgomery = to_montgomery(curve::b, curve::p);

/// GF(p), for the complete formulas.
struct Field {
    [[gnu::noinline]] static constexpr void mul(Number& out, const Number& a, const Number& b) {
        montgomery(out, a, b, curve::p);
    }
    [[gnu::noinline]] static constexpr void add(Number& out, const Number& a, const Number& b) {
        add_modulo(out, a, b, curve::p.value);
    }
    [[gnu::noinline]] static constexpr void sub(Number& out, const Number& a, const Number& b) {
        subtract_modulo(out, a, b, curve::p.value);
    }
    static constexpr const Number& b() { return b_montgomery; }
};

void from_affine(Projective& out, const AffinePoint& point) {
    montgomery(out.x, point.x, curve::p.r_squared, curve::p);
    montgomery(out.y, point.y, curve::p.r_squared, curve::p);
    out.z = curve::p.r;
}

constexpr std::size_t half_bits = 128;
constexpr std::size_t half_words = half_bits / word_bits;

/// A scalar, as many bits of it as are used.
using Digits = std::span<const Word>;

constexpr void assign_if(Mask mask, Projective& out, const Projective& point) {
    sm2::assign_if(mask, out.x, point.x);
    sm2::assign_if(mask, out.y, point.y);
    sm2::assign_if(mask, out.z, point.z);
}

/// table[0] = [u]table[1] + [v]table[2], bit by bit from the top, for u and v of the same size. (E.
/// G. Straus, Amer. Math. Monthly 71 (1964).) table[1] and table[2] are given; the rest is written
/// here.
void straus(Projective& sum, Digits u, Digits v, std::array<Projective, 4>& table) {
    table[0] = {Number{}, curve::p.r, Number{}};  // infinity
    add<Field>(table[3], table[1], table[2]);
    sum = table[0];
    Projective addend;
    for (std::size_t bit = u.size() * word_bits; bit-- > 0;) {
        const Word digit = ((u[bit / word_bits] >> (bit % word_bits)) & 1) |
                           ((v[bit / word_bits] >> (bit % word_bits)) & 1) << 1;
        addend = table[0];
        for (Word entry = 1; entry < table.size(); ++entry) {
            assign_if(mask_if_zero(entry ^ digit), addend, table[entry]);
        }
        twice<Field>(sum);
        add<Field>(sum, sum, addend);
    }
    wipe_object(addend);
}

/// out = [k]point, in halves: [k mod 2^128]point + [k / 2^128][2^128]point, so that only 128 bits
/// are walked.
void multiply_halves(AffinePoint& out, const Number& k, std::array<Projective, 4>& table) {
    Projective sum;
    const Digits digits{k.words};
    straus(sum, digits.first(half_words), digits.last(half_words), table);
    Number inverse;
    Number one{};
    one.words[0] = 1;
    invert(inverse, sum.z, curve::p);
    montgomery(inverse, inverse, one,
               curve::p);  // out of Montgomery form, and so are the products below
    Field::mul(out.x, sum.x, inverse);
    Field::mul(out.y, sum.y, inverse);
    wipe_object(inverse);
    wipe_object(sum);  // Z would tell bits of k (Naccache, Smart, Stern, EUROCRYPT 2004)
}

}  // namespace

namespace engine {

void montgomery_multiply_modulo_n(Number& out, const Number& a, const Number& b) {
    montgomery(out, a, b, curve::n);
}
void invert_modulo_n(Number& out, const Number& a) {
    invert(out, a, curve::n);
}

bool is_on_curve(const AffinePoint& point) {
    Projective p;
    from_affine(p, point);
    Number left, right;
    Field::mul(left, p.y, p.y);
    Field::mul(right, p.x, p.x);  // x^3 - 3x + b = x (x^2 - 3) + b
    for (int i = 0; i < 3; ++i) Field::sub(right, right, curve::p.r);
    Field::mul(right, right, p.x);
    Field::add(right, right, b_montgomery);
    return is_equal(left, right) != 0;
}

void multiply_generator(AffinePoint& out, const Number& k) {
    std::array<Projective, 4> table;
    from_affine(table[1], curve::generator);
    from_affine(table[2], curve::generator_2_128);
    multiply_halves(out, k, table);
}

void multiply(AffinePoint& out, const Number& k, const AffinePoint& point) {
    std::array<Projective, 4> table;
    from_affine(table[1], point);
    table[2] = table[1];
    for (std::size_t i = 0; i < half_bits; ++i) twice<Field>(table[2]);
    multiply_halves(out, k, table);
}

bool sum_has_x(const Number& s, const Number& t, const AffinePoint& point, const Number& v) {
    std::array<Projective, 4> table;
    from_affine(table[1], curve::generator);
    from_affine(table[2], point);
    Projective sum;
    straus(sum, s.words, t.words, table);
    // x = X/Z is below p, v below n < p: so x = v, or x = v + n where that is still below p.
    Number candidate = v;
    bool found = false;
    Word carry = 0;
    for (int i = 0; i < 2; ++i) {
        if (carry != 0 || is_below(candidate, curve::p.value) == 0) break;
        Number product;
        Field::mul(product, to_montgomery(candidate, curve::p), sum.z);
        found = found || is_equal(product, sum.x) != 0;
        carry = add(candidate, candidate, curve::n.value);
    }
    return found && is_zero(sum.z) == 0;
}

}  // namespace engine
}  // namespace crypto::sm2
