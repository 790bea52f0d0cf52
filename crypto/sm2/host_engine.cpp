// The host's engine: 64-bit words, a field made for this prime, a fixed-base table.
// Secret scalars go through complete formulas and whole-table selections; verification, where all
// is public, uses Jacobian coordinates and branches.
#include "crypto/core/secret.hpp"
#include "crypto/sm2/complete_formulas.hpp"
#include "crypto/sm2/engine.hpp"
#include "crypto/sm2/host_field.hpp"
#include "crypto/sm2/montgomery.hpp"

namespace crypto::sm2 {
namespace {

constexpr Number zero{};
constexpr Number b_montgomery = to_montgomery(curve::b, curve::p);
constexpr Number one_montgomery = curve::p.r;

/// Affine coordinates in Montgomery form.
struct TableEntry {
    Number x, y;
};

/// Bits [position, position + count) of a number; bits from 256 on are zero. count < 64, positions
/// are public.
[[nodiscard]] Word bits(const Number& a, std::size_t position, std::size_t count) {
    const std::size_t word = position / word_bits;
    const std::size_t shift = position % word_bits;
    if (word >= word_count) return 0;
    Word out = a.words[word] >> shift;
    if (shift != 0 && word + 1 < word_count) out |= a.words[word + 1] << (word_bits - shift);
    return out & ((Word{1} << count) - 1);
}

/// A digit between -32 and 32 of a number written in base 64.
struct SignedDigit {
    Word magnitude;
    Word negative;  // 0 or 1
};
constexpr std::size_t window_bits = 6;
constexpr std::size_t window_count = 43;  // 258 bits: the last carry always finds room
constexpr std::size_t table_size = 32;    // magnitudes 1 to 32
using SignedDigits = std::array<SignedDigit, window_count>;

/// Constant time. Where 6 bits and the carry make more than 32, 64 is borrowed from the next digit.
void recode(SignedDigits& out, const Number& k) {
    Word carry = 0;
    for (std::size_t i = 0; i < window_count; ++i) {
        const Word digit = bits(k, i * window_bits, window_bits) + carry;  // 0 to 64
        carry = (digit + 31) >> window_bits;                               // 1 from 33 on
        const Mask negative = mask_if(carry);
        out[i] = {(digit ^ negative) + (negative & ((Word{1} << window_bits) + 1)), carry};
    }
}

/// Digits of width five, odd or zero, at least five apart (wNAF): for public numbers. At most one
/// per bit and one carry.
using SparseDigits = std::array<int, 257>;
void recode_sparse(SparseDigits& out, const Number& k) {
    out = {};
    Word carry = 0;
    for (std::size_t position = 0; position < out.size();) {
        if (bits(k, position, 1) == carry) {
            ++position;
            continue;
        }
        const auto window = static_cast<int>(bits(k, position, 5) + carry);
        carry = window > 16 ? 1 : 0;
        out[position] = carry != 0 ? window - 32 : window;
        position += 5;
    }
}

/// The engine over one form of the field's products.
template <class Form>
class HostEngine {
public:
    static void multiply_generator(AffinePoint& out, const Number& k);
    static void multiply(AffinePoint& out, const Number& k, const AffinePoint& point);
    [[nodiscard]] static bool sum_has_x(const Number& s, const Number& t, const AffinePoint& point,
                                        const Number& v);
    [[nodiscard]] static bool is_on_curve(const AffinePoint& point);

private:
    struct F : host::Field<Form> {
        static const Number& b() { return b_montgomery; }
    };
    /// x = X / Z^2, y = Y / Z^3; Z = 0 is the point at infinity. Public points only.
    struct Jacobian {
        Number x, y, z;
    };
    /// table[i][j] = [(j + 1) 64^i] G
    using Table = std::array<std::array<TableEntry, table_size>, window_count>;

