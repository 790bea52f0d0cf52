#include "firmware/boards/mps2/uart.hpp"

namespace firmware::boards::uart {
namespace {

struct Registers {  // DDI 0479D, table 4-7
    volatile std::uint32_t data, state, control, interrupt_status, baud_divider;
};
Registers& uart0() {
    return *reinterpret_cast<Registers*>(0x40004000);  // ARM AN385, table 3-1
}
constexpr std::uint32_t transmit_full = 0x1, receive_full = 0x2;  // state
constexpr std::uint32_t transmit_enable = 0x1, receive_enable = 0x2, receive_interrupt = 0x8;
constexpr std::uint32_t receive_interrupt_status = 0x2;
constexpr std::uint32_t divider = 25'000'000 / 115'200;  // system clock 25 MHz

// Nested vectored interrupt controller, ARMv7-M ARM, B3.4. UART0's receiver is interrupt 0 (AN385,
// table 3-7).
volatile std::uint32_t& set_enable() {
    return *reinterpret_cast<volatile std::uint32_t*>(0xE000E100);
}
volatile std::uint32_t& clear_pending() {
    return *reinterpret_cast<volatile std::uint32_t*>(0xE000E280);
}

}  // namespace

void start() {
    // Interrupts stay masked: a pending one only ends the sleep (ARMv7-M ARM, B1.5.19).
    __asm__ volatile("cpsid i" ::: "memory");
    uart0().baud_divider = divider;
    uart0().control = transmit_enable | receive_enable | receive_interrupt;
    set_enable() = 1;
    // Drops what the line held before; QEMU looks for input again only when the data is read.
    (void)std::uint32_t{uart0().data};
}

// A byte that arrives at any moment of this either shows in the state before the next sleep, or
// raises the interrupt's line again and ends that sleep: the line is lowered for each byte read.
std::uint8_t receive() {
    while ((uart0().state & receive_full) == 0) {
        __asm__ volatile("wfi" ::: "memory");
        clear_pending() = 1;
    }
    const auto byte = static_cast<std::uint8_t>(uart0().data);
    uart0().interrupt_status = receive_interrupt_status;
    return byte;
}

void send(std::uint8_t byte) {
    while ((uart0().state & transmit_full) != 0) {
    }
    uart0().data = byte;
}

}  // namespace firmware::boards::uart
