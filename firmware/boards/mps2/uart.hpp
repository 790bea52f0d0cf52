#pragma once
// UART0 of the board: CMSDK APB UART, ARM DDI 0479D (Cortex-M System Design Kit), 4.3. Polled;
// while there is nothing to read the processor sleeps.
#include <cstdint>

namespace firmware::boards::uart {

void start();
[[nodiscard]] std::uint8_t receive();
void send(std::uint8_t byte);

}  // namespace firmware::boards::uart
