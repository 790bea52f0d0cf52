#include "tests/simulation/lossy_disk.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include <sqlite3.h>

namespace simulation {

namespace {

/// SQLite allocates `szOsFile` bytes for it; `base` must be first.
struct Handle {
    sqlite3_file base;
    LossyDisk* disk;
    std::shared_ptr<LossyDisk::File> file;
    std::uint64_t epoch;
};

[[nodiscard]] Handle& handle(sqlite3_file* file) {
    return *reinterpret_cast<Handle*>(file);
}

}  // namespace

struct LossyDisk::Access {
    [[nodiscard]] static LossyDisk& disk(sqlite3_vfs* vfs) {
        return *static_cast<LossyDisk*>(vfs->pAppData);
    }
    [[nodiscard]] static bool dead(const Handle& h) { return h.epoch != h.disk->epoch_; }
    /// Counts one write against the disk's space.
    [[nodiscard]] static bool full(LossyDisk& disk) {
        if (!disk.writes_left_) return false;
        if (*disk.writes_left_ == 0) return true;
        --*disk.writes_left_;
        return false;
    }

    static int close(sqlite3_file* file) {
        handle(file).~Handle();
        return SQLITE_OK;
    }
    static int read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
        const auto& content = handle(file).file->content;
        const auto start = std::min(static_cast<std::size_t>(offset), content.size());
        const auto have = std::min(static_cast<std::size_t>(count), content.size() - start);
        auto* bytes = static_cast<std::uint8_t*>(out);
        std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(start), have, bytes);
        std::fill(bytes + have, bytes + count, 0);
        return have == static_cast<std::size_t>(count) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    }
    static int write(sqlite3_file* file, const void* data, int count, sqlite3_int64 offset) {
        Handle& h = handle(file);
        if (dead(h)) return SQLITE_IOERR_WRITE;
        if (full(*h.disk)) return SQLITE_FULL;
        const auto start = static_cast<std::size_t>(offset);
        const auto end = start + static_cast<std::size_t>(count);
        File& f = *h.file;
        if (f.content.size() < end) f.content.resize(end);
        std::memcpy(f.content.data() + start, data, static_cast<std::size_t>(count));
        mark_dirty(f, start, end);
        return SQLITE_OK;
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        Handle& h = handle(file);
        if (dead(h)) return SQLITE_IOERR_TRUNCATE;
        const std::size_t old = h.file->content.size();
        h.file->content.resize(static_cast<std::size_t>(size));
        mark_dirty(*h.file, std::min(old, static_cast<std::size_t>(size)),
                   std::max(old, static_cast<std::size_t>(size)));
        return SQLITE_OK;
    }
    static int sync(sqlite3_file* file, int) {
        Handle& h = handle(file);
        if (dead(h)) return SQLITE_IOERR_FSYNC;
        if (full(*h.disk)) return SQLITE_IOERR_FSYNC;
        h.file->durable = h.file->content;
        h.file->dirty.clear();
        ++h.disk->syncs_;
        return SQLITE_OK;
    }
    static int size(sqlite3_file* file, sqlite3_int64* out) {
        *out = static_cast<sqlite3_int64>(handle(file).file->content.size());
        return SQLITE_OK;
    }
    static int lock(sqlite3_file*, int) { return SQLITE_OK; }
    static int check_reserved(sqlite3_file*, int* out) {
        *out = 0;
        return SQLITE_OK;
    }
    static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
    static int sectors(sqlite3_file*) { return sector_size; }
    static int characteristics(sqlite3_file*) {
        return 0;
    }  // promises nothing: SQLite must be careful

    static int open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                    int* out_flags) {
        LossyDisk& d = disk(vfs);
        const std::string name = path != nullptr ? path : "";
        std::shared_ptr<File> found;
        if (!name.empty()) {
            const auto at = d.files_.find(name);
            if (at != d.files_.end()) found = at->second;
        }
        file->pMethods = nullptr;
        if (!found && (flags & SQLITE_OPEN_CREATE) == 0 && !name.empty()) return SQLITE_CANTOPEN;
        if (!found) found = std::make_shared<File>();
        if (!name.empty()) d.files_[name] = found;
        new (file) Handle{{&methods}, &d, found, d.epoch_};
        if (out_flags != nullptr) *out_flags = flags;
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* vfs, const char* path, int) {
        return disk(vfs).files_.erase(path) != 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
    }
    static int access(sqlite3_vfs* vfs, const char* path, int, int* out) {
        *out = disk(vfs).files_.contains(path) ? 1 : 0;
        return SQLITE_OK;
    }
    static int full_path(sqlite3_vfs*, const char* path, int size, char* out) {
        if (std::strlen(path) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
        std::strncpy(out, path, static_cast<std::size_t>(size));
        return SQLITE_OK;
    }
    // Nothing in a simulated day may depend on the machine: these are constant.
    static int randomness(sqlite3_vfs*, int size, char* out) {
        for (int i = 0; i < size; ++i) out[i] = static_cast<char>(17 * i + 5);
        return size;
    }
    static int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
    static int current_time(sqlite3_vfs*, sqlite3_int64* out) {
        *out = 210866760000000;  // 1970-01-01 12:00 as a Julian day, in milliseconds
        return SQLITE_OK;
    }
    static int last_error(sqlite3_vfs*, int, char*) { return 0; }

    static void mark_dirty(File& file, std::size_t start, std::size_t end) {
        const std::size_t sectors_needed = (end + sector_size - 1) / sector_size;
        if (file.dirty.size() < sectors_needed) file.dirty.resize(sectors_needed);
        for (std::size_t s = start / sector_size; s < sectors_needed; ++s) file.dirty[s] = true;
    }

    static const sqlite3_io_methods methods;
};

