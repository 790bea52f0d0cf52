#include "firmware/boards/virtual/chip_file.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firmware::boards {

using flash_model::page_size;

namespace {

constexpr std::size_t page_count_min = 32;  // flash.hpp: page_count()
constexpr std::size_t size_default = flash_model::page_count_default * page_size;

}  // namespace

const char* name(FileFlashError error) {
    switch (error) {
        case FileFlashError::cannot_open: return "cannot_open";
        case FileFlashError::in_use: return "in_use";
        case FileFlashError::wrong_size: return "wrong_size";
        case FileFlashError::already_there: return "already_there";
    }
    return "unknown";
}

std::expected<ChipFile, FileFlashError> ChipFile::open(const std::string& path, bool fresh) {
    const int flags = O_RDWR | O_CLOEXEC | (fresh ? O_CREAT | O_EXCL : 0);
    const int descriptor = ::open(path.c_str(), flags, 0600);
    if (descriptor < 0) {
        return std::unexpected{fresh && errno == EEXIST ? FileFlashError::already_there
                                                        : FileFlashError::cannot_open};
    }
    ChipFile file{descriptor};  // from here the object closes it
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return std::unexpected{FileFlashError::in_use};
    if (fresh && !file.erase_all()) return std::unexpected{FileFlashError::cannot_open};
    if (!file.find_size()) return std::unexpected{FileFlashError::wrong_size};
    return file;
}

ChipFile::ChipFile(ChipFile&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)}, size_{other.size_} {}

ChipFile::~ChipFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool ChipFile::read(protocol::MutableBytes out) const {
    return ::pread(descriptor_, out.data(), out.size(), 0) == static_cast<ssize_t>(out.size());
}

bool ChipFile::write(protocol::Bytes data, std::size_t offset) const {
    while (!data.empty()) {
        const ssize_t written =
            ::pwrite(descriptor_, data.data(), data.size(), static_cast<off_t>(offset));
        if (written <= 0) return false;
        data = data.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::size_t>(written);
    }
    return true;
}

bool ChipFile::resize(std::size_t size) const {
    return ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0;
}

bool ChipFile::erase_all() {
    const std::vector<std::uint8_t> erased(size_default, flash_model::erased_byte);
    return write(erased, 0);
}

bool ChipFile::find_size() {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) return false;
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == emulated_region_size && resize(size_default)) size_ = size_default;
    return size_ % page_size == 0 && size_ >= page_count_min * page_size &&
           size_ <= flash_model::page_count_max * page_size;
}

}  // namespace firmware::boards
