// SM4, 32 cards in each vector: AVX2 and AES-NI, for processors without GFNI.
//
// The last round of AES with a zero key is the AES S-box of every byte and a ShiftRows. The shuffle
// is undone by a shuffle; of the S-box, which is inversion and an affine map, the map is undone
// together with the one that is wanted. A linear map of a byte is the sum of two table entries, one
// for each half of it, and a shuffle looks up 32 of them at once.
#include <immintrin.h>

#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"
#include "crypto/batch/sm4_lane_constants.hpp"

namespace crypto::batch {
namespace {

#include "crypto/batch/avx2_bytes.inc"

/// FIPS 197, 5.1.1: SubBytes is this map of the inverse, plus 0x63.
consteval sm4_field::Matrix aes_affine() {
    sm4_field::Matrix out{};
    for (unsigned i = 0; i < 8; ++i) {
        for (unsigned j = 4; j <= 8; ++j) {
            out.row[i] = static_cast<std::uint8_t>(out.row[i] | 1U << (i + j) % 8);
        }
    }
    return out;
}
constexpr std::uint8_t aes_constant = 0x63;

/// A map of a byte as two tables of sixteen.
struct alignas(16) Tables {
    std::uint8_t low[16];
    std::uint8_t high[16];
};
consteval Tables make_tables(const sm4_field::Matrix& matrix, std::uint8_t constant) {
    Tables out{};
    for (unsigned i = 0; i < 16; ++i) {
        out.low[i] = static_cast<std::uint8_t>(
            sm4_field::apply(matrix, static_cast<std::uint8_t>(i)) ^ constant);
        out.high[i] = sm4_field::apply(matrix, static_cast<std::uint8_t>(16 * i));
    }
    return out;
}
/// `matrix` of SM4's S-box output, plus a constant, from AES's S-box output.
consteval Tables after_aes(const sm4_field::Matrix& matrix, std::uint8_t constant) {
    const auto whole =
        sm4_field::multiply(sm4_field::after_inverse(matrix), sm4_field::invert(aes_affine()));
    return make_tables(whole,
                       static_cast<std::uint8_t>(sm4_field::apply(whole, aes_constant) ^ constant));
}

constexpr Tables enter_tables = make_tables(sm4_field::in, 0);
constexpr Tables leave_tables = make_tables(sm4_field::in_inverse, 0);
constexpr Tables p_tables = after_aes(text_p, 0);
constexpr Tables q_tables = after_aes(text_q, text_constant);
constexpr Tables i_tables = after_aes(key_i, key_constant);
constexpr Tables a_tables = after_aes(key_a, 0);
constexpr Tables b_tables = after_aes(key_b, 0);
constexpr Tables c_tables = after_aes(key_c, 0);

struct Halves {
    V low, high;
};
ALWAYS_INLINE Halves split(V x) {
    const V mask = fill(0x0F);
    return {_mm256_and_si256(x, mask), _mm256_and_si256(_mm256_srli_epi16(x, 4), mask)};
}
ALWAYS_INLINE V look_up(const Tables& tables, const Halves& x) {
    const V low = _mm256_broadcastsi128_si256(load16(tables.low));
    const V high = _mm256_broadcastsi128_si256(load16(tables.high));
    return xor2(_mm256_shuffle_epi8(low, x.low), _mm256_shuffle_epi8(high, x.high));
}

ALWAYS_INLINE V enter(V x) {
    return look_up(enter_tables, split(x));
}
ALWAYS_INLINE V leave(V y) {
    return look_up(leave_tables, split(y));
}

ALWAYS_INLINE Halves aes_sbox(V t) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i first = _mm_aesenclast_si128(_mm256_castsi256_si128(t), zero);
    const __m128i second = _mm_aesenclast_si128(_mm256_extracti128_si256(t, 1), zero);
    const V shifted = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    // FIPS 197, 5.3.1: InvShiftRows.
    const V back = _mm256_setr_epi8(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3,  //
                                    0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
    return split(_mm256_shuffle_epi8(shifted, back));
}

ALWAYS_INLINE void substitute(const V (&t)[4], V (&p)[4], V (&q)[4]) {
    UNROLL for (unsigned j = 0; j < 4; ++j) {
        const Halves x = aes_sbox(t[j]);
        p[j] = look_up(p_tables, x);
        q[j] = look_up(q_tables, x);
    }
}
ALWAYS_INLINE void substitute_key(V t, V& i, V& a, V& b, V& c) {
    const Halves x = aes_sbox(t);
    i = look_up(i_tables, x);
    a = look_up(a_tables, x);
    b = look_up(b_tables, x);
    c = look_up(c_tables, x);
}

#include "crypto/batch/sm4_lanes.inc"

}  // namespace

void sm4_avx2_aes(const LaneJob& job) {
    compute(job);
}

}  // namespace crypto::batch
