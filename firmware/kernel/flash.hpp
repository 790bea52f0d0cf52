#pragma once
// The flash model: the rules that every board's non-volatile memory obeys, and the interface to it.
//
// Boards: the virtual card's file (firmware/boards/virtual) and the Cortex-M3's memory region
// (firmware/boards/mps2). The rules are those of a small NOR flash with error correction, the
// strictest kind a secure element has; what runs here runs on a part with milder rules.
//
//   1. An erased byte reads FF. Only erasing a whole page turns a 0 bit into a 1.
//   2. Programming writes one unit, aligned, and turns 1 bits into 0.
//   3. A unit is programmed once between two erasures of its page, with one exception: zero. A unit
//   may
//      be programmed to all zero at any time and any number of times (as STM32L4's RM0394, 3.3.7
//      allows).
//   4. A page survives `endurance_erases` erasures.
//   5. An operation that power loss interrupts leaves its unit (or its page, for an erasure) with
//   any
//      subset of the changing bits, or with bits that read differently each time until the page is
//      erased or the unit is programmed to zero. It may look untouched. Nothing else changes.
//   6. What an operation that returned true has written is stable.
//
// docs/card_storage.md, section 1. tests/firmware/support/tearing_flash.hpp is the model as a test
// double: it enforces 1 to 4 and plays 5.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/bytes.hpp"

namespace firmware {

namespace flash_model {
constexpr std::size_t unit_size = 4;
constexpr std::size_t page_size = 1024;
constexpr std::uint16_t page_count_default = 128;  ///< 128 KB
constexpr std::uint16_t page_count_max = 128;
constexpr std::uint32_t endurance_erases = 10'000;
constexpr std::uint8_t erased_byte = 0xFF;
constexpr std::size_t units_per_page = page_size / unit_size;
static_assert(page_size % unit_size == 0);
static_assert(page_count_max * units_per_page <= 0x8000, "a location fits 15 bits");
}  // namespace flash_model

using FlashUnit = std::array<std::uint8_t, flash_model::unit_size>;

/// Rule 3, as far as the content shows it: an erased unit takes anything, every unit takes zero.
[[nodiscard]] constexpr bool may_program(const FlashUnit& old, const FlashUnit& unit) {
    const auto is_erased = [](std::uint8_t byte) { return byte == flash_model::erased_byte; };
    const auto is_zero = [](std::uint8_t byte) { return byte == 0; };
    return std::ranges::all_of(old, is_erased) || std::ranges::all_of(unit, is_zero);
}

/// A board's non-volatile memory. `address` counts bytes from its start. Every call is in range
/// and, for `program`, aligned: the store guarantees it, a board may assert it.
class Flash {
public:
    [[nodiscard]] virtual std::uint16_t page_count() const = 0;  ///< 32..page_count_max
    virtual void read(std::uint32_t address, protocol::MutableBytes out) const = 0;
    /// Programs one unit; false if the part reports that it failed.
    [[nodiscard]] virtual bool program(std::uint32_t address, const FlashUnit& unit) = 0;
    /// Erases one page; false if the part reports that it failed.
    [[nodiscard]] virtual bool erase_page(std::uint16_t page) = 0;

protected:
    Flash() = default;
    Flash(const Flash&) = default;
    Flash& operator=(const Flash&) = default;
    ~Flash() = default;
};

}  // namespace firmware
