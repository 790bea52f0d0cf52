#include <csignal>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/host/support/town.hpp"

// Killed before and after every commit of a day, in either city: what was acknowledged is there,
// nothing counts twice, and the day ends as if nothing had happened. docs/host.md, H1-H3.
using namespace host_test;
using host::store::CommitPoint;

namespace {

struct Ends {
    std::int64_t due_to = 0;
    std::int64_t payable = 0;
    std::int64_t stored = 0;
    std::int64_t bank_a = 0;
    std::int64_t bank_b = 0;
    friend bool operator==(const Ends&, const Ends&) = default;
};

// A day with a load, a batch at home, one away, and both closes. Everyone repeats until answered.
class Day {
public:
    explicit Day(const std::filesystem::path& directory)
        : a{3100, {3200}, directory / "a.db"},
          b{3200, {3100}, directory / "b.db"},
          gate_a{1, operator_id(3101), a.city.code},
          gate_b{2, operator_id(3201), b.city.code} {
        a.register_device(gate_a);
        b.register_device(gate_b);
        card = a.new_card(1);
        card.keys = &a.keys;
    }
    Ends run() {
        a.load(card, gate_a, 5000);
        std::vector<BatchRecord> home;
        std::vector<BatchRecord> away;
        for (std::uint32_t i = 0; i < 4; ++i) {
            home.push_back(card.debit(gate_a.terminal, i + 1, 100, at(10, i)));
            away.push_back(card.debit(gate_b.terminal, i + 1, 200, at(11, i)));
        }
        away.push_back(away.front());
        upload(a, gate_a, home);
        upload(b, gate_b, away);
        exchange_all(a, b);
        for (Town* town : {&a, &b}) {
            (void)town->admin(platform::HttpMethod::post, "/v1/admin/day/close?date=20260105");
        }
        exchange_all(a, b);
        for (Town* town : {&a, &b}) {
            (void)town->admin(platform::HttpMethod::post, "/v1/admin/day/settle?date=20260105");
        }
        CHECK(a.ledger_is_whole());
        CHECK(b.ledger_is_whole());
        return {position(a), b.balance("payable:operator/0000000000003201"),
                a.balance("stored_value:city/3100"), a.balance("bank:city/3100"),
                b.balance("bank:city/3200")};
    }
    Town a;
    Town b;
    TestDevice gate_a;
    TestDevice gate_b;
    TestCard card;

private:
    static void upload(Town& town, const TestDevice& gate,
                       const std::vector<BatchRecord>& records) {
        const auto answer = town.send(gate, "/v1/batches", gate.batch(records, 1));
        REQUIRE(answer.status == 200);
        town.work();
    }
    static std::int64_t position(Town& town) { return town.balance("due_to:city/3200"); }
};

// Opens the store with a hook that kills this process at its n-th commit point.
void arm(Town& town, int nth) {
    town.host.reset();
    town.store.reset();
    auto left = std::make_shared<int>(nth);
    auto opened = host::store::open_sqlite_store(
        town.path, {.vfs = {}, .busy_timeout_ms = 0, .at_commit = [left](CommitPoint) {
                        if (--*left == 0) {
                            (void)::kill(::getpid(), SIGKILL);
                        }
                    }});
    town.store = std::move(*opened);
    town.host = std::move(*host::Host::open(town.city, *town.store, town.keys, town.clock));
}

struct Directory {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / fmt::format("onecard_crash_{}", ::getpid());
    Directory() { fresh(); }
    ~Directory() { std::filesystem::remove_all(path); }
    void fresh() const {
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
};

// True: the child died of its hook. False: the day ended first, there is no such point.
bool killed_at(const std::filesystem::path& directory, bool first_city, int nth) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        try {  // nothing may return into the parent's test
            Day day{directory};
            arm(first_city ? day.a : day.b, nth);
            (void)day.run();
            ::_exit(0);
        } catch (...) {
            ::_exit(1);
        }
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    REQUIRE_MESSAGE((killed || ended), fmt::format("point {}: wait status {:#x}", nth, status));
    return killed;
}

}  // namespace

TEST_CASE("crash: killed around every commit of a day, the day ends the same") {
    const Directory directory;
    const Ends expected = Day{directory.path}.run();
    CHECK(expected == Ends{0, 0, 5000 - 400 - 800, 400 + 800, 0});
    int points = 0;
    for (const bool first_city : {true, false}) {
        for (int nth = 1;; ++nth) {
            directory.fresh();
            if (!killed_at(directory.path, first_city, nth)) break;
            ++points;
            // Everyone starts again from what is on the disk and repeats what was not answered. The
            // card repeats its load with the same key: its answers are the same bytes.
            Day again{directory.path};
            CHECK_MESSAGE(again.run() == expected,
                          fmt::format("city {} point {}", first_city, nth));
        }
    }
    CHECK(points > 40);
}
