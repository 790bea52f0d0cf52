#pragma once
// GF(p) in four 64-bit words, Montgomery form. A product is 512 bits first, then reduced: p = 2^256
// - 2^224 - 2^96 + 2^64 - 1 ends in 64 ones, so -p^-1 mod 2^64 is 1, the quotient of a step is the
// lowest word itself, and its product with p is made of shifts. Only the 512-bit product has two
// forms: portable C++, and MULX with ADCX/ADOX.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "crypto/sm2/curve.hpp"

namespace crypto::sm2::host {

static_assert(word_bits == 64);
static_assert(curve::p.negative_inverse == 1);

/// a + b + carry; carry is 0 or 1, in and out.
inline Word add_with_carry(Word a, Word b, unsigned char& carry) {
#if defined(__x86_64__)
    unsigned long long sum = 0;
    carry = _addcarry_u64(carry, a, b, &sum);
    return sum;
#else
    const DoubleWord sum = DoubleWord{a} + b + carry;
    carry = static_cast<unsigned char>(sum >> word_bits);
    return static_cast<Word>(sum);
#endif
}
/// a - b - borrow; borrow is 0 or 1, in and out.
inline Word subtract_with_borrow(Word a, Word b, unsigned char& borrow) {
#if defined(__x86_64__)
    unsigned long long difference = 0;
    borrow = _subborrow_u64(borrow, a, b, &difference);
    return difference;
#else
    const DoubleWord difference = DoubleWord{a} - b - borrow;
    borrow = static_cast<unsigned char>((difference >> word_bits) & 1);
    return static_cast<Word>(difference);
#endif
}

constexpr Word p0 = curve::p.value.words[0];
constexpr Word p1 = curve::p.value.words[1];
constexpr Word p2 = curve::p.value.words[2];
constexpr Word p3 = curve::p.value.words[3];

/// out = carry 2^256 + w - p, unless that is negative: then w.
inline void subtract_p_once(Number& out, Word w0, Word w1, Word w2, Word w3, Word carry) {
    unsigned char borrow = 0;
    const Word d0 = subtract_with_borrow(w0, p0, borrow);
    const Word d1 = subtract_with_borrow(w1, p1, borrow);
    const Word d2 = subtract_with_borrow(w2, p2, borrow);
    const Word d3 = subtract_with_borrow(w3, p3, borrow);
    const Mask keep = mask_if(borrow & ~carry);  // it was below p
    out.words[0] = d0 ^ (keep & (d0 ^ w0));
    out.words[1] = d1 ^ (keep & (d1 ^ w1));
    out.words[2] = d2 ^ (keep & (d2 ^ w2));
    out.words[3] = d3 ^ (keep & (d3 ^ w3));
}

using Words4 = std::array<Word, 4>;
using Words8 = std::array<Word, 8>;

/// Schoolbook products, and the reduction, in standard C++.
struct PortableForm {
    static void multiply(Words8& out, const Words4& a, const Words4& b) {
        out = {};
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) {
            DoubleWord sum = 0;
#pragma GCC unroll 4
            for (std::size_t j = 0; j < 4; ++j) {
                sum += DoubleWord{a[i]} * b[j] + out[i + j];
                out[i + j] = static_cast<Word>(sum);
                sum >>= word_bits;
            }
            out[i + 4] = static_cast<Word>(sum);
        }
    }
    static void square(Words8& out, const Words4& a) { multiply(out, a, a); }

    /// Two words of Montgomery reduction: (w + q p) / 2^128, where q = -w / p mod 2^128 makes the
    /// low half vanish. -p = 1 - x mod 2^128 with x = 2^64 - 2^96 and x^2 = 0, so -1/p = 1 + x: q0
    /// = w0, q1 = w1 + w0 - (w0 << 32), whose carry and borrow are what the vanishing half sends
    /// up. q p = q (2^256 - 2^224 - 2^96 + 2^64 - 1).
    [[gnu::always_inline]] static void reduce_half(Word& w0, Word& w1, Word& w2, Word& w3) {
        unsigned char carry = 0;
        unsigned char borrow = 0;
        const Word q0 = w0;
        Word q1 = add_with_carry(w1, q0, carry);
        q1 = subtract_with_borrow(q1, q0 << 32, borrow);
        const Word middle = q0 >> 32 | q1 << 32;
        const Word u0 = subtract_with_borrow(q1, middle, borrow);
        const Word u1 = subtract_with_borrow(0, q0 << 32 | q1 >> 32, borrow);
        const Word u2 = subtract_with_borrow(q0, middle, borrow);
        const Word u3 = subtract_with_borrow(q1, q1 >> 32, borrow);
        w0 = add_with_carry(w2, u0, carry);
        w1 = add_with_carry(w3, u1, carry);
        w2 = add_with_carry(0, u2, carry);
        w3 = add_with_carry(0, u3, carry);
    }
    /// out = product / R mod p. The low half is divided alone, to at most p; only then the high
    /// half is added.
    static void reduce(Number& out, const Words8& product) {
        Word w0 = product[0], w1 = product[1], w2 = product[2], w3 = product[3];
        reduce_half(w0, w1, w2, w3);
        reduce_half(w0, w1, w2, w3);
        unsigned char carry = 0;
        w0 = add_with_carry(w0, product[4], carry);
        w1 = add_with_carry(w1, product[5], carry);
        w2 = add_with_carry(w2, product[6], carry);
        w3 = add_with_carry(w3, product[7], carry);
        subtract_p_once(out, w0, w1, w2, w3, carry);
    }
};

