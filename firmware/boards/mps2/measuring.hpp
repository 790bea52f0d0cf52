#pragma once
// What a command costs, counted by the card itself. Only in the image that is built to be measured:
// in the card's own image everything here is empty. The libraries of both are the same.
#include "firmware/boards/mps2/drbg.hpp"
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

/// Counts what the random numbers' stand-in takes: a chip has a noise source instead.
class BoardRandom final : public crypto::Random {
public:
    void seed(protocol::Bytes seed) { drbg_.seed(seed); }
    void fill(crypto::MutableBytes out) override;

private:
    Drbg drbg_;
};

void begin();
void begin_housekeeping();
void end();

/// Numbers of four bytes, big-endian, for the last command or reset: instructions, those of them
/// inside ciphers and those inside the random numbers' stand-in, units programmed, pages erased,
/// cipher blocks, key schedules, commits, counters raised; the same nine for the housekeeping after
/// it; last the stack's greatest depth in bytes since power on.
constexpr std::size_t report_size = 19 * 4;
[[nodiscard]] std::array<std::uint8_t, report_size> report();

#else

constexpr bool is_on = false;
using BoardFlash = RegionFlash;
using BoardRandom = Drbg;
inline void begin() {}
inline void begin_housekeeping() {}
inline void end() {}
[[nodiscard]] inline protocol::Bytes report() {
    return {};
}

#endif

}  // namespace firmware::boards::measuring
