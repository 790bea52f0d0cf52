#pragma once
// What a command costs, counted by the card itself. Only in the image that is built to be measured:
// in the card's own image everything here is empty. The libraries of both are the same.
#include "firmware/boards/mps2/region_flash.hpp"

namespace firmware::boards::measuring {

#ifdef ONECARD_MEASURED

constexpr bool is_on = true;

/// Counts what changes the memory, on its way there.
class BoardFlash final : public Flash {
public:
    BoardFlash(volatile std::uint32_t* start, std::size_t size) : region_{start, size} {}
    [[nodiscard]] std::uint16_t page_count() const override { return region_.page_count(); }
    void read(std::uint32_t address, protocol::MutableBytes out) const override {
        region_.read(address, out);
    }
    [[nodiscard]] bool program(std::uint32_t address, const FlashUnit& unit) override;
    [[nodiscard]] bool erase_page(std::uint16_t page) override;

private:
    RegionFlash region_;
};

void begin();
void begin_housekeeping();
void end();

/// Eleven numbers of four bytes, big-endian, for the last command or reset: instructions, units
/// programmed, pages erased, cipher blocks, key schedules; the same five for the housekeeping after
/// it; last the stack's greatest depth since power on.
constexpr std::size_t report_size = 11 * 4;
[[nodiscard]] std::array<std::uint8_t, report_size> report();

#else

constexpr bool is_on = false;
using BoardFlash = RegionFlash;
inline void begin() {}
inline void begin_housekeeping() {}
inline void end() {}
[[nodiscard]] inline protocol::Bytes report() {
    return {};
}

#endif

}  // namespace firmware::boards::measuring
