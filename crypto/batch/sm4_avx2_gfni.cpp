// SM4, 32 cards in each vector: AVX2 and GFNI.
#include <immintrin.h>

#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"
#include "crypto/batch/sm4_lane_constants.hpp"

namespace crypto::batch {
namespace {

#include "crypto/batch/avx2_bytes.inc"

template <sm4_field::Matrix matrix>
ALWAYS_INLINE V map(V x) {
    constexpr auto packed = static_cast<long long>(sm4_field::as_gfni(matrix));
    return _mm256_gf2p8affine_epi64_epi8(x, _mm256_set1_epi64x(packed), 0);
}
/// `matrix` of the S-box's output, in the basis y, plus a constant.
template <sm4_field::Matrix matrix, std::uint8_t constant>
ALWAYS_INLINE V map_inverse(V t) {
    constexpr auto packed =
        static_cast<long long>(sm4_field::as_gfni(sm4_field::after_inverse(matrix)));
    return _mm256_gf2p8affineinv_epi64_epi8(t, _mm256_set1_epi64x(packed), constant);
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

#include "crypto/batch/sm4_lanes.inc"

}  // namespace

void sm4_avx2_gfni(const LaneJob& job) {
    compute(job);
}

}  // namespace crypto::batch