#if defined(__x86_64__)
/// The same with BMI2 and ADX (Intel SDM vol. 2: MULX multiplies by RDX and touches no flag; ADCX
/// carries in CF, ADOX in OF), so that a row's low and high halves are two independent chains.
struct MulxForm {
    static void multiply(Words8& out, const Words4& a, const Words4& b) {
        Word t0, t1, t2, t3, t4, t5, t6, t7, high;
// Adds a[] * b[offset / 8]: the low half of a[i] b to word i, the high half to word i + 1. `next`
// starts at zero, and XOR clears both carries.
#define ONECARD_SM2_ROW(offset, w0, w1, w2, w3, next) \
    "mov " offset                                     \
    "(%[b]), %%rdx\n\t"                               \
    "xor %k[" next "], %k[" next                      \
    "]\n\t"                                           \
    "mulx 0(%[a]), %%rax, %[high]\n\t"                \
    "adcx %%rax, %[" w0 "]\n\t adox %[high], %[" w1   \
    "]\n\t"                                           \
    "mulx 8(%[a]), %%rax, %[high]\n\t"                \
    "adcx %%rax, %[" w1 "]\n\t adox %[high], %[" w2   \
    "]\n\t"                                           \
    "mulx 16(%[a]), %%rax, %[high]\n\t"               \
    "adcx %%rax, %[" w2 "]\n\t adox %[high], %[" w3   \
    "]\n\t"                                           \
    "mulx 24(%[a]), %%rax, %[high]\n\t"               \
    "adcx %%rax, %[" w3 "]\n\t adox %[high], %[" next \
    "]\n\t"                                           \
    "adc $0, %[" next "]\n\t"
        __asm__(
            "xor %k[t0], %k[t0]\n\t xor %k[t1], %k[t1]\n\t"
            "xor %k[t2], %k[t2]\n\t xor %k[t3], %k[t3]\n\t" ONECARD_SM2_ROW("0", "t0", "t1", "t2",
                                                                            "t3", "t4")
                ONECARD_SM2_ROW("8", "t1", "t2", "t3", "t4", "t5")
                    ONECARD_SM2_ROW("16", "t2", "t3", "t4", "t5", "t6")
                        ONECARD_SM2_ROW("24", "t3", "t4", "t5", "t6", "t7")
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
              [t5] "=&r"(t5), [t6] "=&r"(t6), [t7] "=&r"(t7), [high] "=&r"(high)
            : [a] "r"(a.data()), [b] "r"(b.data())
            : "rax", "rdx", "cc", "memory");
#undef ONECARD_SM2_ROW
        out = {t0, t1, t2, t3, t4, t5, t6, t7};
    }

