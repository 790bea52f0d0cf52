#include "firmware/boards/virtual/file_flash.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace firmware::boards {

using flash_model::erased_byte;
using flash_model::page_size;
using flash_model::unit_size;

std::expected<FileFlash, FileFlashError> FileFlash::open(const std::string& path, bool fresh) {
    ONECARD_TRY(file, ChipFile::open(path, fresh));
    std::vector<std::uint8_t> image(file.size());
    if (!file.read(image)) return std::unexpected{FileFlashError::cannot_open};
    return FileFlash{std::move(file), std::move(image)};
}

std::uint16_t FileFlash::page_count() const {
    return static_cast<std::uint16_t>(image_.size() / page_size);
}

void FileFlash::read(std::uint32_t address, protocol::MutableBytes out) const {
    if (address > image_.size() || out.size() > image_.size() - address) std::abort();
    std::ranges::copy(protocol::Bytes{image_}.subspan(address, out.size()), out.begin());
}

bool FileFlash::program(std::uint32_t address, const FlashUnit& unit) {
    if (address % unit_size != 0 || address + unit_size > image_.size()) std::abort();
    const auto old = protocol::MutableBytes{image_}.subspan(address, unit_size);
    FlashUnit before{};
    std::ranges::copy(old, before.begin());
    if (!may_program(before, unit)) std::abort();
    count_operation();
    std::ranges::copy(unit, old.begin());
    return write_through(address, unit_size);
}

bool FileFlash::erase_page(std::uint16_t page) {
    if (page >= page_count()) std::abort();
    count_operation();
    const std::size_t address = std::size_t{page} * page_size;
    std::ranges::fill(protocol::MutableBytes{image_}.subspan(address, page_size), erased_byte);
    return write_through(address, page_size);
}

void FileFlash::count_operation() {
    if (kill_at_ && operations_ == *kill_at_) std::raise(SIGKILL);
    if (cut_at_ && operations_ == *cut_at_) throw PowerCut{};
    ++operations_;
}

bool FileFlash::write_through(std::size_t address, std::size_t size) {
    return file_.write(protocol::Bytes{image_}.subspan(address, size), address);
}

}  // namespace firmware::boards
