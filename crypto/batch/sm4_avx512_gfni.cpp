// SM4, 64 cards in each vector: AVX-512 (F, BW) and GFNI.
#include <immintrin.h>

#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"
#include "crypto/batch/sm4_lane_constants.hpp"

namespace crypto::batch {
namespace {

using V = __m512i;

ALWAYS_INLINE V xor2(V a, V b) {
    return _mm512_xor_si512(a, b);
}
ALWAYS_INLINE V xor3(V a, V b, V c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}
ALWAYS_INLINE V fill(unsigned byte) {
    return _mm512_set1_epi8(static_cast<char>(byte));
}
ALWAYS_INLINE V fill_from(const std::uint32_t* word) {
    return _mm512_set1_epi32(static_cast<int>(*word));
}

template <sm4_field::Matrix matrix>
ALWAYS_INLINE V map(V x) {
    constexpr auto packed = static_cast<long long>(sm4_field::as_gfni(matrix));
    return _mm512_gf2p8affine_epi64_epi8(x, _mm512_set1_epi64(packed), 0);
}
/// `matrix` of the S-box's output, in the basis y, plus a constant.
template <sm4_field::Matrix matrix, std::uint8_t constant>
ALWAYS_INLINE V map_inverse(V t) {
    constexpr auto packed =
        static_cast<long long>(sm4_field::as_gfni(sm4_field::after_inverse(matrix)));
    return _mm512_gf2p8affineinv_epi64_epi8(t, _mm512_set1_epi64(packed), constant);
}

ALWAYS_INLINE V enter(V x) {
    return map<sm4_field::in>(x);
}
ALWAYS_INLINE V leave(V y) {
    return map<sm4_field::in_inverse>(y);
}

/// The q's first: more has to be done with them.
ALWAYS_INLINE void substitute(const V (&t)[4], V (&p)[4], V (&q)[4]) {
    UNROLL for (unsigned j = 0; j < 4; ++j) q[j] = map_inverse<text_q, text_constant>(t[j]);
    UNROLL for (unsigned j = 0; j < 4; ++j) p[j] = map_inverse<text_p, 0>(t[j]);
}
ALWAYS_INLINE void substitute_key(V t, V& i, V& a, V& b, V& c) {
    i = map_inverse<key_i, key_constant>(t);
    a = map_inverse<key_a, 0>(t);
    b = map_inverse<key_b, 0>(t);
    c = map_inverse<key_c, 0>(t);
}

ALWAYS_INLINE __m128i load16(const std::uint8_t* bytes) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

/// 64 rows of 16 bytes become 16 vectors of 64: quarter l of vector b has byte b of lanes 16l ..
/// 16l + 15.
NOINLINE void load_column(const std::uint8_t* const* rows, std::size_t offset, V* out) {
    V r[16];
    UNROLL for (unsigned i = 0; i < 16; ++i) {
        V row = _mm512_castsi128_si512(load16(rows[i] + offset));
        row = _mm512_inserti32x4(row, load16(rows[i + 16] + offset), 1);
        row = _mm512_inserti32x4(row, load16(rows[i + 32] + offset), 2);
        r[i] = _mm512_inserti32x4(row, load16(rows[i + 48] + offset), 3);
    }
    // Interleaving the first half of the vectors with the second, four times, transposes 16 x 16
    // bytes.
    UNROLL for (unsigned step = 0; step < 4; ++step) {
        V next[16];
        UNROLL for (unsigned i = 0; i < 8; ++i) {
            next[2 * i] = _mm512_unpacklo_epi8(r[i], r[i + 8]);
            next[2 * i + 1] = _mm512_unpackhi_epi8(r[i], r[i + 8]);
        }
        UNROLL for (unsigned i = 0; i < 16; ++i) r[i] = next[i];
    }
    UNROLL for (unsigned i = 0; i < 16; ++i) out[i] = r[i];
}

ALWAYS_INLINE void store_macs(const V (&mac)[4], std::uint8_t (*out)[4]) {
    const V low01 = _mm512_unpacklo_epi8(mac[0], mac[1]);
    const V high01 = _mm512_unpackhi_epi8(mac[0], mac[1]);
    const V low23 = _mm512_unpacklo_epi8(mac[2], mac[3]);
    const V high23 = _mm512_unpackhi_epi8(mac[2], mac[3]);
    const V four[4] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                       _mm512_unpacklo_epi16(high01, high23),
                       _mm512_unpackhi_epi16(high01, high23)};
    UNROLL for (unsigned m = 0; m < 4; ++m) {  // quarter l of four[m]: lanes 16l + 4m .. + 3
        auto* at = reinterpret_cast<__m128i*>(out + 4 * m);
        _mm_storeu_si128(at, _mm512_extracti32x4_epi32(four[m], 0));
        _mm_storeu_si128(at + 4, _mm512_extracti32x4_epi32(four[m], 1));
        _mm_storeu_si128(at + 8, _mm512_extracti32x4_epi32(four[m], 2));
        _mm_storeu_si128(at + 12, _mm512_extracti32x4_epi32(four[m], 3));
    }
}

#include "crypto/batch/sm4_lanes.inc"

}  // namespace

void sm4_avx512_gfni(const LaneJob& job) {
    compute(job);
}

}  // namespace crypto::batch
