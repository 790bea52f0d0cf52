#pragma once
// The virtual card's flash: a file, under the rules of firmware/kernel/flash.hpp. One write per
// operation goes to the kernel before the call returns, so that a killed process leaves what a
// power cut leaves: operations done or not begun. (Partly programmed units are the business of
// tests/firmware/support/tearing_flash.hpp.)
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "firmware/boards/virtual/chip_file.hpp"

namespace firmware::boards {

/// Thrown out of the operation that power was cut before: the card's objects are garbage.
struct PowerCut {};

class FileFlash final : public Flash {
public:
    /// Opens an existing image, or makes an erased one of `page_count_default` pages when `fresh`.
    [[nodiscard]] static std::expected<FileFlash, FileFlashError> open(const std::string& path,
                                                                       bool fresh);

    [[nodiscard]] std::uint16_t page_count() const override;
    void read(std::uint32_t address, protocol::MutableBytes out) const override;
    /// Stops the program on a breach of the flash model: that is a bug of the store.
    [[nodiscard]] bool program(std::uint32_t address, const FlashUnit& unit) override;
    [[nodiscard]] bool erase_page(std::uint16_t page) override;

    /// For tests: the process kills itself (SIGKILL) instead of doing operation number `operation`,
    /// counted from now.
    void kill_at(std::uint64_t operation) { kill_at_ = operations_ + operation; }
    /// For trials: PowerCut instead of operation number `operation`, counted from now.
    void cut_at(std::uint64_t operation) { cut_at_ = operations_ + operation; }
    void cut_never() { cut_at_.reset(); }
    /// Programs and erasures since the image was opened.
    [[nodiscard]] std::uint64_t operations() const { return operations_; }

private:
    FileFlash(ChipFile file, std::vector<std::uint8_t> image)
        : file_{std::move(file)}, image_{std::move(image)} {}
    void count_operation();
    [[nodiscard]] bool write_through(std::size_t address, std::size_t size);

    ChipFile file_;
    std::vector<std::uint8_t> image_;  ///< what the file holds: reads need no system call
    std::uint64_t operations_ = 0;
    std::optional<std::uint64_t> kill_at_;
    std::optional<std::uint64_t> cut_at_;
};

}  // namespace firmware::boards
