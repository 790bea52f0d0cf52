#pragma once
// A disk that loses what was not synced: an SQLite VFS (https://www.sqlite.org/vfs.html) over files
// in memory. A crash keeps all that xSync made durable; of each later write, sector by sector, the
// seed decides what stays. Handles from before a crash are dead: what a dying process still writes
// goes nowhere.
//
// Databases on it are opened with locking_mode=EXCLUSIVE, as the product's programs open theirs:
// there is no shared memory between processes here.
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/random/seeded_random.hpp"

struct sqlite3_vfs;

namespace simulation {

class LossyDisk {
public:
    /// `name` is the VFS's and must be unique in the process.
    explicit LossyDisk(std::string name);
    ~LossyDisk();
    LossyDisk(const LossyDisk&) = delete;
    LossyDisk& operator=(const LossyDisk&) = delete;

    [[nodiscard]] const std::string& vfs() const { return name_; }

    /// Power is gone for every process that uses this disk. Destroy their objects, then open anew.
    void crash(crypto::SeededRandom& random);

    /// The next `count` writes or syncs succeed, then every one fails with "disk full" until
    /// `refill`.
    void fill_after(std::uint64_t count) { writes_left_ = count; }
    void refill() { writes_left_.reset(); }

    [[nodiscard]] std::uint64_t syncs() const { return syncs_; }

    struct File {
        std::vector<std::uint8_t> content;  ///< what readers see
        std::vector<std::uint8_t> durable;  ///< what a crash cannot take
        std::vector<bool> dirty;            ///< by sector: differs, perhaps, from `durable`
    };
    struct Access;  // the VFS's functions; lossy_disk.cpp

private:
    static constexpr std::size_t sector_size = 512;
    void lose(File& file, crypto::SeededRandom& random) const;

    std::string name_;
    std::unique_ptr<sqlite3_vfs> vfs_;
    std::map<std::string, std::shared_ptr<File>> files_;
    std::uint64_t epoch_ = 0;  ///< rises with every crash
    std::uint64_t syncs_ = 0;
    std::optional<std::uint64_t> writes_left_;
};

}  // namespace simulation