    /// The six mixed products once, doubled in the CF chain while the squares come in by the OF
    /// chain.
    static void square(Words8& out, const Words4& a) {
        Word t0, t1, t2, t3, t4, t5, t6, t7, high, zero;
        __asm__(
            "xor %k[zero], %k[zero]\n\t"
            "mov 0(%[a]), %%rdx\n\t"  // a0 a1, a0 a2, a0 a3
            "mulx 8(%[a]), %[t1], %[t2]\n\t"
            "mulx 16(%[a]), %%rax, %[t3]\n\t adcx %%rax, %[t2]\n\t"
            "mulx 24(%[a]), %%rax, %[t4]\n\t adcx %%rax, %[t3]\n\t adcx %[zero], %[t4]\n\t"
            "mov 8(%[a]), %%rdx\n\t"  // a1 a2, a1 a3
            "mulx 16(%[a]), %%rax, %[high]\n\t adcx %%rax, %[t3]\n\t adox %[high], %[t4]\n\t"
            "mulx 24(%[a]), %%rax, %[t5]\n\t adcx %%rax, %[t4]\n\t adox %[zero], %[t5]\n\t"
            "mov 16(%[a]), %%rdx\n\t"  // a2 a3
            "mulx 24(%[a]), %%rax, %[t6]\n\t adcx %%rax, %[t5]\n\t adcx %[zero], %[t6]\n\t"
            "mov 0(%[a]), %%rdx\n\t"  // doubled, and the squares
            "xor %k[t7], %k[t7]\n\t"
            "mulx %%rdx, %[t0], %[high]\n\t adcx %[t1], %[t1]\n\t adox %[high], %[t1]\n\t"
            "mov 8(%[a]), %%rdx\n\t"
            "mulx %%rdx, %%rax, %[high]\n\t adcx %[t2], %[t2]\n\t adox %%rax, %[t2]\n\t"
            "adcx %[t3], %[t3]\n\t adox %[high], %[t3]\n\t"
            "mov 16(%[a]), %%rdx\n\t"
            "mulx %%rdx, %%rax, %[high]\n\t adcx %[t4], %[t4]\n\t adox %%rax, %[t4]\n\t"
            "adcx %[t5], %[t5]\n\t adox %[high], %[t5]\n\t"
            "mov 24(%[a]), %%rdx\n\t"
            "mulx %%rdx, %%rax, %[high]\n\t adcx %[t6], %[t6]\n\t adox %%rax, %[t6]\n\t"
            "adcx %[t7], %[t7]\n\t adox %[high], %[t7]\n\t"
            : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4),
              [t5] "=&r"(t5), [t6] "=&r"(t6), [t7] "=&r"(t7), [high] "=&r"(high), [zero] "=&r"(zero)
            : [a] "r"(a.data())
            : "rax", "rdx", "cc", "memory");
        out = {t0, t1, t2, t3, t4, t5, t6, t7};
    }

    /// PortableForm::reduce, step by step. A half takes q0 in `a` and leaves the quotient's words
    /// where they count.
    static void reduce(Number& out, const Words8& product) {
        Word w0 = product[0], w1 = product[1], w2 = product[2], w3 = product[3], w4;
        Word h0 = product[4], h1 = product[5], h2 = product[6], h3 = product[7];
        Word d1, d2, d3;
// (a, b, c, d) becomes (c, d, a, q): q1 = b + a - (a << 32) in q; then + q 2^64 + q 2^256, then - q
// 2^96 - q 2^224.
#define ONECARD_SM2_HALF(a, b, c, d, q)                                  \
    "mov %[" a                                                           \
    "], %[d1]\n\t shl $32, %[d1]\n\t"                                    \
    "lea (%[" a "], %[" b "]), %[" q "]\n\t sub %[d1], %[" q             \
    "]\n\t"                                                              \
    "mov %[" a                                                           \
    "], %[d2]\n\t shr $32, %[d2]\n\t"                                    \
    "mov %[" q                                                           \
    "], %[d3]\n\t shl $32, %[d3]\n\t or %[d3], %[d2]\n\t"                \
    "mov %[" q                                                           \
    "], %[d3]\n\t shr $32, %[d3]\n\t"                                    \
    "add %[" a "], %[" b "]\n\t adc %[" q "], %[" c "]\n\t adc $0, %[" d \
    "]\n\t"                                                              \
    "adc $0, %[" a "]\n\t adc $0, %[" q                                  \
    "]\n\t"                                                              \
    "sub %[d1], %[" b "]\n\t sbb %[d2], %[" c                            \
    "]\n\t lea (%[d1], %[d3]), %[d1]\n\t"                                \
    "sbb %[d1], %[" d "]\n\t sbb %[d2], %[" a "]\n\t sbb %[d3], %[" q "]\n\t"
        __asm__(ONECARD_SM2_HALF("w0", "w1", "w2", "w3", "w4")
                ONECARD_SM2_HALF("w2", "w3", "w0", "w4", "w1")
                "add %[h0], %[w0]\n\t adc %[h1], %[w4]\n\t"
                "adc %[h2], %[w2]\n\t adc %[h3], %[w1]\n\t"
                // Subtract p once, and take it back if it was too much.
                "mov $0, %[h2]\n\t adc $0, %[h2]\n\t"
                "movabs %[p1], %[h0]\n\t movabs %[p3], %[h1]\n\t"
                "mov %[w0], %[w3]\n\t mov %[w4], %[d1]\n\t"
                "mov %[w2], %[d2]\n\t mov %[w1], %[d3]\n\t"
                "sub $-1, %[w3]\n\t sbb %[h0], %[d1]\n\t sbb $-1, %[d2]\n\t sbb %[h1], %[d3]\n\t"
                "sbb $0, %[h2]\n\t"
                "cmovc %[w0], %[w3]\n\t cmovc %[w4], %[d1]\n\t cmovc %[w2], %[d2]\n\t"
                "cmovc %[w1], %[d3]\n\t"
                : [w0] "+&r"(w0), [w1] "+&r"(w1), [w2] "+&r"(w2), [w3] "+&r"(w3), [w4] "=&r"(w4),
                  [h0] "+&r"(h0), [h1] "+&r"(h1), [h2] "+&r"(h2), [h3] "+&r"(h3), [d1] "=&r"(d1),
                  [d2] "=&r"(d2), [d3] "=&r"(d3)
                : [p1] "i"(p1), [p3] "i"(p3)
                : "cc");
#undef ONECARD_SM2_HALF
        out.words = {w3, d1, d2, d3};
    }

    [[nodiscard]] static bool is_supported() { return __builtin_cpu_supports("bmi2") && has_adx(); }