    static const Table& table();
    static void build(Table& table);
    static void invert(Number& out, const Number& a);
    static void to_affine(TableEntry& out, const Projective& point);
    static void to_plain(AffinePoint& out, const Projective& point);
    static void from_plain(TableEntry& out, const AffinePoint& point);
    static void select(TableEntry& out, const std::array<TableEntry, table_size>& row,
                       const SignedDigit& digit);

    static void twice_public(Jacobian& out, const Jacobian& p);
    static void add_public(Jacobian& out, const Jacobian& p, const Jacobian& q);
    static void add_public(Jacobian& out, const Jacobian& p, const TableEntry& q);
    static void add_multiple_public(Jacobian& sum, const Number& t, const TableEntry& point);
    static void add_generator_multiple_public(Jacobian& sum, const Number& s);
};

/// a^(p-2), in 255 squarings and 17 multiplications. p - 2 in binary: 31 ones, 0, 128 ones, 32
/// zeros, 62 ones, 0, 1.
template <class Form>
void HostEngine<Form>::invert(Number& out, const Number& a) {
    const auto square_times = [](Number& x, int times) {
        for (int i = 0; i < times; ++i) F::square(x, x);
    };
    const auto append = [&](Number& to, const Number& from, int squarings, const Number& ones) {
        to = from;
        square_times(to, squarings);
        F::mul(to, to, ones);
    };
    Number ones_2, ones_4, ones_8, ones_16, ones_30, ones_31, ones_32, power;
    append(ones_2, a, 1, a);  // ones_n = a^(2^n - 1)
    append(ones_4, ones_2, 2, ones_2);
    append(ones_8, ones_4, 4, ones_4);
    append(ones_16, ones_8, 8, ones_8);
    append(ones_30, ones_16, 8, ones_8);
    append(ones_30, ones_30, 4, ones_4);
    append(ones_30, ones_30, 2, ones_2);
    append(ones_31, ones_30, 1, a);
    append(ones_32, ones_31, 1, a);
    append(power, ones_31, 33, ones_32);  // 31 ones, 0, 32 ones
    append(power, power, 32, ones_32);
    append(power, power, 32, ones_32);
    append(power, power, 32, ones_32);
    append(power, power, 64, ones_32);  // 32 zeros, 32 ones
    append(power, power, 30, ones_30);
    append(out, power, 2, a);
}

template <class Form>
void HostEngine<Form>::to_affine(TableEntry& out, const Projective& point) {
    Number inverse;
    invert(inverse, point.z);
    F::mul(out.x, point.x, inverse);
    F::mul(out.y, point.y, inverse);
    wipe_object(inverse);  // it is 1 / Z
}

template <class Form>
void HostEngine<Form>::to_plain(AffinePoint& out, const Projective& point) {
    TableEntry affine;
    Number one{};
    one.words[0] = 1;
    to_affine(affine, point);
    F::mul(out.x, affine.x, one);
    F::mul(out.y, affine.y, one);
    wipe_object(affine);
}

template <class Form>
void HostEngine<Form>::from_plain(TableEntry& out, const AffinePoint& point) {
    F::mul(out.x, point.x, curve::p.r_squared);
    F::mul(out.y, point.y, curve::p.r_squared);
}

template <class Form>
void HostEngine<Form>::build(Table& table) {
    TableEntry generator;
    from_plain(generator, curve::generator);
    Projective base{generator.x, generator.y, one_montgomery};  // [64^i] G
    for (auto& row : table) {
        Projective multiple = base;
        for (TableEntry& entry : row) {
            to_affine(entry, multiple);
            add<F>(multiple, multiple, base);
        }
        for (std::size_t i = 0; i < window_bits; ++i) twice<F>(base);
    }
}

/// 88 KB, made at the first call, in a few milliseconds.
template <class Form>
auto HostEngine<Form>::table() -> const Table& {
    static const Table made = [] {
        Table table;
        build(table);
        return table;
    }();
    return made;
}

/// out = the digit's entry, every entry read. For a zero digit, (0, 0), which the caller does not
/// use.
template <class Form>
void HostEngine<Form>::select(TableEntry& out, const std::array<TableEntry, table_size>& row,
                              const SignedDigit& digit) {
    out = {};
    for (std::size_t j = 0; j < table_size; ++j) {
        const Mask mask = mask_if_zero(digit.magnitude ^ (j + 1));
        for (std::size_t i = 0; i < word_count; ++i) {
            out.x.words[i] |= mask & row[j].x.words[i];
            out.y.words[i] |= mask & row[j].y.words[i];
        }
    }
    Number negative_y;
    F::sub(negative_y, zero, out.y);
    assign_if(mask_if(digit.negative), out.y, negative_y);
}

template <class Form>
void HostEngine<Form>::multiply_generator(AffinePoint& out, const Number& k) {
    SignedDigits digits;
    recode(digits, k);
    Projective sum{zero, one_montgomery, zero};
    TableEntry entry;
    Projective next;
    for (std::size_t i = 0; i < window_count; ++i) {
        select(entry, table()[i], digits[i]);
        add<F>(next, sum, {entry.x, entry.y, one_montgomery});
        const Mask used = ~mask_if_zero(digits[i].magnitude);
        assign_if(used, sum.x, next.x);
        assign_if(used, sum.y, next.y);
        assign_if(used, sum.z, next.z);
    }
    to_plain(out, sum);
    wipe_object(digits);
    wipe_object(entry);
    wipe_object(next);
    wipe_object(sum);  // Z would tell bits of k (Naccache, Smart, Stern, EUROCRYPT 2004)
}

/// Four bits at a time from the top, from a table of [0]point to [15]point.
template <class Form>
void HostEngine<Form>::multiply(AffinePoint& out, const Number& k, const AffinePoint& point) {
    constexpr std::size_t width = 4;
    std::array<Projective, 16> multiples;
    TableEntry affine;
    from_plain(affine, point);
    multiples[0] = {zero, one_montgomery, zero};
    multiples[1] = {affine.x, affine.y, one_montgomery};
    for (std::size_t i = 2; i < multiples.size(); ++i)
        add<F>(multiples[i], multiples[i - 1], multiples[1]);

    Projective sum = multiples[0];
    Projective chosen;
    for (std::size_t position = 256; position > 0;) {
        position -= width;
        const Word digit = bits(k, position, width);
        chosen = {};
        for (std::size_t i = 0; i < multiples.size(); ++i) {
            const Mask mask = mask_if_zero(digit ^ i);
            assign_if(mask, chosen.x, multiples[i].x);
            assign_if(mask, chosen.y, multiples[i].y);
            assign_if(mask, chosen.z, multiples[i].z);
        }
        for (std::size_t i = 0; i < width; ++i) twice<F>(sum);
        add<F>(sum, sum, chosen);
    }
    to_plain(out, sum);
    wipe_object(chosen);
    wipe_object(sum);
}

template <class Form>
bool HostEngine<Form>::is_on_curve(const AffinePoint& point) {
    TableEntry p;
    Number left, right;
    from_plain(p, point);
    F::square(left, p.y);
    F::square(right, p.x);  // x^3 - 3x + b = x (x^2 - 3) + b
    for (int i = 0; i < 3; ++i) F::sub(right, right, one_montgomery);
    F::mul(right, right, p.x);
    F::add(right, right, b_montgomery);
    return is_equal(left, right) != 0;
}

/// Doubling for a = -3 in 4 multiplications and 4 squarings (as in S. Gueron, V. Krasnov, J.
/// Cryptogr. Eng. 5 (2015), for P-256: fewer additions than "dbl-2001-b"). Z stays 0 at infinity,
/// and no point has y = 0: the order is odd.
template <class Form>
void HostEngine<Form>::twice_public(Jacobian& out, const Jacobian& p) {
    Number s, z2, m, t, y4;
    F::add(s, p.y, p.y);
    F::square(z2, p.z);
    F::sub(m, p.x, z2);  // M = 3 (X - Z^2) (X + Z^2)
    F::add(t, p.x, z2);
    F::mul(t, m, t);
    F::add(m, t, t);
    F::add(m, m, t);
    F::mul(out.z, p.z, s);  // Z3 = 2 Y Z
    F::square(t, s);        // 4 Y^2
    F::mul(s, p.x, t);      // S = 4 X Y^2
    F::square(y4, t);
    F::half(y4, y4);      // 8 Y^4
    F::square(out.x, m);  // X3 = M^2 - 2 S
    F::sub(out.x, out.x, s);
    F::sub(out.x, out.x, s);
    F::sub(s, s, out.x);  // Y3 = M (S - X3) - 8 Y^4
    F::mul(s, s, m);
    F::sub(out.y, s, y4);
}

/// Addition, with the cases that the formula ("add-1998-cmo-2", H. Cohen, A. Miyaji, T. Ono) cannot
/// do taken apart.
template <class Form>
void HostEngine<Form>::add_public(Jacobian& out, const Jacobian& p, const Jacobian& q) {
    if (is_zero(p.z) != 0) {
        out = q;
        return;
    }
    if (is_zero(q.z) != 0) {
        out = p;
        return;
    }
    Number pz2, qz2, u, s, h, r, h2, h3;
    F::square(pz2, p.z);
    F::square(qz2, q.z);
    F::mul(u, p.x, qz2);  // U1
    F::mul(h, q.x, pz2);  // U2
    F::sub(h, h, u);
    F::mul(s, p.y, q.z);  // S1
    F::mul(s, s, qz2);
    F::mul(r, q.y, p.z);  // S2
    F::mul(r, r, pz2);
    F::sub(r, r, s);
    if (is_zero(h) != 0) {  // the same x: equal or opposite
        if (is_zero(r) != 0) return twice_public(out, p);
        out = {one_montgomery, one_montgomery, zero};
        return;
    }
    F::mul(out.z, p.z, q.z);
    F::mul(out.z, out.z, h);
    F::square(h2, h);
    F::mul(h3, h2, h);
    F::mul(u, u, h2);
    F::square(out.x, r);  // X3 = r^2 - H^3 - 2 U1 H^2
    F::sub(out.x, out.x, h3);
    F::sub(out.x, out.x, u);
    F::sub(out.x, out.x, u);
    F::sub(u, u, out.x);  // Y3 = r (U1 H^2 - X3) - S1 H^3
    F::mul(u, u, r);
    F::mul(s, s, h3);
    F::sub(out.y, u, s);
}

/// The same with Z2 = 1.
template <class Form>
void HostEngine<Form>::add_public(Jacobian& out, const Jacobian& p, const TableEntry& q) {
    if (is_zero(p.z) != 0) {
        out = {q.x, q.y, one_montgomery};
        return;
    }
    Number pz2, h, r, h2, h3, u;
    F::square(pz2, p.z);
    F::mul(h, q.x, pz2);
    F::sub(h, h, p.x);
    F::mul(r, q.y, p.z);
    F::mul(r, r, pz2);
    F::sub(r, r, p.y);
    if (is_zero(h) != 0) {
        if (is_zero(r) != 0) return twice_public(out, p);
        out = {one_montgomery, one_montgomery, zero};
        return;
    }
    F::square(h2, h);
    F::mul(h3, h2, h);
    F::mul(u, p.x, h2);
    const Number y = p.y;
    F::mul(out.z, p.z, h);
    F::square(out.x, r);
    F::sub(out.x, out.x, h3);
    F::sub(out.x, out.x, u);
    F::sub(out.x, out.x, u);
    F::sub(u, u, out.x);
    F::mul(u, u, r);
    F::mul(h3, h3, y);
    F::sub(out.y, u, h3);
}

/// sum = [t]point, for sum at infinity.
template <class Form>
void HostEngine<Form>::add_multiple_public(Jacobian& sum, const Number& t,
                                           const TableEntry& point) {
    std::array<Jacobian, 8> odd;  // [1], [3] ... [15]point
    odd[0] = {point.x, point.y, one_montgomery};
    Jacobian two;
    twice_public(two, odd[0]);
    for (std::size_t i = 1; i < odd.size(); ++i) add_public(odd[i], odd[i - 1], two);

    SparseDigits digits;
    recode_sparse(digits, t);
    for (std::size_t i = digits.size(); i-- > 0;) {
        if (is_zero(sum.z) == 0) twice_public(sum, sum);
        const int digit = digits[i];
        if (digit == 0) continue;
        Jacobian addend = odd[static_cast<std::size_t>(digit < 0 ? -digit : digit) / 2];
        if (digit < 0) F::sub(addend.y, zero, addend.y);
        add_public(sum, sum, addend);
    }
}

/// sum += [s]G
template <class Form>
void HostEngine<Form>::add_generator_multiple_public(Jacobian& sum, const Number& s) {
    SignedDigits digits;
    recode(digits, s);
    for (std::size_t i = 0; i < window_count; ++i) {
        if (digits[i].magnitude == 0) continue;
        TableEntry entry = table()[i][digits[i].magnitude - 1];
        if (digits[i].negative != 0) F::sub(entry.y, zero, entry.y);
        add_public(sum, sum, entry);
    }
}

template <class Form>
bool HostEngine<Form>::sum_has_x(const Number& s, const Number& t, const AffinePoint& point,
                                 const Number& v) {
    TableEntry affine;
    from_plain(affine, point);
    Jacobian sum{one_montgomery, one_montgomery, zero};
    add_multiple_public(sum, t, affine);
    add_generator_multiple_public(sum, s);
    if (is_zero(sum.z) != 0) return false;
    // x = X/Z^2 is below p, v below n < p: so x = v, or x = v + n where that is still below p.
    Number z2, candidate = v;
    F::square(z2, sum.z);
    for (Word carry = 0; carry == 0 && is_below(candidate, curve::p.value) != 0;
         carry = sm2::add(candidate, candidate, curve::n.value)) {
        Number product;
        F::mul(product, candidate, curve::p.r_squared);
        F::mul(product, product, z2);
        if (is_equal(product, sum.x) != 0) return true;
    }
    return false;
}

using Portable = HostEngine<host::PortableForm>;
#if defined(__x86_64__) && !defined(ONECARD_SM2_PORTABLE_ENGINE)
using Fast = HostEngine<host::MulxForm>;
#if defined(ONECARD_SM2_ASSUME_MULX)  // for the constant-time test only
constexpr bool use_fast = true;
#else
const bool use_fast = host::MulxForm::is_supported();
#endif
#else
using Fast = Portable;
constexpr bool use_fast = false;
#endif

}  // namespace

namespace engine {

void montgomery_multiply_modulo_n(Number& out, const Number& a, const Number& b) {
    montgomery(out, a, b, curve::n);
}
void invert_modulo_n(Number& out, const Number& a) {
    sm2::invert(out, a, curve::n);
}

bool is_on_curve(const AffinePoint& point) {
    return use_fast ? Fast::is_on_curve(point) : Portable::is_on_curve(point);
}
void multiply_generator(AffinePoint& out, const Number& k) {
    return use_fast ? Fast::multiply_generator(out, k) : Portable::multiply_generator(out, k);
}
void multiply(AffinePoint& out, const Number& k, const AffinePoint& point) {
    return use_fast ? Fast::multiply(out, k, point) : Portable::multiply(out, k, point);
}
bool sum_has_x(const Number& s, const Number& t, const AffinePoint& point, const Number& v) {
    return use_fast ? Fast::sum_has_x(s, t, point, v) : Portable::sum_has_x(s, t, point, v);
}

}  // namespace engine
}  // namespace crypto::sm2
