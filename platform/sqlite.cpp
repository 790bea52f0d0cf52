#include "platform/sqlite.hpp"

#include <sqlite3.h>

namespace platform::sqlite {
namespace {

Error error_of(int code) {
    switch (code & 0xFF) {  // the primary code is the low byte: https://www.sqlite.org/rescode.html
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH: return Error::cannot_open;
        case SQLITE_NOTADB: return Error::not_a_database;
        case SQLITE_CORRUPT: return Error::corrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return Error::busy;
        case SQLITE_READONLY: return Error::read_only;
        case SQLITE_FULL: return Error::disk_full;
        case SQLITE_IOERR: return Error::input_output;
        case SQLITE_CONSTRAINT: return Error::constraint;
        case SQLITE_TOOBIG: return Error::too_large;
        case SQLITE_NOMEM: return Error::out_of_memory;
        default: return Error::other;
    }
}

std::unexpected<Failure> failed(sqlite3* database, int code) {
    const int extended = database != nullptr && sqlite3_errcode(database) == (code & 0xFF)
                             ? sqlite3_extended_errcode(database)
                             : code;
    const char* text = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
    return std::unexpected{Failure{error_of(code), extended, text}};
}

}  // namespace

const char* name(Error error) {
    switch (error) {
        case Error::cannot_open: return "cannot_open";
        case Error::not_a_database: return "not_a_database";
        case Error::corrupt: return "corrupt";
        case Error::busy: return "busy";
        case Error::read_only: return "read_only";
        case Error::disk_full: return "disk_full";
        case Error::input_output: return "input_output";
        case Error::constraint: return "constraint";
        case Error::too_large: return "too_large";
        case Error::out_of_memory: return "out_of_memory";
        case Error::schema_too_new: return "schema_too_new";
        case Error::wrong_application: return "wrong_application";
        case Error::other: return "other";
    }
    return "unknown";
}

// ---- Statement

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

int Statement::bind_null(int index) {
    return sqlite3_bind_null(statement_.get(), index);
}
int Statement::bind_integer(int index, std::int64_t value) {
    return sqlite3_bind_int64(statement_.get(), index, value);
}
int Statement::bind_text(int index, std::string_view value) {
    return sqlite3_bind_text64(statement_.get(), index, value.data() ? value.data() : "",
                               value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}
int Statement::bind_blob(int index, Bytes value) {
    if (value.empty()) return sqlite3_bind_zeroblob(statement_.get(), index, 0);
    return sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(),
                               SQLITE_TRANSIENT);
}

Result<void> Statement::bound(int code, int count) {
    sqlite3* database = sqlite3_db_handle(statement_.get());
    if (code != SQLITE_OK) return failed(database, code);
    const int expected = sqlite3_bind_parameter_count(statement_.get());
    if (count != expected) {
        return std::unexpected{Failure{
            Error::other, SQLITE_RANGE,
            std::to_string(count) + " values for " + std::to_string(expected) + " parameters"}};
    }
    return {};
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        reset();
        return false;
    }
    auto failure = failed(sqlite3_db_handle(statement_.get()), code);
    reset();
    return failure;
}

Result<void> Statement::finish() {
    for (;;) {
        ONECARD_TRY(row, step());
        if (!row) return {};
    }
}

void Statement::reset() {
    sqlite3_reset(statement_.get());  // repeats the step's error, which step() has told already
}

