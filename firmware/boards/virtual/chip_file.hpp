#pragma once
// A chip's memory as a file: who holds it has the chip, nobody else can open it meanwhile.
#include <cstdint>
#include <expected>
#include <string>

#include "firmware/kernel/flash.hpp"

namespace firmware::boards {

enum class FileFlashError : std::uint8_t {
    cannot_open,    ///< the file cannot be opened or made; errno says why
    in_use,         ///< another process holds this card
    wrong_size,     ///< not a card image: its size is not a whole number of pages within the limits
    already_there,  ///< a fresh card was asked for, and the file exists
};
[[nodiscard]] const char* name(FileFlashError error);

/// As long as the emulator has the file, it is as long as its board's PSRAM:
/// docs/card_boards.md, 5.
constexpr std::size_t emulated_region_size = 16 * 1024 * 1024;

class ChipFile {
public:
    /// Opens and locks. An existing file that an emulator left long is cut back to the chip's
    /// memory; a fresh one is made erased, `page_count_default` pages.
    [[nodiscard]] static std::expected<ChipFile, FileFlashError> open(const std::string& path,
                                                                      bool fresh);
    ChipFile(ChipFile&& other) noexcept;
    ChipFile& operator=(ChipFile&&) = delete;
    ~ChipFile();

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool read(protocol::MutableBytes out) const;  ///< from the start
    [[nodiscard]] bool write(protocol::Bytes data, std::size_t offset) const;
    [[nodiscard]] bool resize(std::size_t size) const;  ///< a hole, where it grows

private:
    explicit ChipFile(int descriptor) : descriptor_{descriptor} {}
    [[nodiscard]] bool erase_all();
    [[nodiscard]] bool find_size();

    int descriptor_;
    std::size_t size_ = 0;  ///< of the chip's memory
};

}  // namespace firmware::boards
