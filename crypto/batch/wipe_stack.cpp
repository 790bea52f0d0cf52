#include "crypto/batch/wipe_stack.hpp"

#include <cstdint>

#include "crypto/core/secret.hpp"

namespace crypto::batch {

[[gnu::noinline]] void wipe_stack() {
    std::uint8_t below[16384];  // the kernels need less than half; unoptimised ones about as much
    wipe(below);
}

}  // namespace crypto::batch
