// The instrument before the measurement: the disk must lose what it may, and nothing else.
#include "tests/simulation/lossy_disk.hpp"

#include <doctest/doctest.h>

#include "platform/sqlite.hpp"

namespace {

platform::sqlite::Options on(const simulation::LossyDisk& disk) {
    platform::sqlite::Options options;
    options.vfs = disk.vfs();
    options.exclusive = true;
    return options;
}

std::int64_t count_rows(platform::sqlite::Database& database) {
    auto statement = database.prepare("SELECT count(*) FROM t");
    REQUIRE(statement);
    REQUIRE(statement->first().value());
    return statement->integer(0);
}

}  // namespace

TEST_CASE("LossyDisk: a committed row survives every crash, an open transaction none") {
    simulation::LossyDisk disk{"lossy-commit"};
    crypto::SeededRandom random{1, "crash"};
    {
        auto database = platform::sqlite::Database::open("a.db", on(disk));
        REQUIRE(database);
        REQUIRE(database->execute("CREATE TABLE t(x INTEGER PRIMARY KEY)"));
    }
    for (std::int64_t round = 1; round <= 50; ++round) {
        auto database = platform::sqlite::Database::open("a.db", on(disk));
        REQUIRE(database);
        REQUIRE(count_rows(*database) == round - 1);
        auto insert = database->prepare("INSERT INTO t VALUES(?1)");
        REQUIRE(insert);
        {
            auto transaction = database->begin();
            REQUIRE(transaction);
            REQUIRE(insert->run(round));
            REQUIRE(transaction->commit());
        }
        auto open_one = database->begin();
        REQUIRE(open_one);
        REQUIRE(insert->run(round + 1000));
        disk.crash(random);
    }
}

TEST_CASE("LossyDisk: without synchronous=FULL the same crash loses commits") {
    simulation::LossyDisk disk{"lossy-normal"};
    crypto::SeededRandom random{2, "crash"};
    auto options = on(disk);
    options.synchronous = platform::sqlite::Options::Synchronous::normal;
    {
        auto database = platform::sqlite::Database::open("a.db", options);
        REQUIRE(database);
        REQUIRE(database->execute("CREATE TABLE t(x INTEGER PRIMARY KEY)"));
        REQUIRE(database->checkpoint());
    }
    bool lost = false;
    std::int64_t written = 0;
    for (int round = 0; round < 50 && !lost; ++round) {
        auto database = platform::sqlite::Database::open("a.db", options);
        REQUIRE(database);
        lost = count_rows(*database) < written;
        written = count_rows(*database) + 1;
        auto insert = database->prepare("INSERT INTO t VALUES(?1)");
        REQUIRE(insert);
        REQUIRE(insert->run(written));
        disk.crash(random);
    }
    CHECK(lost);
}

TEST_CASE("LossyDisk: a full disk is a named failure and the database stays whole") {
    simulation::LossyDisk disk{"lossy-full"};
    auto database = platform::sqlite::Database::open("a.db", on(disk));
    REQUIRE(database);
    REQUIRE(database->execute("CREATE TABLE t(x INTEGER PRIMARY KEY)"));
    disk.fill_after(1);
    auto insert = database->prepare("INSERT INTO t VALUES(?1)");
    REQUIRE(insert);
    CHECK_FALSE(insert->run(1));
    disk.refill();
    insert->reset();
    CHECK(insert->run(2));
    CHECK(count_rows(*database) == 1);
}
