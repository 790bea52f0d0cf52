#pragma once
// The SM4 S-box as a circuit, derived from its definition by the compiler.
//
//   S(x) = A * inverse(A * x + C) + C      in GF(2^8) with x^8+x^7+x^6+x^5+x^4+x^2+1,
//   A cyclic: row i is A7 rotated left by i bits; C = D3.        (GB/T 32907-2016, table 1, in
//   algebra)
//
// Inversion is cheap in a tower of fields, where it comes down to multiplications of single bits:
//   GF(4) = GF(2)[w], w^2 = w + 1;   GF(16) = GF(4)[y], y^2 = y + w;   GF(256) = GF(16)[z], z^2 = z
//   + 9.
// A root of SM4's polynomial in the tower gives the change of basis; both maps merge with A, so
// that the S-box is: linear map, inversion, linear map, with C added before and after. Of the 64
// towers and roots this pair needs the fewest XORs in the maps: 39. In all 36 ANDs and about 130
// XORs for every byte in the word.
#include <array>
#include <cstdint>

namespace crypto::sm4_circuit {

// ---- Arithmetic on single elements, for the compiler only. ----
// An element of the tower is written as bits: the upper half is the coefficient of w, y or z.

consteval unsigned multiply_gf4(unsigned a, unsigned b) {
    const unsigned high = (a >> 1) & (b >> 1);
    const unsigned low = a & b & 1;
    const unsigned cross = ((a >> 1) ^ a) & ((b >> 1) ^ b) & 1;
    return (cross ^ low) << 1 | (low ^ high);
}
consteval unsigned multiply_gf16(unsigned a, unsigned b) {
    const unsigned high = multiply_gf4(a >> 2, b >> 2);
    const unsigned low = multiply_gf4(a & 3, b & 3);
    const unsigned cross = multiply_gf4((a >> 2) ^ (a & 3), (b >> 2) ^ (b & 3));
    return (cross ^ low) << 2 | (low ^ multiply_gf4(2, high));
}
consteval unsigned multiply_gf256(unsigned a, unsigned b) {
    const unsigned high = multiply_gf16(a >> 4, b >> 4);
    const unsigned low = multiply_gf16(a & 15, b & 15);
    const unsigned cross = multiply_gf16((a >> 4) ^ (a & 15), (b >> 4) ^ (b & 15));
    return (cross ^ low) << 4 | (low ^ multiply_gf16(9, high));
}

/// A linear map over GF(2): column j is the image of bit j.
using Matrix = std::array<std::uint8_t, 8>;

consteval unsigned apply(const Matrix& columns, unsigned x) {
    unsigned out = 0;
    for (unsigned j = 0; j < 8; ++j) out ^= (x >> j & 1) ? columns[j] : 0U;
    return out;
}
consteval Matrix compose(const Matrix& second, const Matrix& first) {
    Matrix out{};
    for (unsigned j = 0; j < 8; ++j) {
        out[j] = static_cast<std::uint8_t>(apply(second, first[j]));
    }
    return out;
}
consteval Matrix invert(const Matrix& map) {
    Matrix out{};
    for (unsigned x = 1; x < 256; ++x) {
        const unsigned image = apply(map, x);
        for (unsigned j = 0; j < 8; ++j) {
            if (image == 1U << j) out[j] = static_cast<std::uint8_t>(x);
        }
    }
    return out;
}
/// A of the definition, by columns: it is cyclic, so column j holds row i's bit j.
consteval Matrix affine_matrix() {
    Matrix out{};
    for (unsigned i = 0; i < 8; ++i) {
        const unsigned row = (0xA7U << i | 0xA7U >> (8 - i)) & 0xFF;
        for (unsigned j = 0; j < 8; ++j) {
            out[j] = static_cast<std::uint8_t>(out[j] | (row >> j & 1) << i);
        }
    }
    return out;
}
constexpr unsigned affine_constant = 0xD3;

/// From SM4's field into the tower: column j is the root to the power j.
constexpr unsigned root = 0x8B;
consteval Matrix into_tower() {
    Matrix out{};
    unsigned power = 1;
    for (unsigned j = 0; j < 8; ++j) {
        out[j] = static_cast<std::uint8_t>(power);
        power = multiply_gf256(power, root);
    }
    return out;
}
consteval unsigned power_of_root(unsigned exponent) {
    unsigned power = 1;
    for (unsigned i = 0; i < exponent; ++i) power = multiply_gf256(power, root);
    return power;
}
static_assert((power_of_root(8) ^ power_of_root(7) ^ power_of_root(6) ^ power_of_root(5) ^
               power_of_root(4) ^ power_of_root(2) ^ 1) == 0,
              "0x8B is a root of x^8+x^7+x^6+x^5+x^4+x^2+1");

constexpr Matrix map_in = compose(into_tower(), affine_matrix());
constexpr Matrix map_out = compose(affine_matrix(), invert(into_tower()));
/// Added before `map_in`, where it is one XOR on the word, instead of after: A * k = C.
constexpr unsigned constant_in = apply(invert(affine_matrix()), affine_constant);

// ---- The circuit. A plane holds one bit of each of many bytes: of the four in a word below, where
// other bits are noise, or of 128 cards' in crypto/batch. ----

template <class Plane>
struct Gf4 {
    Plane high, low;
};
template <class Plane>
struct Gf16 {
    Gf4<Plane> high, low;
};

template <class Plane>
constexpr Gf4<Plane> operator^(Gf4<Plane> a, Gf4<Plane> b) {
    return {a.high ^ b.high, a.low ^ b.low};
}
template <class Plane>
constexpr Gf16<Plane> operator^(Gf16<Plane> a, Gf16<Plane> b) {
    return {a.high ^ b.high, a.low ^ b.low};
}

template <class Plane>
constexpr Gf4<Plane> operator*(Gf4<Plane> a, Gf4<Plane> b) {
    const Plane low = a.low & b.low;
    const Plane cross = (a.high ^ a.low) & (b.high ^ b.low);
    return {cross ^ low, low ^ (a.high & b.high)};
}
template <class Plane>
constexpr Gf4<Plane> square(Gf4<Plane> a) {
    return {a.high, a.high ^ a.low};
}
template <class Plane>
constexpr Gf4<Plane> times_w(Gf4<Plane> a) {
    return {a.high ^ a.low, a.high};
}

template <class Plane>
constexpr Gf16<Plane> operator*(Gf16<Plane> a, Gf16<Plane> b) {
    const Gf4<Plane> low = a.low * b.low;
    const Gf4<Plane> cross = (a.high ^ a.low) * (b.high ^ b.low);
    return {cross ^ low, low ^ times_w(a.high * b.high)};
}
template <class Plane>
constexpr Gf16<Plane> square(Gf16<Plane> a) {  // (h y + l)^2 = h^2 y + (w h^2 + l^2)
    const Gf4<Plane> high = square(a.high);
    return {high, times_w(high) ^ square(a.low)};
}
template <class Plane>
constexpr Gf16<Plane> times_9(Gf16<Plane> a) {
    return a ^ Gf16<Plane>{times_w(a.high ^ a.low), times_w(times_w(a.high))};
}
template <class Plane>
constexpr Gf16<Plane> inverse(Gf16<Plane> a) {
    const Gf4<Plane> norm = times_w(square(a.high)) ^ (a.high ^ a.low) * a.low;
    const Gf4<Plane> inverse_norm = square(norm);  // in GF(4), x^-1 = x^2
    return {a.high * inverse_norm, (a.high ^ a.low) * inverse_norm};
}

template <class Plane>
struct Planes {
    std::array<Plane, 8> bit;
};

template <class Plane>
constexpr Planes<Plane> inverse(const Planes<Plane>& x) {  // of zero: zero
    const Gf16<Plane> high{{x.bit[7], x.bit[6]}, {x.bit[5], x.bit[4]}};
    const Gf16<Plane> low{{x.bit[3], x.bit[2]}, {x.bit[1], x.bit[0]}};
    const Gf16<Plane> norm = times_9(square(high)) ^ (high ^ low) * low;
    const Gf16<Plane> inverse_norm = inverse(norm);
    const Gf16<Plane> h = high * inverse_norm;
    const Gf16<Plane> l = (high ^ low) * inverse_norm;
    return {{l.low.low, l.low.high, l.high.low, l.high.high, h.low.low, h.low.high, h.high.low,
             h.high.high}};
}

/// Which planes enter each sum is known to the compiler: this is a list of XORs.
template <Matrix columns, class Plane>
constexpr Planes<Plane> map(const Planes<Plane>& x) {
    Planes<Plane> out{};
    [&]<std::size_t... cell>(std::index_sequence<cell...>) {
        ((out.bit[cell / 8] ^= (columns[cell % 8] >> (cell / 8) & 1) ? x.bit[cell % 8] : Plane{}),
         ...);
    }(std::make_index_sequence<64>{});
    return out;
}

/// S on each of the four bytes of `word`: tau of GB/T 32907-2016, 6.2.1.
constexpr std::uint32_t substitute(std::uint32_t word) {
    constexpr std::uint32_t every_byte = 0x01010101;
    const std::uint32_t moved = word ^ constant_in * every_byte;
    Planes<std::uint32_t> x{};
    for (unsigned i = 0; i < 8; ++i) x.bit[i] = moved >> i;
    const Planes<std::uint32_t> y = map<map_out>(inverse(map<map_in>(x)));
    std::uint32_t out = affine_constant * every_byte;
    for (unsigned i = 0; i < 8; ++i) out ^= (y.bit[i] & every_byte) << i;
    return out;
}
static_assert(substitute(0x000102FF) == 0xD690E948, "GB/T 32907-2016, table 1: corners");

}  // namespace crypto::sm4_circuit
