#pragma once
// The store in one SQLite file. One process at a time: a second one is refused as `busy`.
#include <filesystem>
#include <functional>
#include <memory>

#include "host/store/store.hpp"

namespace host::store {

/// The two sides of a commit: where a process can die and what it did differs.
enum class CommitPoint : std::uint8_t { before, after };

struct SqliteStoreOptions {
    std::string vfs;  ///< empty: the system's disk. A simulation passes its own
    int busy_timeout_ms = 0;
    std::function<void(CommitPoint)> at_commit;  ///< for tests that kill the process there
};

/// Opens or makes the file, applies what is missing of the schema.
[[nodiscard]] std::expected<std::unique_ptr<Store>, StoreFailure> open_sqlite_store(
    const std::filesystem::path& path, const SqliteStoreOptions& options = {});

}  // namespace host::store
