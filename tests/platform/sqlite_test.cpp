// SQLite's failures as values: platform/sqlite.hpp.
#include "platform/sqlite.hpp"

#include <filesystem>
#include <fstream>
#include <vector>

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using platform::sqlite::Database;
using platform::sqlite::Error;
using platform::sqlite::Migration;
using platform::sqlite::Options;

namespace {

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "onecard-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
};

Database open(const std::filesystem::path& path, const Options& options = {}) {
    auto database = Database::open(path, options);
    REQUIRE(database.has_value());
    return *std::move(database);
}

template <class T>
Error error_of(const platform::sqlite::Result<T>& result) {
    REQUIRE_FALSE(result.has_value());
    CHECK_FALSE(result.error().text.empty());
    return result.error().error;
}

std::int64_t count_rows(Database& database) {
    auto statement = database.prepare("SELECT count(*) FROM t").value();
    REQUIRE(statement.step().value());
    return statement.integer(0);
}

constexpr std::array schema{Migration{"CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB UNIQUE)"},
                            Migration{"ALTER TABLE t ADD COLUMN c TEXT"}};

}  // namespace

TEST_CASE("SQLite: values come back as bound") {
    Database database = open(":memory:");
    REQUIRE(database.execute("CREATE TABLE v(i, t, b, n, e, o)").has_value());
    const std::array<std::uint8_t, 3> bytes{0, 1, 255};
    const std::string with_zero{"a\0b", 3};
    auto insert = database.prepare("INSERT INTO v VALUES(?1,?2,?3,?4,?5,?6)").value();
    REQUIRE(
        insert.run(INT64_MIN, with_zero, bytes, nullptr, protocol::Bytes{}, std::optional<int>{7})
            .has_value());
    auto select = database.prepare("SELECT i, t, b, n, e, o FROM v").value();
    REQUIRE(select.step().value());
    CHECK(select.column_count() == 6);
    CHECK(select.integer(0) == INT64_MIN);
    CHECK(select.text(1) == with_zero);
    CHECK(select.array<3>(2) == bytes);
    CHECK_FALSE(select.array<4>(2).has_value());
    CHECK(select.is_null(3));
    CHECK_FALSE(select.is_null(4));
    CHECK(select.blob(4).empty());
    CHECK(select.integer(5) == 7);
    CHECK_FALSE(select.step().value());
}

TEST_CASE("SQLite: too few or too many values are refused") {
    Database database = open(":memory:");
    auto statement = database.prepare("SELECT ?1, ?2").value();
    CHECK(error_of(statement.first(1)) == Error::other);
    CHECK(error_of(statement.first(1, 2, 3)) == Error::other);
    CHECK(statement.first(1, 2).value());
}

TEST_CASE("SQLite: wrong SQL is an error, not a crash") {
    Database database = open(":memory:");
    CHECK(error_of(database.prepare("SELEC 1")) == Error::other);
    CHECK(error_of(database.prepare("")) == Error::other);
    CHECK(error_of(database.execute("INSERT INTO nowhere VALUES(1)")) == Error::other);
    CHECK(error_of(database.prepare("SELECT \"no such column\"")) == Error::other);
}

TEST_CASE("SQLite: a file that cannot be a database is refused at open") {
    const Directory directory;
    SUBCASE("missing, and not to be created") {
        Options options;
        options.create = false;
        CHECK(error_of(Database::open(directory.path / "none", options)) == Error::cannot_open);
    }
    SUBCASE("a directory") {
        CHECK(error_of(Database::open(directory.path)) == Error::cannot_open);
    }
    SUBCASE("another kind of file") {
        std::ofstream{directory.path / "text"} << std::string(5000, 'x');
        CHECK(error_of(Database::open(directory.path / "text")) == Error::not_a_database);
    }
    SUBCASE("another program's database") {
        Options ours;
        ours.application_id = 0x4F434831;
        {
            const Database database = open(directory.path / "db", ours);
        }
        Options theirs;
        theirs.application_id = 0x4F434832;
        CHECK(error_of(Database::open(directory.path / "db", theirs)) == Error::wrong_application);
        CHECK(Database::open(directory.path / "db", ours).has_value());
    }
}

TEST_CASE("SQLite: a transaction that is not committed leaves nothing") {
    Database database = open(":memory:");
    REQUIRE(database.migrate(schema).has_value());
    {
        auto transaction = database.begin().value();
        REQUIRE(database.execute("INSERT INTO t(a) VALUES(1)").has_value());
    }
    CHECK(count_rows(database) == 0);
    auto transaction = database.begin().value();
    REQUIRE(database.execute("INSERT INTO t(a) VALUES(1)").has_value());
    CHECK(error_of(database.begin()) == Error::other);  // one at a time
    REQUIRE(transaction.commit().has_value());
    CHECK(count_rows(database) == 1);
}

TEST_CASE("SQLite: a constraint has its name, and the statement can be used again") {
    Database database = open(":memory:");
    REQUIRE(database.migrate(schema).has_value());
    auto insert = database.prepare("INSERT INTO t(a) VALUES(?1)").value();
    REQUIRE(insert.run(1).has_value());
    CHECK(error_of(insert.run(1)) == Error::constraint);
    CHECK(insert.run(2).has_value());
    CHECK(database.last_row_id() == 2);
    CHECK(database.changes() == 1);
}

