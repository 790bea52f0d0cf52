// What SM2 costs a card: instructions and stack of a signature and a verification, counted under
// QEMU. Run by run.sh with -icount shift=0: one instruction is one nanosecond of virtual time, and
// SysTick counts 40 of them.
#include <cstring>

#include "crypto/core/sm2.hpp"

extern "C" {
extern std::uint8_t bss_start[], bss_end[], stack_top[];
void reset();
void fault();
}

namespace {

using namespace crypto;

[[gnu::section(".vectors"), gnu::used]] const void* const vectors[] = {
    stack_top, reinterpret_cast<void*>(reset), reinterpret_cast<void*>(fault),
    reinterpret_cast<void*>(fault)};

// SysTick: ARMv7-M Architecture Reference Manual, B3.3.
volatile std::uint32_t& systick_control = *reinterpret_cast<volatile std::uint32_t*>(0xE000E010);
volatile std::uint32_t& systick_reload = *reinterpret_cast<volatile std::uint32_t*>(0xE000E014);
volatile std::uint32_t& systick_value = *reinterpret_cast<volatile std::uint32_t*>(0xE000E018);
constexpr std::uint32_t systick_max = 0x00FFFFFF;
constexpr std::uint32_t instructions_per_tick = 40;  // 25 MHz against one instruction a nanosecond

/// Semihosting, ARM document 100863: SYS_WRITE0 and SYS_EXIT.
void semihost(std::uint32_t operation, const void* argument) {
    register std::uint32_t r0 __asm__("r0") = operation;
    register const void* r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}
void print(const char* text) {
    semihost(0x04, text);
}
[[noreturn]] void leave() {
    semihost(0x18, reinterpret_cast<void*>(0x20026));  // ADP_Stopped_ApplicationExit
    for (;;) {
    }
}
void print_row(const char* name, std::uint32_t value) {
    char digits[12];
    char* out = digits + sizeof digits;
    *--out = 0;
    *--out = '\n';
    do {
        *--out = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    print(name);
    print(" ");
    print(out);
}

class CountingRandom final : public Random {
public:
    void fill(MutableBytes out) override {
        for (auto& byte : out) byte = state_ = static_cast<std::uint8_t>(state_ * 5 + 1);
    }

private:
    std::uint8_t state_ = 1;
};

constexpr std::uint8_t paint = 0xC5;
constexpr std::size_t painted_size = 16 * 1024;

/// Runs `operation` and prints the instructions it took and how deep the stack below here went.
template <class Operation>
[[gnu::noinline]] bool measure(const char* count_name, const char* stack_name,
                               Operation operation) {
    std::uint8_t* here = static_cast<std::uint8_t*>(__builtin_frame_address(0)) - 64;
    for (std::uint8_t* at = here - painted_size; at < here; ++at)
        *const_cast<volatile std::uint8_t*>(at) = paint;
    systick_reload = systick_max;
    systick_value = 0;
    systick_control = 5;  // enabled, processor clock
    const std::uint32_t start = systick_value;
    const bool worked = operation();
    const std::uint32_t ticks = (start - systick_value) & systick_max;
    std::uint8_t* lowest = here - painted_size;
    while (lowest < here && *const_cast<volatile std::uint8_t*>(lowest) == paint) ++lowest;
    print_row(count_name, ticks * instructions_per_tick);
    print_row(stack_name, static_cast<std::uint32_t>(here - lowest));
    return worked;
}

// GB/T 32918.5-2017, annex A.
constexpr std::array<std::uint8_t, 32> d{
    0x39, 0x45, 0x20, 0x8F, 0x7B, 0x21, 0x44, 0xB1, 0x3F, 0x36, 0xE3, 0x8A, 0xC6, 0xD3, 0x9F, 0x95,
    0x88, 0x93, 0x93, 0x69, 0x28, 0x60, 0xB5, 0x1A, 0x42, 0xFB, 0x81, 0xEF, 0x4D, 0xF7, 0xC5, 0xB8};
constexpr std::array<std::uint8_t, 64> public_key{
    0x09, 0xF9, 0xDF, 0x31, 0x1E, 0x54, 0x21, 0xA1, 0x50, 0xDD, 0x7D, 0x16, 0x1E, 0x4B, 0xC5, 0xC6,
    0x72, 0x17, 0x9F, 0xAD, 0x18, 0x33, 0xFC, 0x07, 0x6B, 0xB0, 0x8F, 0xF3, 0x56, 0xF3, 0x50, 0x20,
    0xCC, 0xEA, 0x49, 0x0C, 0xE2, 0x67, 0x75, 0xA5, 0x2D, 0xC6, 0xEA, 0x71, 0x8C, 0xC1, 0xAA, 0x60,
    0x0A, 0xED, 0x05, 0xFB, 0xF3, 0x5E, 0x08, 0x4A, 0x66, 0x32, 0xF6, 0x07, 0x2D, 0xA9, 0xAD, 0x13};

bool run() {
    CountingRandom random;
    const auto key = sm2::PublicKey::parse(public_key);
    if (!key) return false;
    auto own = sm2::PrivateKey::load(d, *key, random);
    if (!own) return false;
    const sm2::Digest e{1, 2, 3};
    sm2::Signature signature{};
    const bool worked = measure("sign_instructions", "sign_stack_bytes",
                                [&] {
                                    const auto made = sm2::sign_digest(*own, e, random);
                                    if (made) signature = *made;
                                    return made.has_value();
                                }) &&
                        measure("verify_instructions", "verify_stack_bytes",
                                [&] { return sm2::verify_digest(*key, e, signature).has_value(); });
    signature[0] ^= 1;
    return worked && !sm2::verify_digest(*key, e, signature);
}

}  // namespace

void reset() {
    std::memset(bss_start, 0, static_cast<std::size_t>(bss_end - bss_start));
    print(run() ? "result ok\n" : "result failed\n");
    leave();
}
void fault() {
    print("result fault\n");
    leave();
}
