#pragma once
// The functions that no fault is put into, and those of them that the host may compute for the
// emulated card: four fifths of a purchase's instructions are SM4, SM3 and memset.
#include "tests/firmware/glitch/machine.hpp"

namespace tests::glitch {

/// Inside the ciphers and the hash, and in memset, a fault disturbs a sum and no decision.
[[nodiscard]] bool is_kernel(const Function& function);
/// The names that `is_kernel` goes by, for the report.
[[nodiscard]] std::string kernels();
/// SM4, SM3's compression and memset by the host's own code. What they leave in the registers that
/// a call may change is not what the card's code leaves there.
void compute_natively(Machine& machine, const Image& image);

}  // namespace tests::glitch
