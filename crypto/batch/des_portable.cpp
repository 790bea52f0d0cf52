// 3DES, 128 cards in each vector: whatever vectors of 16 bytes the compiler has, or two words.
#include "crypto/batch/des_tables.hpp"
#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"

namespace crypto::batch {
namespace {

using Word [[gnu::may_alias]] = std::uint64_t;
using V [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;

ALWAYS_INLINE V select_add(V a, V b, Word m) {
    return (a ^ b) & m;
}

#include "crypto/batch/bit_lanes.inc"
#include "crypto/batch/des_circuits_and2.inc"
#include "crypto/batch/des_lanes.inc"

}  // namespace

void des_portable(const LaneJob& job) {
    compute(job);
}

}  // namespace crypto::batch
