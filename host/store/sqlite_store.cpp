#include "host/store/sqlite_store.hpp"

#include "host/store/sqlite_schema.hpp"
#include "host/store/sqlite_tables.hpp"

namespace host::store {

std::expected<std::unique_ptr<Store>, StoreFailure> open_sqlite_store(
    const std::filesystem::path& path, const SqliteStoreOptions& options) {
    platform::sqlite::Options how;
    how.application_id = sqlite_application_id;
    how.vfs = options.vfs;
    how.exclusive = true;
    how.busy_timeout = std::chrono::milliseconds{options.busy_timeout_ms};
    how.cache_kib = 64 * 1024;
    const auto named = [](const platform::sqlite::Failure& failure) {
        return std::unexpected{StoreFailure{platform::sqlite::name(failure.error), failure.text}};
    };
    auto database = platform::sqlite::Database::open(path, how);
    if (!database) return named(database.error());
    if (auto done = database->migrate(sqlite_migrations); !done) return named(done.error());
    return std::make_unique<SqliteStore>(std::move(*database), options.at_commit);
}

}  // namespace host::store
