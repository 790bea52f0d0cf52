#include "crypto/keys/store_file.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/keys/sealed_format.hpp"

namespace crypto::keys {
namespace {

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

class Descriptor {
public:
    explicit Descriptor(int value) : value_{value} {}
    ~Descriptor() {
        if (value_ >= 0) close(value_);
    }
    Descriptor(Descriptor&& other) noexcept : value_{std::exchange(other.value_, -1)} {}
    Descriptor& operator=(Descriptor&&) = delete;
    [[nodiscard]] bool valid() const { return value_ >= 0; }
    [[nodiscard]] int get() const { return value_; }

private:
    int value_;
};

/// The directory, held alone until it goes. The file itself cannot be locked: renaming replaces it.
Descriptor lock_directory(const std::filesystem::path& path) {
    const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    Descriptor directory{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.valid() || flock(directory.get(), LOCK_EX) != 0) return Descriptor{-1};
    return directory;
}

bool write_all(int descriptor, Bytes content) {
    while (!content.empty()) {
        const ssize_t count = ::write(descriptor, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        content = content.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

/// Old file or new file, whatever fails or is cut. POSIX.1-2017, rename(): atomic.
KeyResult<void> write_and_rename(const Descriptor& directory, const std::filesystem::path& path,
                                 Bytes content) {
    std::filesystem::path neighbour = path;
    neighbour += ".new";
    unlink(neighbour.c_str());  // what a killed predecessor left
    const Descriptor file{
        ::open(neighbour.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file.valid()) return refuse(KeyError::file_unwritable);
    const bool written = write_all(file.get(), content) && fsync(file.get()) == 0 &&
                         rename(neighbour.c_str(), path.c_str()) == 0;
    if (!written) {
        unlink(neighbour.c_str());
        return refuse(KeyError::file_unwritable);
    }
    // From here on the change has happened: what is in doubt is only whether it survives a power
    // cut.
    if (fsync(directory.get()) != 0) return refuse(KeyError::file_unwritable);
    return {};
}

}  // namespace

KeyResult<std::vector<std::uint8_t>> read_store_file(const std::filesystem::path& path,
                                                     std::size_t size_max) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    struct stat status{};
    if (!file.valid() || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > static_cast<off_t>(size_max)) {
        return refuse(KeyError::file_unreadable);
    }
    // One byte more than there is: a file that grows meanwhile is noticed, and refused.
    std::vector<std::uint8_t> content(static_cast<std::size_t>(status.st_size) + 1);
    std::size_t used = 0;
    while (used < content.size()) {
        const ssize_t count = ::read(file.get(), &content[used], content.size() - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return refuse(KeyError::file_unreadable);
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
    }
    if (used == content.size()) return refuse(KeyError::file_unreadable);
    content.resize(used);
    return content;
}

KeyResult<void> create_store_file(const std::filesystem::path& path, Bytes content) {
    const Descriptor directory = lock_directory(path);
    if (!directory.valid()) return refuse(KeyError::file_unwritable);
    struct stat status{};
    if (lstat(path.c_str(), &status) == 0) return refuse(KeyError::file_exists);
    return write_and_rename(directory, path, content);
}

KeyResult<void> replace_store_file(const std::filesystem::path& path, Bytes content,
                                   Bytes digest_before) {
    const Descriptor directory = lock_directory(path);
    if (!directory.valid()) return refuse(KeyError::file_unwritable);
    const auto now = read_store_file(path, file_size_max);
    if (!now) return refuse(KeyError::changed_elsewhere);
    const Bytes present{*now};
    if (present.size() < digest_before.size() ||
        !std::ranges::equal(present.last(digest_before.size()), digest_before)) {
        return refuse(KeyError::changed_elsewhere);
    }
    return write_and_rename(directory, path, content);
}

}  // namespace crypto::keys
