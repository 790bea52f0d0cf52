#include "firmware/boards/mps2/region_flash.hpp"

#include <bit>
#include <cstring>

namespace firmware::boards {

using flash_model::page_size;
using flash_model::unit_size;

static_assert(unit_size == sizeof(std::uint32_t), "a unit is programmed by one store");

namespace {

/// The unit as the bytes it holds, whatever the machine's byte order.
[[nodiscard]] FlashUnit load(const volatile std::uint32_t& word) {
    return std::bit_cast<FlashUnit>(std::uint32_t{word});
}

}  // namespace

void RegionFlash::read(std::uint32_t address, protocol::MutableBytes out) const {
    if (address > size_ || out.size() > size_ - address) __builtin_trap();
    // Nobody else writes this memory: reading it needs no volatile access, and units are the most
    // of it.
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(const_cast<std::uint32_t*>(start_));
    if (out.size() == unit_size) {
        std::memcpy(out.data(), bytes + address, unit_size);
    } else {
        std::memcpy(out.data(), bytes + address, out.size());
    }
}

bool RegionFlash::program(std::uint32_t address, const FlashUnit& unit) {
    if (address % unit_size != 0 || address >= size_) __builtin_trap();
    volatile std::uint32_t& word = start_[address / unit_size];
    if (!may_program(load(word), unit)) __builtin_trap();
    word = word & std::bit_cast<std::uint32_t>(unit);  // a cell goes from 1 to 0, never back
    return true;
}

bool RegionFlash::erase_page(std::uint16_t page) {
    if (page >= page_count()) __builtin_trap();
    constexpr std::size_t words = page_size / unit_size;
    volatile std::uint32_t* const first = start_ + page * words;
    for (std::size_t i = 0; i < words; ++i) first[i] = 0xFFFFFFFF;
    return true;
}

}  // namespace firmware::boards