int Statement::column_count() const {
    return sqlite3_column_count(statement_.get());
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}
std::string_view Statement::text(int column) const {
    const unsigned char* text = sqlite3_column_text(statement_.get(), column);
    if (text == nullptr) return {};
    return {reinterpret_cast<const char*>(text),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
Bytes Statement::blob(int column) const {
    const void* blob = sqlite3_column_blob(statement_.get(), column);
    if (blob == nullptr) return {};
    return {static_cast<const std::uint8_t*>(blob),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

// ---- Transaction

Transaction::~Transaction() {
    if (database_ != nullptr) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<void> Transaction::commit() {
    sqlite3* database = std::exchange(database_, nullptr);
    const int code = sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    auto failure = failed(database, code);
    // Some failures have rolled back already (https://www.sqlite.org/lang_transaction.html, 3).
    if (sqlite3_get_autocommit(database) == 0) {
        sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
    }
    return failure;
}

// ---- Database

void Database::Closer::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);  // statements that outlive it keep it half open: no dangling
}

Result<Database> Database::open(const std::filesystem::path& path, const Options& options) {
    int flags = options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (options.create && !options.read_only) flags |= SQLITE_OPEN_CREATE;
    flags |= SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags,
                                     options.vfs.empty() ? nullptr : options.vfs.c_str());
    Database database{raw};
    if (code != SQLITE_OK) {
        auto failure = failed(raw, code);
        failure.error().text = path.string() + ": " + failure.error().text;
        return failure;
    }
    auto prepared = database.prepare_connection(options, path == ":memory:");
    if (!prepared) {
        prepared.error().text = path.string() + ": " + prepared.error().text;
        return std::unexpected{prepared.error()};
    }
    return database;
}

Result<void> Database::prepare_connection(const Options& options, bool in_memory) {
    sqlite3_busy_timeout(handle(), static_cast<int>(options.busy_timeout.count()));
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle(), SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    if (options.exclusive) ONECARD_CHECK(execute("PRAGMA locking_mode=EXCLUSIVE"));
    ONECARD_CHECK(execute("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY"));
    ONECARD_CHECK(check_application_id(options.application_id, options.read_only));
    if (!in_memory && !options.read_only) ONECARD_CHECK(execute("PRAGMA journal_mode=WAL"));
    ONECARD_CHECK(execute(options.synchronous == Options::Synchronous::full
                              ? "PRAGMA synchronous=FULL"
                              : "PRAGMA synchronous=NORMAL"));
    if (options.cache_kib > 0) {
        ONECARD_CHECK(execute("PRAGMA cache_size=-" + std::to_string(options.cache_kib)));
    }
    if (options.exclusive) {  // the lock is taken by the first write, not by the pragma
        ONECARD_TRY(transaction, begin());
        ONECARD_CHECK(transaction.commit());
    }
    return {};
}

/// https://www.sqlite.org/pragma.html#pragma_application_id. Reads the file's first page, so that a
/// file that is no database is refused here.
Result<void> Database::check_application_id(std::uint32_t id, bool read_only) {
    ONECARD_TRY(found, pragma("application_id"));
    if (id == 0) return {};
    const auto wanted = static_cast<std::int64_t>(static_cast<std::int32_t>(id));
    if (found == wanted) return {};
    ONECARD_TRY(pages, pragma("page_count"));
    if (found == 0 && pages == 0 && !read_only) {
        return execute("PRAGMA application_id=" + std::to_string(wanted));
    }
    return std::unexpected{
        Failure{Error::wrong_application, 0,
                "application_id is " + std::to_string(found) + ", not " + std::to_string(wanted)}};
}

Result<Statement> Database::prepare(std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return failed(handle(), code);
    if (raw == nullptr) return std::unexpected{Failure{Error::other, 0, "no statement in the SQL"}};
    return Statement{raw};
}

Result<void> Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return failed(handle(), code);
    return {};
}

Result<Transaction> Database::begin() {
    ONECARD_CHECK(execute("BEGIN IMMEDIATE"));
    return Transaction{handle()};
}

Result<std::int64_t> Database::pragma(const std::string& pragma_name) {
    ONECARD_TRY(statement, prepare("PRAGMA " + pragma_name));
    ONECARD_TRY(row, statement.step());
    return row ? statement.integer(0) : 0;
}

Result<void> Database::migrate(std::span<const Migration> steps) {
    for (;;) {
        ONECARD_TRY(transaction, begin());  // the version is read under the lock: two may start
        ONECARD_TRY(version, pragma("user_version"));
        if (version < 0 || static_cast<std::uint64_t>(version) > steps.size()) {
            return std::unexpected{Failure{Error::schema_too_new, 0,
                                           "the schema's version is " + std::to_string(version) +
                                               ", this program knows up to " +
                                               std::to_string(steps.size())}};
        }
        if (static_cast<std::uint64_t>(version) == steps.size()) return transaction.commit();
        ONECARD_CHECK(execute(steps[static_cast<std::size_t>(version)].sql));
        ONECARD_CHECK(execute("PRAGMA user_version=" + std::to_string(version + 1)));
        ONECARD_CHECK(transaction.commit());
    }
}

std::int64_t Database::changes() const {
    return sqlite3_changes64(handle());
}
std::int64_t Database::last_row_id() const {
    return sqlite3_last_insert_rowid(handle());
}

Result<void> Database::checkpoint() {
    const int code =
        sqlite3_wal_checkpoint_v2(handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK) return failed(handle(), code);
    return {};
}

}  // namespace platform::sqlite