const sqlite3_io_methods LossyDisk::Access::methods = {
    1,  // no shared memory: exclusive locking only
    close,   read,    write,           truncate, sync,    size,    lock,    lock,    check_reserved,
    control, sectors, characteristics, nullptr,  nullptr, nullptr, nullptr, nullptr, nullptr};

LossyDisk::LossyDisk(std::string name) : name_{std::move(name)}, vfs_{new sqlite3_vfs{}} {
    vfs_->iVersion = 2;
    vfs_->szOsFile = sizeof(Handle);
    vfs_->mxPathname = 512;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = this;
    vfs_->xOpen = Access::open;
    vfs_->xDelete = Access::remove;
    vfs_->xAccess = Access::access;
    vfs_->xFullPathname = Access::full_path;
    vfs_->xRandomness = Access::randomness;
    vfs_->xSleep = Access::sleep;
    vfs_->xCurrentTimeInt64 = Access::current_time;
    vfs_->xGetLastError = Access::last_error;
    if (sqlite3_vfs_register(vfs_.get(), 0) != SQLITE_OK)
        throw std::runtime_error{"vfs not registered"};
}

LossyDisk::~LossyDisk() {
    sqlite3_vfs_unregister(vfs_.get());
}

void LossyDisk::crash(crypto::SeededRandom& random) {
    ++epoch_;
    std::map<std::string, std::shared_ptr<File>> survivors;
    for (auto& [path, file] : files_) {
        // A new object: dead handles keep the old one.
        auto left = std::make_shared<File>(*file);
        lose(*left, random);
        survivors[path] = std::move(left);
    }
    files_ = std::move(survivors);
}

void LossyDisk::lose(File& file, crypto::SeededRandom& random) const {
    // The length is metadata: it may or may not have reached the disk.
    const bool new_length = random.below(2) == 0;
    std::vector<std::uint8_t> left = file.durable;
    if (new_length) left.resize(file.content.size());
    for (std::size_t s = 0; s < file.dirty.size(); ++s) {
        if (!file.dirty[s] || random.below(2) == 0) continue;
        const std::size_t start = s * sector_size;
        const std::size_t end = std::min({start + sector_size, file.content.size(), left.size()});
        for (std::size_t i = start; i < end; ++i) left[i] = file.content[i];
    }
    file = File{left, left, {}};
}

}  // namespace simulation
