// 3DES, 512 cards in each vector: AVX-512 (F), whose one instruction for any function of three bits
// shortens the S-boxes from some 60 gates to some 30.
#include <immintrin.h>

#include "crypto/batch/des_tables.hpp"
#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"

namespace crypto::batch {
namespace {

using Word [[gnu::may_alias]] = std::uint64_t;
using V [[gnu::vector_size(64), gnu::may_alias]] = std::uint64_t;

/// Bit 4a + 2b + c of `function` is the gate's output.
template <unsigned function>
ALWAYS_INLINE V lut(V a, V b, V c) {
    return reinterpret_cast<V>(_mm512_ternarylogic_epi64(reinterpret_cast<__m512i>(a),
                                                         reinterpret_cast<__m512i>(b),
                                                         reinterpret_cast<__m512i>(c), function));
}
ALWAYS_INLINE V select_add(V a, V b, Word m) {
    return lut<0x28>(a, b, V{} ^ m);
}

#include "crypto/batch/bit_lanes.inc"
#include "crypto/batch/des_circuits_lut3.inc"
#include "crypto/batch/des_lanes.inc"

}  // namespace

void des_avx512(const LaneJob& job) {
    compute(job);
}

}  // namespace crypto::batch
