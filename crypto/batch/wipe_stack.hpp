#pragma once
#include "crypto/core/wipe_stack.hpp"

namespace crypto::batch {

/// What kernels and the expansion of a key spill: the kernels need less than half of this,
/// unoptimised ones about as much.
inline void wipe_stack() {
    crypto::wipe_stack<16384>();
}

}  // namespace crypto::batch
