#pragma once
// What the scheme needs of the curve. Two engines implement it: host_engine.cpp and
// card_engine.cpp; a program links one. Constant time in every argument, except where a function
// says that its arguments are public.
#include "crypto/sm2/curve.hpp"

namespace crypto::sm2::engine {

/// out = a b / R mod n, R = 2^256. With one factor in Montgomery form, the plain product. `out` may
/// be a factor.
void montgomery_multiply_modulo_n(Number& out, const Number& a, const Number& b);
/// a^-1 mod n, from and to Montgomery form; zero for zero. `out` may be a.
void invert_modulo_n(Number& out, const Number& a);

/// y^2 = x^3 + ax + b? Public.
[[nodiscard]] bool is_on_curve(const AffinePoint& point);

/// out = [k]G. 0 < k < n.
void multiply_generator(AffinePoint& out, const Number& k);
/// out = [k]point, for a point on the curve. 0 < k < n.
void multiply(AffinePoint& out, const Number& k, const AffinePoint& point);
/// Is the x coordinate of [s]G + [t]point equal to v modulo n? Never for the point at infinity.
/// Public; s, t and v are below n.
[[nodiscard]] bool sum_has_x(const Number& s, const Number& t, const AffinePoint& point,
                             const Number& v);

}  // namespace crypto::sm2::engine
