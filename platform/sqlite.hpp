#pragma once
// SQLite 3 without exceptions: every failure of the disk, of the file or of a constraint is a
// value. One connection belongs to one thread at a time. https://www.sqlite.org/c3ref/intro.html
#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "protocol/bytes.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace platform::sqlite {

using protocol::Bytes;

/// SQLite's primary result codes, named by what the caller can do.
/// https://www.sqlite.org/rescode.html
enum class Error : std::uint8_t {
    cannot_open,     ///< SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: path or permission
    not_a_database,  ///< SQLITE_NOTADB: another kind of file
    corrupt,         ///< SQLITE_CORRUPT: stop and restore
    busy,            ///< SQLITE_BUSY, SQLITE_LOCKED: someone else writes, longer than busy_timeout
    read_only,       ///< SQLITE_READONLY
    disk_full,       ///< SQLITE_FULL: nothing of the transaction is kept
    input_output,    ///< SQLITE_IOERR: read, write or fsync failed
    constraint,      ///< SQLITE_CONSTRAINT: a unique key, a foreign key, a check
    too_large,       ///< SQLITE_TOOBIG
    out_of_memory,   ///< SQLITE_NOMEM
    schema_too_new,  ///< user_version is above what this program knows: written by a later one
    wrong_application,  ///< application_id is another program's
    other,              ///< wrong SQL or misuse: a program's fault, see the text
};
[[nodiscard]] const char* name(Error error);

struct Failure {
    Error error = Error::other;
    int code = 0;      ///< SQLite's extended result code
    std::string text;  ///< what SQLite says; holds no bound value
};
template <class T>
using Result = std::expected<T, Failure>;

struct Options {
    enum class Synchronous : std::uint8_t { normal, full };
    Synchronous synchronous = Synchronous::full;  ///< full: a commit is on the disk when it returns
    std::chrono::milliseconds busy_timeout{5000};
    bool read_only = false;
    bool create = true;                ///< false: a missing file is cannot_open
    std::uint32_t application_id = 0;  ///< 0: any. Otherwise written to new files, checked in old
    std::string vfs;                   ///< empty: the system's. A simulation passes its own disk
    bool exclusive = false;            ///< locking_mode=EXCLUSIVE: a second program is `busy`
    int cache_kib = 0;                 ///< 0: SQLite's default
};

class Database;

/// A prepared statement. Reset by its next bind_all(), run() or reset(). Column views live until
/// the next step, reset or end.
class Statement {
public:
    Statement(Statement&&) noexcept = default;
    Statement& operator=(Statement&&) noexcept = default;

    /// Binds ?1, ?2, ... after a reset. Integers, bool, text, blobs (Bytes, or any contiguous range
    /// of bytes), std::optional of these and nullptr. Text and blobs are copied.
    template <class... Values>
    [[nodiscard]] Result<void> bind_all(const Values&... values) {
        reset();
        int index = 0;
        int code = 0;
        ((code = code == 0 ? bind_any(++index, values) : code), ...);
        return bound(code, index);
    }
    /// True: a row is here. False: the end, and the statement is reset.
    [[nodiscard]] Result<bool> step();
    /// bind_all, then steps to the end: INSERT, UPDATE, DELETE.
    template <class... Values>
    [[nodiscard]] Result<void> run(const Values&... values) {
        ONECARD_CHECK(bind_all(values...));
        return finish();
    }
    /// bind_all, then the first row or the end: a look-up.
    template <class... Values>
    [[nodiscard]] Result<bool> first(const Values&... values) {
        ONECARD_CHECK(bind_all(values...));
        return step();
    }
    void reset();

    [[nodiscard]] int column_count() const;
    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] Bytes blob(int column) const;
    /// A blob of exactly this size; nothing when it has another (or is null).
    template <std::size_t size>
    [[nodiscard]] std::optional<std::array<std::uint8_t, size>> array(int column) const {
        const Bytes found = blob(column);
        if (found.size() != size) return std::nullopt;
        std::array<std::uint8_t, size> out{};
        std::ranges::copy(found, out.begin());
        return out;
    }

private:
    friend class Database;
    struct Finalizer {
        void operator()(sqlite3_stmt* statement) const;
    };
    explicit Statement(sqlite3_stmt* statement) : statement_{statement} {}

    template <class Value>
    int bind_any(int index, const Value& value) {
        if constexpr (std::is_same_v<Value, std::nullptr_t>) {
            return bind_null(index);
        } else if constexpr (std::is_integral_v<Value>) {
            static_assert(sizeof(Value) < 8 || std::is_signed_v<Value>,
                          "SQLite's integers are signed 64-bit: cast on purpose");
            return bind_integer(index, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
            return bind_text(index, std::string_view{value});
        } else if constexpr (std::is_convertible_v<const Value&, Bytes>) {
            return bind_blob(index, Bytes{value});
        } else {
            return value ? bind_any(index, *value) : bind_null(index);  // std::optional
        }
    }
    int bind_null(int index);
    int bind_integer(int index, std::int64_t value);
    int bind_text(int index, std::string_view value);
    int bind_blob(int index, Bytes value);
    [[nodiscard]] Result<void> bound(int code, int count);
    [[nodiscard]] Result<void> finish();

    std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
};

/// BEGIN IMMEDIATE (the write lock is taken now, not in the middle). Rolled back unless committed.
class Transaction {
public:
    Transaction(Transaction&& other) noexcept
        : database_{std::exchange(other.database_, nullptr)} {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    /// On failure the transaction is rolled back: nothing of it is kept.
    [[nodiscard]] Result<void> commit();

private:
    friend class Database;
    explicit Transaction(sqlite3* database) : database_{database} {}
    sqlite3* database_;
};

/// Step n brings user_version from n to n + 1. Never edit one that has been released: add.
struct Migration {
    const char* sql;
};

class Database {
public:
    /// ":memory:" is a private, empty database. Foreign keys are on, journal_mode is WAL (except in
    /// memory and read-only), temp_store is memory, defensive mode is on.
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& path,
                                               const Options& options = {});
    Database(Database&&) noexcept = default;
    Database& operator=(Database&&) noexcept = default;

    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    /// One or more statements without parameters and without rows of interest.
    [[nodiscard]] Result<void> execute(const std::string& sql);
    [[nodiscard]] Result<Transaction> begin();
    /// Applies what is missing, each step in its own transaction with its user_version.
    [[nodiscard]] Result<void> migrate(std::span<const Migration> steps);
    /// Rows changed by the last INSERT, UPDATE or DELETE.
    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] std::int64_t last_row_id() const;
    /// Moves the write-ahead log into the file and truncates it.
    [[nodiscard]] Result<void> checkpoint();
    /// For what this header lacks (backup, hooks). Still owned here.
    [[nodiscard]] sqlite3* handle() const { return database_.get(); }

private:
    struct Closer {
        void operator()(sqlite3* database) const;
    };
    explicit Database(sqlite3* database) : database_{database} {}
    [[nodiscard]] Result<void> prepare_connection(const Options& options, bool in_memory);
    [[nodiscard]] Result<void> check_application_id(std::uint32_t id, bool read_only);
    [[nodiscard]] Result<std::int64_t> pragma(const std::string& pragma_name);
    std::unique_ptr<sqlite3, Closer> database_;
};

}  // namespace platform::sqlite
