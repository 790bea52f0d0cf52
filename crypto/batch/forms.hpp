#pragma once
// Which implementation of each algorithm this machine runs. Asked of the processor once; nothing
// above crypto/ needs to know the answer. Tests and benchmarks force a form through BatchOptions.
#include <cstdint>

namespace crypto::batch {

/// Cards at once: 128, 32, 32, 64.
enum class Sm4Form : std::uint8_t { portable, avx2_aes, avx2_gfni, avx512_gfni };
/// Cards at once: 128, 256, 512.
enum class DesForm : std::uint8_t { portable, avx2, avx512 };
/// Messages at once: 1, 16.
enum class Sm3Form : std::uint8_t { portable, avx512 };

struct Forms {
    Sm4Form sm4 = Sm4Form::portable;
    DesForm des = DesForm::portable;
    Sm3Form sm3 = Sm3Form::portable;
    friend bool operator==(const Forms&, const Forms&) = default;
};

/// The fastest forms that this processor has (CPUID) and this operating system saves (XGETBV).
[[nodiscard]] Forms best_forms();

[[nodiscard]] bool is_available(Sm4Form form);
[[nodiscard]] bool is_available(DesForm form);
[[nodiscard]] bool is_available(Sm3Form form);

[[nodiscard]] const char* name(Sm4Form form);
[[nodiscard]] const char* name(DesForm form);
[[nodiscard]] const char* name(Sm3Form form);

}  // namespace crypto::batch
