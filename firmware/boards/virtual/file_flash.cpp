#include "firmware/boards/virtual/file_flash.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firmware::boards {

using flash_model::erased_byte;
using flash_model::page_size;
using flash_model::unit_size;

namespace {

constexpr std::size_t page_count_min = 32;  // flash.hpp: page_count()

[[nodiscard]] bool write_all(int descriptor, const std::uint8_t* data, std::size_t size,
                             std::size_t offset) {
    while (size > 0) {
        const ssize_t written = ::pwrite(descriptor, data, size, static_cast<off_t>(offset));
        if (written <= 0) return false;
        data += written;
        size -= static_cast<std::size_t>(written);
        offset += static_cast<std::size_t>(written);
    }
    return true;
}

[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_all(int descriptor) {
    struct stat status{};
    if (::fstat(descriptor, &status) != 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size % page_size != 0 || size < page_count_min * page_size ||
        size > flash_model::page_count_max * page_size) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> image(size);
    if (::pread(descriptor, image.data(), size, 0) != static_cast<ssize_t>(size))
        return std::nullopt;
    return image;
}

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

std::expected<FileFlash, FileFlashError> FileFlash::open(const std::string& path, bool fresh) {
    const int flags = O_RDWR | O_CLOEXEC | (fresh ? O_CREAT | O_EXCL : 0);
    const int descriptor = ::open(path.c_str(), flags, 0600);
    if (descriptor < 0) {
        return std::unexpected{fresh && errno == EEXIST ? FileFlashError::already_there
                                                        : FileFlashError::cannot_open};
    }
    // From here the object closes it.
    FileFlash flash{descriptor, {}};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return std::unexpected{FileFlashError::in_use};
    if (fresh) {
        flash.image_.assign(flash_model::page_count_default * page_size, erased_byte);
        if (!flash.write_through(0, flash.image_.size())) {
            return std::unexpected{FileFlashError::cannot_open};
        }
        return flash;
    }
    auto image = read_all(descriptor);
    if (!image) return std::unexpected{FileFlashError::wrong_size};
    flash.image_ = std::move(*image);
    return flash;
}

FileFlash::FileFlash(FileFlash&& other) noexcept
    : Flash{},
      descriptor_{std::exchange(other.descriptor_, -1)},
      image_{std::move(other.image_)},
      operations_{other.operations_},
      kill_at_{other.kill_at_} {}

FileFlash::~FileFlash() {
    if (descriptor_ >= 0) ::close(descriptor_);
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
    const bool erased = std::ranges::all_of(old, [](std::uint8_t b) { return b == erased_byte; });
    const bool zero = std::ranges::all_of(unit, [](std::uint8_t b) { return b == 0; });
    if (!erased && !zero) std::abort();  // rule 3: once between two erasures, zero excepted
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
    ++operations_;
}

bool FileFlash::write_through(std::size_t address, std::size_t size) {
    return write_all(descriptor_, image_.data() + address, size, address);
}

}  // namespace firmware::boards