private:
    /// CPUID leaf 7, EBX bit 19; GCC 12's __builtin_cpu_supports does not know the name.
    [[nodiscard]] static bool has_adx() {
        unsigned eax = 7, ebx = 0, ecx = 0, edx = 0;
        __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
        return ((ebx >> 19) & 1) != 0;
    }
};
#endif

/// Field arithmetic over one form of the product. Results are below p; operands must be, and may be
/// the result. Nothing loops over words: GCC 12 would keep the carries in memory, or move words
/// into vector registers and back.
template <class Form>
struct Field {
    [[gnu::noinline]] static void mul(Number& out, const Number& a, const Number& b) {
        Words8 product;
        Form::multiply(product, a.words, b.words);
        Form::reduce(out, product);
    }
    [[gnu::noinline]] static void square(Number& out, const Number& a) {
        Words8 product;
        Form::square(product, a.words);
        Form::reduce(out, product);
    }
    static void add(Number& out, const Number& a, const Number& b) {
        unsigned char carry = 0;
        const Word w0 = add_with_carry(a.words[0], b.words[0], carry);
        const Word w1 = add_with_carry(a.words[1], b.words[1], carry);
        const Word w2 = add_with_carry(a.words[2], b.words[2], carry);
        const Word w3 = add_with_carry(a.words[3], b.words[3], carry);
        subtract_p_once(out, w0, w1, w2, w3, carry);
    }
    static void sub(Number& out, const Number& a, const Number& b) {
        unsigned char borrow = 0;
        const Word w0 = subtract_with_borrow(a.words[0], b.words[0], borrow);
        const Word w1 = subtract_with_borrow(a.words[1], b.words[1], borrow);
        const Word w2 = subtract_with_borrow(a.words[2], b.words[2], borrow);
        const Word w3 = subtract_with_borrow(a.words[3], b.words[3], borrow);
        const Mask borrowed = mask_if(borrow);
        unsigned char carry = 0;
        out.words[0] = add_with_carry(w0, borrowed & p0, carry);
        out.words[1] = add_with_carry(w1, borrowed & p1, carry);
        out.words[2] = add_with_carry(w2, borrowed & p2, carry);
        out.words[3] = add_with_carry(w3, borrowed & p3, carry);
    }
    /// a / 2: a is made even by adding p, which is odd.
    static void half(Number& out, const Number& a) {
        const Mask odd = mask_if(a.words[0] & 1);
        unsigned char carry = 0;
        const Word w0 = add_with_carry(a.words[0], odd & p0, carry);
        const Word w1 = add_with_carry(a.words[1], odd & p1, carry);
        const Word w2 = add_with_carry(a.words[2], odd & p2, carry);
        const Word w3 = add_with_carry(a.words[3], odd & p3, carry);
        out.words[0] = w0 >> 1 | w1 << 63;
        out.words[1] = w1 >> 1 | w2 << 63;
        out.words[2] = w2 >> 1 | w3 << 63;
        out.words[3] = w3 >> 1 | Word{carry} << 63;
    }
};

}  // namespace crypto::sm2::host
