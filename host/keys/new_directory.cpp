#include "host/keys/new_directory.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/files.hpp"

namespace host::keys {
namespace {

namespace fs = std::filesystem;

constexpr const char* infix = ".part.";
constexpr std::size_t suffix_size = 6;
/// In every draft: what lacks it was never ours.
constexpr const char* marker = ".draft";

std::string reason(int error_number) {
    return std::generic_category().message(error_number);
}
std::unexpected<Refusal> taken(const fs::path& target) {
    return refuse(RefusalKind::target_exists,
                  target.string() + " is there already: name another directory or remove it");
}

/// The marker of `draft`, locked; -1: another process works on it, or it is no draft.
int lock_marker(const fs::path& draft, int flags) {
    const int file = ::open((draft / marker).c_str(), flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW,
                            S_IRUSR | S_IWUSR);
    if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0) return file;
    if (file >= 0) ::close(file);
    return -1;
}

/// Drafts of `target` whose process was killed.
void sweep(const fs::path& parent, const std::string& prefix) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{parent, error}) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix) || name.size() != prefix.size() + suffix_size) continue;
        const int lock = lock_marker(entry.path(), 0);
        if (lock < 0) continue;
        fs::remove_all(entry.path(), error);
        ::close(lock);
    }
}

}  // namespace

Result<NewDirectory> NewDirectory::begin(fs::path target) {
    if (target.filename().empty()) target = target.parent_path();  // "nation/"
    std::error_code error;
    if (fs::exists(fs::symlink_status(target, error))) return taken(target);
    const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path{"."};
    fs::create_directories(parent, error);
    sweep(parent, target.filename().string() + infix);
    std::string draft = target.string() + infix + std::string(suffix_size, 'X');
    if (::mkdtemp(draft.data()) == nullptr) {
        return refuse(RefusalKind::file_failed,
                      target.string() + ": cannot be made: " + reason(errno));
    }
    const int lock = lock_marker(draft, O_CREAT | O_EXCL);
    if (lock < 0) {
        fs::remove_all(draft, error);
        return refuse(RefusalKind::file_failed, draft + ": cannot be written");
    }
    return NewDirectory{std::move(target), std::move(draft), lock};
}

NewDirectory::~NewDirectory() {
    std::error_code error;
    if (!draft_.empty()) fs::remove_all(draft_, error);
    if (lock_ >= 0) ::close(lock_);
}

Result<void> NewDirectory::write(const char* file, const std::string& content) const {
    const auto written = platform::replace_file(draft_ / file, std::string_view{content},
                                                platform::FileMode::everyone);
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return {};
}

Result<void> NewDirectory::publish() {
    // A directory replaces none that has something in it: rename(2).
    if (::rename(draft_.c_str(), target_.c_str()) != 0) {
        const bool lost = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
        if (lost) return taken(target_);
        return refuse(RefusalKind::file_failed, target_.string() + ": " + reason(errno));
    }
    draft_.clear();
    ::unlink((target_ / marker).c_str());
    // What comes next may remove what the directory was made from: it must survive a power cut.
    const auto synced = platform::sync_parent(target_);
    if (!synced) return refuse(RefusalKind::file_failed, synced.error().detail);
    return {};
}

}  // namespace host::keys
