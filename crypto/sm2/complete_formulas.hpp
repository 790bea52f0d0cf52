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
#include "crypto/sm2/number.hpp"

namespace crypto::sm2 {

/// Coordinates in the Montgomery form of the field that is used.
struct Projective {
    Number x, y, z;
};

/// Algorithm 4: 12 multiplications and 2 by b. `out` may be p or q. F is the field: static mul, add
/// and sub (out first, which may be an operand), and b(), the curve's b in Montgomery form.
template <class F>
constexpr void add(Projective& out, const Projective& p, const Projective& q) {
    Number t0, t1, t2, t3, t4, x3, y3, z3;
    F::mul(t0, p.x, q.x);  // steps 1-3
    F::mul(t1, p.y, q.y);
    F::mul(t2, p.z, q.z);
    F::add(t3, p.x, p.y);  // 4-8: t3 = X1 Y2 + X2 Y1
    F::add(t4, q.x, q.y);
    F::mul(t3, t3, t4);
    F::add(t4, t0, t1);
    F::sub(t3, t3, t4);
    F::add(t4, p.y, p.z);  // 9-13: t4 = Y1 Z2 + Y2 Z1
    F::add(x3, q.y, q.z);
    F::mul(t4, t4, x3);
    F::add(x3, t1, t2);
    F::sub(t4, t4, x3);
    F::add(x3, p.x, p.z);  // 14-18: y3 = X1 Z2 + X2 Z1
    F::add(y3, q.x, q.z);
    F::mul(x3, x3, y3);
    F::add(y3, t0, t2);
    F::sub(y3, x3, y3);
    F::mul(z3, F::b(), t2);  // 19-24
    F::sub(x3, y3, z3);
    F::add(z3, x3, x3);
    F::add(x3, x3, z3);
    F::sub(z3, t1, x3);
    F::add(x3, t1, x3);
    F::mul(y3, F::b(), y3);  // 25-31
    F::add(t1, t2, t2);
    F::add(t2, t1, t2);
    F::sub(y3, y3, t2);
    F::sub(y3, y3, t0);
    F::add(t1, y3, y3);
    F::add(y3, t1, y3);
    F::add(t1, t0, t0);  // 32-34
    F::add(t0, t1, t0);
    F::sub(t0, t0, t2);
    F::mul(t1, t4, y3);  // 35-38
    F::mul(t2, t0, y3);
    F::mul(y3, x3, z3);
    F::add(out.y, y3, t2);
    F::mul(x3, t3, x3);  // 39-40
    F::sub(out.x, x3, t1);
    F::mul(z3, t4, z3);  // 41-43
    F::mul(t1, t3, t0);
    F::add(out.z, z3, t1);
}

/// Algorithm 6: 11 multiplications and 2 by b. `out` may be p.
template <class F>
constexpr void twice(Projective& out, const Projective& p) {
    Number t0, t1, t2, t3, x3, y3, z3;
    F::mul(t0, p.x, p.x);  // steps 1-7
    F::mul(t1, p.y, p.y);
    F::mul(t2, p.z, p.z);
    F::mul(t3, p.x, p.y);
    F::add(t3, t3, t3);
    F::mul(z3, p.x, p.z);
    F::add(z3, z3, z3);
    F::mul(y3, F::b(), t2);  // 8-15
    F::sub(y3, y3, z3);
    F::add(x3, y3, y3);
    F::add(y3, x3, y3);
    F::sub(x3, t1, y3);
    F::add(y3, t1, y3);
    F::mul(y3, x3, y3);
    F::mul(x3, x3, t3);
    F::add(t3, t2, t2);  // 16-22
    F::add(t2, t2, t3);
    F::mul(z3, F::b(), z3);
    F::sub(z3, z3, t2);
    F::sub(z3, z3, t0);
    F::add(t3, z3, z3);
    F::add(z3, z3, t3);
    F::add(t3, t0, t0);  // 23-27
    F::add(t0, t3, t0);
    F::sub(t0, t0, t2);
    F::mul(t0, t0, z3);
    F::add(y3, y3, t0);
    F::mul(t0, p.y, p.z);  // 28-34
    F::add(t0, t0, t0);
    F::mul(z3, t0, z3);
    F::sub(out.x, x3, z3);
    F::mul(z3, t0, t1);
    F::add(z3, z3, z3);
    F::add(out.z, z3, z3);
    out.y = y3;
}

}  // namespace crypto::sm2
