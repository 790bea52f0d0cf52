#pragma once
// Addition of any two points of the curve, and doubling of any one, with no exceptional case: equal
// points, opposite points and the point at infinity (0 : 1 : 0) take the same steps as all others.
// That is what lets secret scalars be constant time without an argument about which cases can
// occur.
//
// J. Renes, C. Costello, L. Batina, "Complete addition formulas for prime order elliptic curves",
// EUROCRYPT 2016 (eprint 2015/1060), algorithms 4 and 6: a = -3, homogeneous coordinates, x = X/Z,
// y = Y/Z. They are complete on curves of odd order; the order of this one is prime. Steps stand in
// the paper's order and names.
//
// The steps are data, two bytes each, and one loop runs them: as code they would take a card 600
// bytes more. The program is a constant, so the loop's flow says nothing.
#include <cstring>

#include "crypto/sm2/number.hpp"

namespace crypto::sm2 {

/// Coordinates in the Montgomery form of the field that is used.
struct Projective {
    Number x, y, z;
};

namespace formula {

enum Register : std::uint8_t {
    x1,
    y1,
    z1,
    x2,
    y2,
    z2,
    t0,
    t1,
    t2,
    t3,
    t4,
    x3,
    y3,
    z3,
    register_count
};
enum Kind : std::uint8_t { kind_mul, kind_mul_b, kind_add, kind_sub };

struct Step {
    std::uint16_t code;  // kind, result, operands: four bits each
    [[nodiscard]] constexpr Kind kind() const { return static_cast<Kind>(code >> 12); }
    [[nodiscard]] constexpr std::size_t result() const { return code >> 8 & 0xF; }
    [[nodiscard]] constexpr std::size_t left() const { return code >> 4 & 0xF; }
    [[nodiscard]] constexpr std::size_t right() const { return code & 0xF; }
};
constexpr Step step(Kind kind, Register result, Register left, Register right) {
    return {static_cast<std::uint16_t>(kind << 12 | result << 8 | left << 4 | right)};
}
constexpr Step mul(Register result, Register left, Register right) {
    return step(kind_mul, result, left, right);
}
constexpr Step mul_b(Register result, Register right) {
    return step(kind_mul_b, result, x1, right);
}
constexpr Step add(Register result, Register left, Register right) {
    return step(kind_add, result, left, right);
}
constexpr Step sub(Register result, Register left, Register right) {
    return step(kind_sub, result, left, right);
}

/// Algorithm 4: (x3 : y3 : z3) = (x1 : y1 : z1) + (x2 : y2 : z2), 12 multiplications and 2 by b.
inline constexpr std::array addition{
    // steps 1-3
    mul(t0, x1, x2), mul(t1, y1, y2), mul(t2, z1, z2),
    // 4-8: t3 = X1 Y2 + X2 Y1
    add(t3, x1, y1), add(t4, x2, y2), mul(t3, t3, t4), add(t4, t0, t1), sub(t3, t3, t4),
    // 9-13: t4 = Y1 Z2 + Y2 Z1
    add(t4, y1, z1), add(x3, y2, z2), mul(t4, t4, x3), add(x3, t1, t2), sub(t4, t4, x3),
    // 14-18: Y3 = X1 Z2 + X2 Z1
    add(x3, x1, z1), add(y3, x2, z2), mul(x3, x3, y3), add(y3, t0, t2), sub(y3, x3, y3),
    // 19-24
    mul_b(z3, t2), sub(x3, y3, z3), add(z3, x3, x3), add(x3, x3, z3), sub(z3, t1, x3),
    add(x3, t1, x3),
    // 25-31
    mul_b(y3, y3), add(t1, t2, t2), add(t2, t1, t2), sub(y3, y3, t2), sub(y3, y3, t0),
    add(t1, y3, y3), add(y3, t1, y3),
    // 32-34
    add(t1, t0, t0), add(t0, t1, t0), sub(t0, t0, t2),
    // 35-38
    mul(t1, t4, y3), mul(t2, t0, y3), mul(y3, x3, z3), add(y3, y3, t2),
    // 39-40
    mul(x3, t3, x3), sub(x3, x3, t1),
    // 41-43
    mul(z3, t4, z3), mul(t1, t3, t0), add(z3, z3, t1)};
static_assert(addition.size() == 43);

/// Algorithm 6: (x3 : y3 : z3) = 2 (x1 : y1 : z1), 11 multiplications and 2 by b.
inline constexpr std::array doubling{
    // steps 1-7
    mul(t0, x1, x1), mul(t1, y1, y1), mul(t2, z1, z1), mul(t3, x1, y1), add(t3, t3, t3),
    mul(z3, x1, z1), add(z3, z3, z3),
    // 8-15
    mul_b(y3, t2), sub(y3, y3, z3), add(x3, y3, y3), add(y3, x3, y3), sub(x3, t1, y3),
    add(y3, t1, y3), mul(y3, x3, y3), mul(x3, x3, t3),
    // 16-22
    add(t3, t2, t2), add(t2, t2, t3), mul_b(z3, z3), sub(z3, z3, t2), sub(z3, z3, t0),
    add(t3, z3, z3), add(z3, z3, t3),
    // 23-27
    add(t3, t0, t0), add(t0, t3, t0), sub(t0, t0, t2), mul(t0, t0, z3), add(y3, y3, t0),
    // 28-34
    mul(t0, y1, z1), add(t0, t0, t0), mul(z3, t0, z3), sub(x3, x3, z3), mul(z3, t0, t1),
    add(z3, z3, z3), add(z3, z3, z3)};
static_assert(doubling.size() == 34);

using Registers = std::array<Number, register_count>;

/// F is the field: static mul, add and sub (out first, which may be an operand), and b(), the
/// curve's b.
template <class F>
void run(Registers& registers, std::span<const Step> steps) {
    for (const Step step : steps) {
        Number& result = registers[step.result()];
        const Number& left = registers[step.left()];
        const Number& right = registers[step.right()];
        switch (step.kind()) {
            case kind_mul: F::mul(result, left, right); break;
            case kind_mul_b: F::mul(result, F::b(), right); break;
            case kind_add: F::add(result, left, right); break;
            case kind_sub: F::sub(result, left, right); break;
        }
    }
}

}  // namespace formula

/// out = what `steps` make of p and q; `out` may be either. The registers are left as they are: a
/// wipe of the stack at the end of the whole operation reaches them (with_stack_wiped).
template <class F>
void apply(Projective& out, const Projective& p, const Projective& q,
           std::span<const formula::Step> steps) {
    static_assert(sizeof(Projective) == 3 * sizeof(Number));
    formula::Registers registers;
    std::memcpy(&registers[formula::x1], &p, sizeof p);
    std::memcpy(&registers[formula::x2], &q, sizeof q);
    formula::run<F>(registers, steps);
    std::memcpy(&out, &registers[formula::x3], sizeof out);
}

/// out = p + q, any two points. `out` may be either.
template <class F>
void add(Projective& out, const Projective& p, const Projective& q) {
    apply<F>(out, p, q, formula::addition);
}

/// point = 2 point, any point.
template <class F>
void twice(Projective& point) {
    apply<F>(point, point, point, formula::doubling);
}

}  // namespace crypto::sm2
