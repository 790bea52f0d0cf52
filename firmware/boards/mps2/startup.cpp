// From reset to card_main. ARMv7-M Architecture Reference Manual, B1.5.3 (vector table).
#include <cstddef>
#include <cstdint>

extern "C" {
extern std::uint32_t stack_bottom[], stack_top[];
extern std::uint32_t data_start[], data_end[], bss_start[], bss_end[];
extern const std::uint32_t data_image[];
[[noreturn]] void card_main();
[[noreturn]] void reset();
[[noreturn]] void fault();
[[noreturn]] void __cxa_pure_virtual();
}

namespace {

[[gnu::section(".vectors"), gnu::used]] const void* const vectors[] = {
    stack_top,                             // initial stack pointer
    reinterpret_cast<const void*>(reset),  // 1
    reinterpret_cast<const void*>(fault),  // 2 NMI
    reinterpret_cast<const void*>(fault),  // 3 HardFault: everything else escalates to it
};

}  // namespace

void reset() {
    const std::uint32_t* from = data_image;
    for (std::uint32_t* to = data_start; to < data_end; ++to) *to = *from++;
    for (std::uint32_t* to = bss_start; to < bss_end; ++to) *to = 0;
    card_main();
}

/// A broken invariant, a stack overflow: mute until the next reset, which finds the last commit.
void fault() {
    __asm__ volatile("cpsid i" ::: "memory");
    for (;;) __asm__ volatile("wfi");
}

void __cxa_pure_virtual() {
    fault();
}
