#include "firmware/boards/mps2/cutting.hpp"

#include "firmware/boards/mps2/uart.hpp"

namespace firmware::boards::cutting {

bool BoardFlash::program(std::uint32_t address, const FlashUnit& unit) {
    count_operation();
    return region_.program(address, unit);
}

bool BoardFlash::erase_page(std::uint16_t page) {
    count_operation();
    return region_.erase_page(page);
}

void BoardFlash::count_operation() {
    if (!is_armed_ || until_cut_-- != 0) return;
    const auto header = frame_header(FrameKind::cut_here, 0);
    for (const std::uint8_t byte : header) uart::send(byte);
    uart::send(frame_check(header));
    for (;;) __asm__ volatile("wfi");
}

}  // namespace firmware::boards::cutting
