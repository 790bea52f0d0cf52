#include "crypto/batch/forms.hpp"

#include <initializer_list>

#if defined(ONECARD_BATCH_X86)
#include <cpuid.h>
#endif

namespace crypto::batch {
namespace {

struct Processor {
    bool avx2 = false;
    bool aes = false;
    bool gfni = false;
    bool avx512 = false;  // F, BW
};

#if defined(ONECARD_BATCH_X86)

/// What the operating system saves on a task switch. Intel SDM, XGETBV, XCR0.
std::uint64_t saved_state() {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return static_cast<std::uint64_t>(high) << 32 | low;
}

Processor ask_processor() {
    Processor found;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return found;
    constexpr unsigned osxsave = 1U << 27;  // Intel SDM, CPUID, leaf 1, ECX
    constexpr unsigned aes = 1U << 25;
    if ((ecx & osxsave) == 0) return found;
    const bool has_aes = (ecx & aes) != 0;
    constexpr std::uint64_t sse_and_avx = 0x06;     // XCR0 bits 1, 2
    constexpr std::uint64_t opmask_and_zmm = 0xE0;  // XCR0 bits 5, 6, 7
    const std::uint64_t saved = saved_state();
    if ((saved & sse_and_avx) != sse_and_avx) return found;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return found;
    constexpr unsigned avx2 = 1U << 5;  // leaf 7, EBX
    constexpr unsigned avx512f = 1U << 16;
    constexpr unsigned avx512bw = 1U << 30;
    constexpr unsigned gfni = 1U << 8;  // leaf 7, ECX
    found.avx2 = (ebx & avx2) != 0;
    found.aes = has_aes;
    found.gfni = (ecx & gfni) != 0;
    found.avx512 =
        (ebx & avx512f) != 0 && (ebx & avx512bw) != 0 && (saved & opmask_and_zmm) == opmask_and_zmm;
    return found;
}

#else

Processor ask_processor() {
    return {};
}

#endif

const Processor& processor() {
    static const Processor found = ask_processor();
    return found;
}

Forms choose_forms() {
    Forms forms;
    for (const Sm4Form form : {Sm4Form::avx2_aes, Sm4Form::avx2_gfni, Sm4Form::avx512_gfni}) {
        if (is_available(form)) forms.sm4 = form;
    }
    for (const DesForm form : {DesForm::avx2, DesForm::avx512}) {
        if (is_available(form)) forms.des = form;
    }
    if (is_available(Sm3Form::avx512)) forms.sm3 = Sm3Form::avx512;
    return forms;
}

}  // namespace

Forms best_forms() {
    static const Forms forms = choose_forms();
    return forms;
}

bool is_available(Sm4Form form) {
    const Processor& has = processor();
    switch (form) {
        case Sm4Form::portable: return true;
        case Sm4Form::avx2_aes: return has.avx2 && has.aes;
        case Sm4Form::avx2_gfni: return has.avx2 && has.gfni;
        case Sm4Form::avx512_gfni: return has.avx512 && has.gfni;
    }
    return false;
}

bool is_available(DesForm form) {
    switch (form) {
        case DesForm::portable: return true;
        case DesForm::avx2: return processor().avx2;
        case DesForm::avx512: return processor().avx512;
    }
    return false;
}

bool is_available(Sm3Form form) {
    switch (form) {
        case Sm3Form::portable: return true;
        case Sm3Form::avx512: return processor().avx512;
    }
    return false;
}

const char* name(Sm4Form form) {
    switch (form) {
        case Sm4Form::portable: return "portable";
        case Sm4Form::avx2_aes: return "avx2+aes";
        case Sm4Form::avx2_gfni: return "avx2+gfni";
        case Sm4Form::avx512_gfni: return "avx512+gfni";
    }
    return "unknown";
}

const char* name(DesForm form) {
    switch (form) {
        case DesForm::portable: return "portable";
        case DesForm::avx2: return "avx2";
        case DesForm::avx512: return "avx512";
    }
    return "unknown";
}

const char* name(Sm3Form form) {
    switch (form) {
        case Sm3Form::portable: return "portable";
        case Sm3Form::avx512: return "avx512";
    }
    return "unknown";
}

}  // namespace crypto::batch