TEST_CASE("SQLite: migrations run once, in order, and a later program's schema is refused") {
    const Directory directory;
    const auto path = directory.path / "db";
    {
        Database database = open(path);
        REQUIRE(database.migrate(std::span{schema}.first(1)).has_value());
        REQUIRE(database.execute("INSERT INTO t(a) VALUES(1)").has_value());
    }
    {
        Database database = open(path);
        REQUIRE(database.migrate(schema).has_value());
        REQUIRE(database.migrate(schema).has_value());
        CHECK(count_rows(database) == 1);
        CHECK(database.execute("UPDATE t SET c='x'").has_value());
    }
    Database database = open(path);
    CHECK(error_of(database.migrate(std::span{schema}.first(1))) == Error::schema_too_new);
}

TEST_CASE("SQLite: a migration that fails leaves the version and the schema as they were") {
    Database database = open(":memory:");
    constexpr std::array broken{Migration{"CREATE TABLE t(a)"},
                                Migration{"CREATE TABLE u(a); CREATE TABLE t(a)"}};
    CHECK(error_of(database.migrate(broken)) == Error::other);
    CHECK(count_rows(database) == 0);
    CHECK(database.execute("CREATE TABLE u(a)").has_value());
}

TEST_CASE("SQLite: a second writer is told busy") {
    const Directory directory;
    const auto path = directory.path / "db";
    Options impatient;
    impatient.busy_timeout = std::chrono::milliseconds{10};
    Database first = open(path, impatient);
    Database second = open(path, impatient);
    auto transaction = first.begin().value();
    CHECK(error_of(second.begin()) == Error::busy);
    REQUIRE(transaction.commit().has_value());
    CHECK(second.begin().has_value());
}

TEST_CASE("SQLite: a second program on an exclusive store is told busy") {
    const Directory directory;
    Options options;
    options.exclusive = true;
    options.busy_timeout = std::chrono::milliseconds{10};
    const Database first = open(directory.path / "db", options);
    CHECK(error_of(Database::open(directory.path / "db", options)) == Error::busy);
}

TEST_CASE("SQLite: read only means it") {
    const Directory directory;
    {
        Database database = open(directory.path / "db");
    }
    Options options;
    options.read_only = true;
    Database database = open(directory.path / "db", options);
    CHECK(error_of(database.execute("CREATE TABLE t(a)")) == Error::read_only);
}

TEST_CASE("SQLite: a full disk is a value and loses nothing that was committed") {
    Database database = open(":memory:");
    REQUIRE(database.migrate(schema).has_value());
    REQUIRE(database.execute("INSERT INTO t(a) VALUES(1)").has_value());
    REQUIRE(database.execute("PRAGMA max_page_count=8").has_value());
    auto insert = database.prepare("INSERT INTO t(b) VALUES(?1)").value();
    Error last = Error::other;
    {
        auto transaction = database.begin().value();
        for (int i = 0; i < 100; ++i) {
            std::vector<std::uint8_t> large(4000, static_cast<std::uint8_t>(i));
            const auto inserted = insert.run(large);
            if (!inserted) {
                last = inserted.error().error;
                break;
            }
        }
    }
    CHECK(last == Error::disk_full);
    CHECK(count_rows(database) == 1);
}

TEST_CASE("SQLite: a write beyond the file size limit is a value (setrlimit, EFBIG)") {
    const Directory directory;
    const pid_t child = ::fork();
    if (child == 0) {  // the limit holds for the whole process
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{64 * 1024, 64 * 1024};
        auto database = Database::open(directory.path / "db");
        bool right = database.has_value() && database->execute("CREATE TABLE t(b)").has_value() &&
                     ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
        auto insert = database->prepare("INSERT INTO t VALUES(zeroblob(200000))");
        const auto inserted = insert->run();
        right = right && !inserted &&
                (inserted.error().error == Error::input_output ||
                 inserted.error().error == Error::disk_full);
        ::_exit(right ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    Database after = open(directory.path / "db");
    CHECK(count_rows(after) == 0);
}

TEST_CASE("SQLite: what was committed survives SIGKILL") {
    const Directory directory;
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto database = Database::open(directory.path / "db");
        (void)database->execute("CREATE TABLE t(a)");
        auto insert = database->prepare("INSERT INTO t VALUES(?1)");
        for (int i = 0;; ++i) {
            if (!insert->run(i) || ::write(pipe[1], &i, sizeof i) < 0) ::_exit(1);
        }
    }
    int last = 0;
    for (int i = 0; i < 200; ++i) REQUIRE(::read(pipe[0], &last, sizeof last) == sizeof last);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    Database database = open(directory.path / "db");
    CHECK(count_rows(database) >= last + 1);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("SQLite: a durable connection is WAL and FULL with foreign keys") {
    const Directory directory;
    Database database = open(directory.path / "db");
    const auto pragma = [&](const std::string& name) {
        auto statement = database.prepare("PRAGMA " + name).value();
        REQUIRE(statement.step().value());
        return std::string{statement.text(0)};
    };
    CHECK(pragma("journal_mode") == "wal");
    CHECK(pragma("synchronous") == "2");
    CHECK(pragma("foreign_keys") == "1");
}
