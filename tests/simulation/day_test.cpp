// The two-city day in one process. Without arguments: thirty short days. By hand:
//   simulation_day_test --seed N [--days M]
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/simulation/day.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include "platform/log.hpp"

namespace {

using simulation::Day;
using simulation::DayPlan;
using simulation::DayReport;
using simulation::Faults;

std::uint64_t first_seed = 1;
std::uint64_t day_count = 30;

DayReport run_day(const DayPlan& plan) {
    try {
        return Day{plan}.run();
    } catch (const std::exception& broken) {
        FAIL(broken.what());
        throw;
    }
}

}  // namespace

TEST_CASE("simulation: one city, one card, one gate, nothing goes wrong") {
    const DayReport day = run_day(
        {.seed = 1, .cities = 1, .cards = 1, .gates_per_city = 1, .events = 40, .faults = {}});
    CHECK(day.opened > 0);
    CHECK(day.sums.spent > 0);
    CHECK(day.sums.spent + day.sums.on_cards + day.sums.disputed == day.sums.loaded);
}

TEST_CASE("simulation: two cities, nothing goes wrong, somebody owes somebody") {
    const DayReport day = run_day({.seed = 2, .faults = {}});
    CHECK(day.sums.spent > 0);
    CHECK(day.settled_fen > 0);
}

TEST_CASE("simulation: one kind of misfortune at a time") {
    run_day({.seed = 3, .faults = {.cards_withdrawn = true}});
    run_day({.seed = 4, .faults = {.network = true}});
    run_day({.seed = 5, .faults = {.processes_killed = true}});
}

TEST_CASE("simulation: the same seed gives the same day, bit for bit") {
    const DayPlan plan{.seed = 6, .events = 80, .faults = Faults::all()};
    CHECK(run_day(plan).digest == run_day(plan).digest);
}

TEST_CASE("simulation: days with every misfortune") {
    for (std::uint64_t seed = first_seed; seed < first_seed + day_count; ++seed) {
        const DayReport day = run_day({.seed = seed, .faults = Faults::all()});
        std::printf(
            "seed %llu: %u taps, %u opened, %u torn, %u kills, %zu promises, "
            "loaded %lld = on cards %lld + spent %lld + in dispute %lld\n",
            static_cast<unsigned long long>(seed), day.taps, day.opened, day.torn, day.kills,
            day.promises, static_cast<long long>(day.sums.loaded),
            static_cast<long long>(day.sums.on_cards), static_cast<long long>(day.sums.spent),
            static_cast<long long>(day.sums.disputed));
        CHECK(day.opened > 0);
    }
}

int main(int argc, char** argv) {
    platform::configure_log({.file = "/dev/null"});
    doctest::Context context{argc, argv};
    for (int i = 1; i + 1 < argc; ++i) {
        const char* const value = argv[i + 1];
        std::uint64_t* target = nullptr;
        if (std::strcmp(argv[i], "--seed") == 0) target = &first_seed;
        if (std::strcmp(argv[i], "--days") == 0) target = &day_count;
        if (target == nullptr) continue;
        const auto parsed = std::from_chars(value, value + std::strlen(value), *target);
        if (parsed.ec != std::errc{} || *parsed.ptr != '\0') {
            std::fprintf(stderr, "%s takes a number, not \"%s\"\n", argv[i], value);
            return 2;
        }
        if (target == &first_seed) {
            day_count = 1;
            context.setOption("test-case", "simulation: days with every misfortune");
        }
    }
    return context.run();
}
