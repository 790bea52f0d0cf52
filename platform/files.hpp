#pragma once
// Whole files: read with a bound, replaced in one step. Paths and errno text are not secret.
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace platform {

using protocol::Bytes;
using protocol::MutableBytes;

enum class FileError : std::uint8_t {
    not_found,
    no_permission,
    not_a_file,      ///< a directory, a socket, ...
    too_large,       ///< more bytes than the caller accepts
    already_exists,  ///< create_file would overwrite
    disk_full,       ///< ENOSPC, EDQUOT: the old content is untouched
    input_output,    ///< any other error of the system: the old content is untouched
};
[[nodiscard]] const char* name(FileError error);

struct FileFailure {
    FileError error;
    std::string detail;  ///< "path: what the system said"
};
template <class T>
using FileResult = std::expected<T, FileFailure>;

/// The whole file, at most `size_max` bytes.
[[nodiscard]] FileResult<std::vector<std::uint8_t>> read_file(const std::filesystem::path& path,
                                                              std::size_t size_max);
[[nodiscard]] FileResult<std::string> read_text_file(const std::filesystem::path& path,
                                                     std::size_t size_max);

/// Changes when the file or its rights do; nothing when there is none. What is written in place
/// within the clock's grain may keep its stamp: replace_file's content never does (another inode).
struct FileStamp {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
[[nodiscard]] std::optional<FileStamp> file_stamp(const std::filesystem::path& path);

/// Readable by the owner only, or by everyone. The umask takes away from it as usual.
enum class FileMode : std::uint8_t { owner_only, everyone };

/// Old content or new content, never a mixture, whatever is killed or cut: written to a neighbour,
/// fsynced, renamed over, directory fsynced. POSIX.1-2017 rename(): atomic. Durable on success.
[[nodiscard]] FileResult<void> replace_file(const std::filesystem::path& path, Bytes content,
                                            FileMode mode = FileMode::owner_only);
[[nodiscard]] FileResult<void> replace_file(const std::filesystem::path& path,
                                            std::string_view content,
                                            FileMode mode = FileMode::owner_only);
/// The same for a file that must not exist yet.
[[nodiscard]] FileResult<void> create_file(const std::filesystem::path& path, Bytes content,
                                           FileMode mode = FileMode::owner_only);

/// Overwrites with zeros, fsyncs, unlinks. A file that is not there is no failure. On a disk that
/// writes elsewhere than it read (SSD, copy-on-write) the old blocks may survive: only what was
/// sealed before it was written is safe there.
[[nodiscard]] FileResult<void> erase_file(const std::filesystem::path& path);
/// Makes durable that `path` was renamed into its directory, or unlinked from it.
[[nodiscard]] FileResult<void> sync_parent(const std::filesystem::path& path);

}  // namespace platform
