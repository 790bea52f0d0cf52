// The two-city day in one process. Without arguments: the tests below, with thirty short days. By
// hand, one day or many: simulation_day_test --seed N [--days M] [--cities N] [--cards N]
// [--gates N] [--events N] [--faults none|all|cards,network,kills].
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/simulation/day.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "platform/log.hpp"

namespace {

using simulation::Day;
using simulation::DayPlan;
using simulation::DayReport;
using simulation::Faults;

const char* program = "simulation_day_test";
DayPlan by_hand{.faults = Faults::all()};
std::uint64_t day_count = 0;  ///< 0: thirty, or one when a seed was given

DayReport run_day(const DayPlan& plan) {
    try {
        return Day{plan}.run();
    } catch (const std::exception& broken) {
        const std::string text =
            std::string{broken.what()} + "replay: " + program + " " + replay_options(plan);
        FAIL(text);
        throw;
    }
}

void report(const DayPlan& plan, const DayReport& day) {
    std::printf(
        "seed %llu: %u taps, %u opened, %u torn, %u kills, %zu promises, loaded %lld = on cards "
        "%lld + spent %lld + in dispute %lld, digest %02x%02x%02x%02x\n",
        static_cast<unsigned long long>(plan.seed), day.taps, day.opened, day.torn, day.kills,
        day.promises, static_cast<long long>(day.sums.loaded),
        static_cast<long long>(day.sums.on_cards), static_cast<long long>(day.sums.spent),
        static_cast<long long>(day.sums.disputed), day.digest[0], day.digest[1], day.digest[2],
        day.digest[3]);
}

bool set_number(std::string_view name, std::uint64_t value) {
    const auto small = static_cast<unsigned>(value);
    if (name == "--seed")
        by_hand.seed = value;
    else if (name == "--days")
        day_count = value;
    else if (name == "--cities")
        by_hand.cities = small;
    else if (name == "--cards")
        by_hand.cards = small;
    else if (name == "--gates")
        by_hand.gates_per_city = small;
    else if (name == "--events")
        by_hand.events = small;
    else
        return false;
    return true;
}

bool set_option(std::string_view name, std::string_view value) {
    if (name == "--faults") {
        const auto has = [&](std::string_view word) {
            return value == "all" || value.find(word) != std::string_view::npos;
        };
        by_hand.faults = {has("cards"), has("network"), has("kills")};
        return true;
    }
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    return parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size() &&
           set_number(name, number);
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
    const DayReport once = run_day(plan);
    const DayReport again = run_day(plan);
    CHECK(once.digest == again.digest);
}

TEST_CASE("simulation: days with every misfortune") {
    for (std::uint64_t i = 0; i < day_count; ++i) {
        DayPlan plan = by_hand;
        plan.seed += i;
        const DayReport day = run_day(plan);
        report(plan, day);
        CHECK(day.taps > 0);
    }
}

// Our options come in pairs; everything else is doctest's.
int main(int argc, char** argv) {
    platform::configure_log({.file = "/dev/null"});
    program = argv[0];
    doctest::Context context;
    bool chosen = false;
    std::vector<const char*> rest{argv[0]};
    for (int i = 1; i < argc; ++i) {
        const std::string_view name{argv[i]};
        constexpr std::array ours{"--seed",  "--days",   "--cities", "--cards",
                                  "--gates", "--events", "--faults"};
        if (std::ranges::find(ours, name) == ours.end()) {
            rest.push_back(argv[i]);
            continue;
        }
        if (i + 1 == argc || !set_option(name, argv[i + 1])) {
            std::fprintf(stderr, "%s takes a value; see the head of day_test.cpp\n", argv[i]);
            return 2;
        }
        chosen = chosen || name == "--seed" || name == "--days";
        ++i;
    }
    if (day_count == 0) day_count = chosen ? 1 : 30;
    if (chosen) context.setOption("test-case", "simulation: days with every misfortune");
    context.applyCommandLine(static_cast<int>(rest.size()), rest.data());
    return context.run();
}
