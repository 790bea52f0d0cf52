// The S-boxes as the lanes compute them, entry by entry.
#include <array>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "crypto/batch/des_tables.hpp"
#include "crypto/batch/lane_macros.hpp"
#include "crypto/batch/sm4_lane_constants.hpp"
#include "crypto/core/sm4_sbox.hpp"

namespace {

using V = std::uint64_t;

/// What vpternlogq computes. Intel SDM, VPTERNLOGD/VPTERNLOGQ.
template <unsigned function>
V lut(V a, V b, V c) {
    V out = 0;
    for (unsigned row = 0; row < 8; ++row) {
        if (!(function >> row & 1)) continue;
        out |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
    }
    return out;
}

namespace lut3 {
#include "crypto/batch/des_circuits_lut3.inc"
constexpr std::array boxes{sbox1, sbox2, sbox3, sbox4, sbox5, sbox6, sbox7, sbox8};
}  // namespace lut3
namespace and2 {
#include "crypto/batch/des_circuits_and2.inc"
constexpr std::array boxes{sbox1, sbox2, sbox3, sbox4, sbox5, sbox6, sbox7, sbox8};
}  // namespace and2

using Circuit = void (*)(V, V, V, V, V, V, V (&)[4]);

/// All 64 inputs at once: bit p of vector i is bit i of input p, the first of FIPS 46-3 first.
std::string wrong_entries(Circuit circuit, unsigned box) {
    V in[6]{};
    for (unsigned p = 0; p < 64; ++p) {
        for (unsigned i = 0; i < 6; ++i) in[i] |= static_cast<V>(p >> (5 - i) & 1) << p;
    }
    V out[4];
    circuit(in[0], in[1], in[2], in[3], in[4], in[5], out);
    std::string wrong;
    for (unsigned p = 0; p < 64; ++p) {
        unsigned value = 0;
        for (unsigned i = 0; i < 4; ++i) value = value << 1 | (out[i] >> p & 1);
        if (value != crypto::batch::des_tables::substitute(box, p))
            wrong += std::to_string(p) + " ";
    }
    return wrong;
}

std::uint8_t map_byte(const crypto::batch::sm4_field::Matrix& matrix, unsigned x) {
    unsigned out = 0;
    for (unsigned i = 0; i < 8; ++i) {
        out |= static_cast<unsigned>(__builtin_parity(matrix.row[i] & x)) << i;
    }
    return static_cast<std::uint8_t>(out);
}

unsigned multiply_aes(unsigned a, unsigned b) {  // FIPS 197, 4.2
    unsigned product = 0;
    for (unsigned i = 0; i < 8; ++i) product ^= (b >> i & 1) * (a << i);
    for (unsigned i = 15; i >= 8; --i) product ^= (product >> i & 1) * (0x11BU << (i - 8));
    return product;
}
std::uint8_t inverse_aes(std::uint8_t x) {
    unsigned out = 1;
    for (unsigned i = 0; i < 254; ++i) out = multiply_aes(out, x);
    return static_cast<std::uint8_t>(x == 0 ? 0 : out);
}

}  // namespace

TEST_CASE("DES S-boxes: all 8 x 64 entries of the three-input circuits (FIPS 46-3, appendix 1)") {
    for (unsigned box = 0; box < 8; ++box) {
        CAPTURE(box);
        CHECK(wrong_entries(lut3::boxes[box], box) == "");
    }
}

TEST_CASE("DES S-boxes: all 8 x 64 entries of the two-input circuits (FIPS 46-3, appendix 1)") {
    for (unsigned box = 0; box < 8; ++box) {
        CAPTURE(box);
        CHECK(wrong_entries(and2::boxes[box], box) == "");
    }
}

TEST_CASE("DES S-boxes: every row of the table is a permutation of 0..15 (FIPS 46-3, appendix 1)") {
    for (const auto& box : crypto::batch::des_tables::sbox) {
        for (unsigned row = 0; row < 4; ++row) {
            unsigned seen = 0;
            for (unsigned column = 0; column < 16; ++column) seen |= 1U << box[16 * row + column];
            CHECK(seen == 0xFFFF);
        }
    }
}

TEST_CASE("SM4 S-box: all 256 entries through the AES field (GB/T 32907-2016, table 1)") {
    using namespace crypto::batch;
    for (unsigned x = 0; x < 256; ++x) {
        const auto inside =
            static_cast<std::uint8_t>(map_byte(sm4_field::in, x) ^ sm4_field::in_constant);
        const unsigned through =
            map_byte(sm4_field::out, inverse_aes(inside)) ^ sm4_field::affine_constant;
        CAPTURE(x);
        CHECK(through == (crypto::sm4_circuit::substitute(x) & 0xFF));
        CHECK(map_byte(sm4_field::in_inverse, map_byte(sm4_field::in, x)) == x);
    }
}
