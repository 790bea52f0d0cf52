#pragma once
// SM4's S-box as its designers built it, and the same seen from the AES field, which is what
// processors can invert in. Everything here is computed by the compiler; the functions leave no
// code behind, so files compiled for different instruction sets may all include it.
// docs/mac_engine.md, 2.
#include <cstdint>

namespace crypto::batch::sm4_field {

/// S(x) = A(inverse(A(x) + c)) + c in GF(2)[z] / (z^8+z^7+z^6+z^5+z^4+z^2+1). GB/T 32907-2016, 6.2,
/// gives only the table; tests compare all 256 entries.
constexpr unsigned field_polynomial = 0x1F5;
constexpr std::uint8_t affine_constant = 0xD3;
constexpr unsigned aes_polynomial = 0x11B;  // FIPS 197, 4.2

/// A matrix over GF(2): row[i] selects the input bits whose sum is output bit i (0 the least).
struct Matrix {
    std::uint8_t row[8];
};

consteval std::uint8_t parity(unsigned x) {
    return static_cast<std::uint8_t>(__builtin_parity(x));
}

consteval std::uint8_t apply(const Matrix& matrix, std::uint8_t x) {
    unsigned out = 0;
    for (unsigned i = 0; i < 8; ++i)
        out |= static_cast<unsigned>(parity(static_cast<unsigned>(matrix.row[i] & x))) << i;
    return static_cast<std::uint8_t>(out);
}

/// The matrix of a linear map, from its values on the eight unit vectors.
consteval Matrix from_columns(const std::uint8_t (&column)[8]) {
    Matrix out{};
    for (unsigned i = 0; i < 8; ++i) {
        for (unsigned j = 0; j < 8; ++j) {
            out.row[i] = static_cast<std::uint8_t>(out.row[i] | (column[j] >> i & 1) << j);
        }
    }
    return out;
}

/// First b, then a.
consteval Matrix multiply(const Matrix& a, const Matrix& b) {
    std::uint8_t column[8]{};
    for (unsigned j = 0; j < 8; ++j) {
        column[j] = apply(a, apply(b, static_cast<std::uint8_t>(1U << j)));
    }
    return from_columns(column);
}

consteval Matrix add(const Matrix& a, const Matrix& b) {
    Matrix out{};
    for (unsigned i = 0; i < 8; ++i) out.row[i] = static_cast<std::uint8_t>(a.row[i] ^ b.row[i]);
    return out;
}

consteval Matrix invert(const Matrix& matrix) {
    std::uint8_t column[8]{};
    for (unsigned j = 0; j < 8; ++j) {
        for (unsigned x = 0; x < 256; ++x) {
            if (apply(matrix, static_cast<std::uint8_t>(x)) == 1U << j) {
                column[j] = static_cast<std::uint8_t>(x);
            }
        }
    }
    return from_columns(column);
}

consteval std::uint8_t multiply(unsigned a, unsigned b, unsigned polynomial) {
    unsigned product = 0;
    for (unsigned i = 0; i < 8; ++i) product ^= (b >> i & 1U) * (a << i);
    for (unsigned i = 15; i >= 8; --i) product ^= (product >> i & 1U) * (polynomial << (i - 8));
    return static_cast<std::uint8_t>(product);
}

/// The map A: output bit 7-i is the parity of the input under 0xD3 rotated right i times.
consteval Matrix affine_matrix() {
    Matrix out{};
    for (unsigned i = 0; i < 8; ++i) {
        out.row[7 - i] = static_cast<std::uint8_t>(0xD3U >> i | 0xD3U << (8 - i));
    }
    return out;
}

/// An isomorphism from SM4's field to AES's: it sends z to a root, there, of SM4's polynomial.
consteval Matrix to_aes_field() {
    for (unsigned root = 2; root < 256; ++root) {
        std::uint8_t power[9]{1};
        std::uint8_t value = 1;
        for (unsigned i = 1; i <= 8; ++i) {
            power[i] = multiply(power[i - 1], root, aes_polynomial);
            if (field_polynomial >> i & 1) value ^= power[i];
        }
        if (value != 0) continue;
        std::uint8_t column[8]{};
        for (unsigned i = 0; i < 8; ++i) column[i] = power[i];
        return from_columns(column);
    }
    return {};  // unreachable: both polynomials are irreducible of degree 8
}

consteval Matrix identity() {
    return {{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80}};
}
consteval Matrix shift_left(unsigned n) {
    std::uint8_t column[8]{};
    for (unsigned j = 0; j < 8; ++j) column[j] = static_cast<std::uint8_t>(1U << j << n);
    return from_columns(column);
}
consteval Matrix shift_right(unsigned n) {
    std::uint8_t column[8]{};
    for (unsigned j = 0; j < 8; ++j) column[j] = static_cast<std::uint8_t>(1U << j >> n);
    return from_columns(column);
}

// S(x) = out(inverse_aes(in(x) + in_constant)) + affine_constant.
inline constexpr Matrix in = multiply(to_aes_field(), affine_matrix());
inline constexpr std::uint8_t in_constant = apply(to_aes_field(), affine_constant);
inline constexpr Matrix out = multiply(affine_matrix(), invert(to_aes_field()));
inline constexpr Matrix in_inverse = invert(in);

/// A linear map of S-box outputs, as a map from the inverse in the AES field to the kernels' basis
/// y = in(x).
consteval Matrix after_inverse(const Matrix& map) {
    return multiply(in, multiply(map, out));
}
/// What it adds: the S-box's own constant, mapped.
consteval std::uint8_t constant_of(const Matrix& map) {
    return apply(in, apply(map, affine_constant));
}

/// The operand of gf2p8affineqb: row i in byte 7-i. Intel SDM, GF2P8AFFINEQB.
consteval std::uint64_t as_gfni(const Matrix& matrix) {
    std::uint64_t packed = 0;
    for (unsigned i = 0; i < 8; ++i) {
        packed |= static_cast<std::uint64_t>(matrix.row[i]) << (8 * (7 - i));
    }
    return packed;
}

}  // namespace crypto::batch::sm4_field
