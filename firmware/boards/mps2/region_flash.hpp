#pragma once
// The board's NVM: a region of memory, under the rules of firmware/kernel/flash.hpp. Under QEMU the
// region is a file that the emulator maps shared: what was stored survives the emulator's death.
#include "firmware/kernel/flash.hpp"

namespace firmware::boards {

class RegionFlash final : public Flash {
public:
    /// `start` is aligned to a unit; `size` is a whole number of pages.
    RegionFlash(volatile std::uint32_t* start, std::size_t size) : start_{start}, size_{size} {}

    [[nodiscard]] std::uint16_t page_count() const override {
        return static_cast<std::uint16_t>(size_ / flash_model::page_size);
    }
    void read(std::uint32_t address, protocol::MutableBytes out) const override;
    /// Stops the chip on a breach of the flash model: that is a bug of the store.
    [[nodiscard]] bool program(std::uint32_t address, const FlashUnit& unit) override;
    [[nodiscard]] bool erase_page(std::uint16_t page) override;

private:
    volatile std::uint32_t* start_;
    std::size_t size_;
};

}  // namespace firmware::boards
