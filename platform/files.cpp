#include "platform/files.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace platform {
namespace {

class Descriptor {
public:
    explicit Descriptor(int value) : value_{value} {}
    ~Descriptor() { (void)close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return value_; }
    /// On some file systems the last write error is told here.
    [[nodiscard]] bool close() {
        const int closing = std::exchange(value_, -1);
        return closing < 0 || ::close(closing) == 0;
    }

private:
    int value_;
};

std::unexpected<FileFailure> failed(const std::filesystem::path& path, FileError error,
                                    std::string_view what) {
    return std::unexpected{FileFailure{error, path.string() + ": " + std::string{what}}};
}

std::unexpected<FileFailure> failed(const std::filesystem::path& path, int error_number) {
    const auto kind = [error_number] {
        switch (error_number) {
            case ENOENT:
            case ENOTDIR: return FileError::not_found;
            case EACCES:
            case EPERM:
            case EROFS: return FileError::no_permission;
            case EISDIR: return FileError::not_a_file;
            case EEXIST: return FileError::already_exists;
            case ENOSPC:
            case EDQUOT: return FileError::disk_full;
            case EFBIG: return FileError::too_large;
            default: return FileError::input_output;
        }
    }();
    return failed(path, kind, std::generic_category().message(error_number));
}

bool write_all(int descriptor, Bytes content) {
    while (!content.empty()) {
        const ssize_t count = ::write(descriptor, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        content = content.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

/// A finished, durable neighbour of `path`.
FileResult<std::filesystem::path> write_neighbour(const std::filesystem::path& path, Bytes content,
                                                  FileMode mode) {
    std::string neighbour = path.string() + ".XXXXXX";
    Descriptor file{::mkostemp(neighbour.data(), O_CLOEXEC)};
    if (file.get() < 0) return failed(path, errno);
    if (mode == FileMode::everyone) {
        const mode_t mask = ::umask(0);
        ::umask(mask);
        (void)::fchmod(file.get(), 0644 & ~mask);
    }
    if (!write_all(file.get(), content) || ::fsync(file.get()) != 0 || !file.close()) {
        const int error_number = errno;
        ::unlink(neighbour.c_str());
        return failed(path, error_number);
    }
    return std::filesystem::path{neighbour};
}

/// A durable file without a name, in the directory of `path`: nothing is left of it if we are
/// killed. -1 with ENOTSUP where the file system has none.
int nameless(const std::filesystem::path& path, FileMode mode) {
    const std::filesystem::path parent =
        path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const mode_t bits = mode == FileMode::everyone ? 0644 : 0600;
    const int file = ::open(parent.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, bits);
    if (file < 0 && (errno == EISDIR || errno == EINVAL)) errno = EOPNOTSUPP;
    return file;
}

}  // namespace

const char* name(FileError error) {
    switch (error) {
        case FileError::not_found: return "not_found";
        case FileError::no_permission: return "no_permission";
        case FileError::not_a_file: return "not_a_file";
        case FileError::too_large: return "too_large";
        case FileError::already_exists: return "already_exists";
        case FileError::disk_full: return "disk_full";
        case FileError::input_output: return "input_output";
    }
    return "unknown";
}

FileResult<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path,
                                                std::size_t size_max) {
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.get() < 0) return failed(path, errno);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return failed(path, errno);
    if (!S_ISREG(status.st_mode)) {
        return failed(path, FileError::not_a_file, "not a regular file");
    }
    const auto too_large = [&] {
        return failed(path, FileError::too_large,
                      "larger than " + std::to_string(size_max) + " bytes");
    };
    if (static_cast<std::uint64_t>(status.st_size) > size_max) return too_large();
    // One byte more than it said: a file that grows meanwhile is read to its end or refused.
    std::vector<std::uint8_t> content(static_cast<std::size_t>(status.st_size) + 1);
    std::size_t used = 0;
    for (;;) {
        const ssize_t count = ::read(file.get(), content.data() + used, content.size() - used);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed(path, errno);
        if (count == 0) break;
        used += static_cast<std::size_t>(count);
        if (used > size_max) return too_large();
        if (used == content.size()) content.resize(content.size() * 2);
    }
    content.resize(used);
    return content;
}

std::optional<FileStamp> file_stamp(const std::filesystem::path& path) {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    return FileStamp{found.st_ino, found.st_size,
                     std::int64_t{found.st_ctim.tv_sec} * 1'000'000'000 + found.st_ctim.tv_nsec};
}

FileResult<std::string> read_text_file(const std::filesystem::path& path, std::size_t size_max) {
    ONECARD_TRY(content, read_file(path, size_max));
    return std::string{content.begin(), content.end()};
}

FileResult<void> replace_file(const std::filesystem::path& path, Bytes content, FileMode mode) {
    ONECARD_TRY(neighbour, write_neighbour(path, content, mode));
    if (::rename(neighbour.c_str(), path.c_str()) != 0) {
        const int error_number = errno;
        ::unlink(neighbour.c_str());
        return failed(path, error_number);
    }
    return sync_parent(path);
}

FileResult<void> replace_file(const std::filesystem::path& path, std::string_view content,
                              FileMode mode) {
    return replace_file(
        path, Bytes{reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, mode);
}

FileResult<void> create_file(const std::filesystem::path& path, Bytes content, FileMode mode) {
    Descriptor file{nameless(path, mode)};
    if (file.get() >= 0) {
        const std::string self = "/proc/self/fd/" + std::to_string(file.get());
        if (!write_all(file.get(), content) || ::fsync(file.get()) != 0 ||
            ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
            return failed(path, errno);
        }
        return sync_parent(path);
    }
    if (errno != EOPNOTSUPP) return failed(path, errno);
    ONECARD_TRY(neighbour, write_neighbour(path, content, mode));
    // link(2) refuses an existing name, rename(2) would replace it.
    const int linked = ::link(neighbour.c_str(), path.c_str());
    const int error_number = errno;
    ::unlink(neighbour.c_str());
    if (linked != 0) return failed(path, error_number);
    return sync_parent(path);
}

FileResult<void> sync_parent(const std::filesystem::path& path) {
    const std::filesystem::path parent =
        path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
    const Descriptor directory{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (directory.get() < 0 || ::fsync(directory.get()) != 0) return failed(parent, errno);
    return {};
}

FileResult<void> erase_file(const std::filesystem::path& path) {
    Descriptor file{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (file.get() < 0) {
        if (errno == ENOENT) return {};
        return failed(path, errno);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return failed(path, errno);
    if (!S_ISREG(status.st_mode)) {
        return failed(path, FileError::not_a_file, "not a regular file");
    }
    const std::vector<std::uint8_t> zeros(static_cast<std::size_t>(status.st_size));
    if (!write_all(file.get(), zeros) || ::fsync(file.get()) != 0 || !file.close() ||
        ::unlink(path.c_str()) != 0) {
        return failed(path, errno);
    }
    return sync_parent(path);
}

}  // namespace platform
