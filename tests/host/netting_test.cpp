#include "host/netting/netting.hpp"

#include <algorithm>

#include <doctest/doctest.h>
#include <rapidcheck.h>

// docs/day.md, 4.
using namespace host::netting;
using protocol::CityCode;

namespace {
Participant city(std::uint16_t number) {
    return Participant::of(CityCode{number});
}
Positions random_positions(std::size_t count_max, std::int64_t amount_max) {
    const auto count = *rc::gen::inRange<std::size_t>(0, count_max + 1);
    Positions out;
    std::int64_t sum = 0;
    for (std::size_t i = 0; i + 1 < count; ++i) {
        const auto amount = *rc::gen::inRange<std::int64_t>(-amount_max, amount_max + 1);
        out.emplace(city(static_cast<std::uint16_t>(i)), Fen{amount});
        sum += amount;
    }
    if (count > 0) out.emplace(city(999), Fen{-sum});
    return out;
}
// The fewest payments by trying: as many zero-sum groups as a set can be cut into.
std::size_t most_zero_groups(const std::vector<std::int64_t>& amounts, std::size_t set) {
    std::size_t best = 0;
    for (std::size_t part = set; part != 0; part = (part - 1) & set) {
        if ((part & (set & (~set + 1))) == 0) continue;  // holds the lowest member
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < amounts.size(); ++i) {
            if (part >> i & 1) sum += amounts[i];
        }
        if (sum == 0) best = std::max(best, 1 + most_zero_groups(amounts, set & ~part));
    }
    return best;
}
void check_settles(const Positions& positions, const std::vector<Debt>& lines) {
    auto left = positions;
    for (const Debt& line : lines) {
        RC_ASSERT(line.amount > Fen{0});
        RC_ASSERT(positions.at(line.from) < Fen{0});  // payers only pay
        RC_ASSERT(positions.at(line.to) > Fen{0});    // payees only receive
        left.at(line.from) = *add(left.at(line.from), line.amount);
        left.at(line.to) = *subtract(left.at(line.to), line.amount);
    }
    for (const auto& [who, amount] : left) RC_ASSERT(amount == Fen{0});
}
}  // namespace

TEST_CASE("netting: positions that do not sum to zero are refused") {
    CHECK(net({{city(1), Fen{5}}, {city(2), Fen{-4}}}).error() == NettingRefusal::sum_not_zero);
    CHECK(net({{city(1), Fen{INT64_MIN}}}).error() == NettingRefusal::sum_not_zero);
}

TEST_CASE("netting: sums beyond 63 bits are refused, not wrapped") {
    CHECK(net({{city(1), Fen{INT64_MAX}}, {city(2), Fen{INT64_MAX}}, {city(3), Fen{2}}}).error() ==
          NettingRefusal::total_overflows);
    CHECK(positions_of({{city(1), city(2), Fen{INT64_MAX}}, {city(1), city(2), Fen{INT64_MAX}}})
              .error() == NettingRefusal::total_overflows);
}

TEST_CASE("netting: nobody owes anything, nobody pays") {
    CHECK(net({}).value().empty());
    CHECK(net({{city(1), Fen{0}}, {city(2), Fen{0}}}).value().empty());
}

TEST_CASE("netting: a circle of debts disappears") {
    const auto positions = positions_of(
        {{city(1), city(2), Fen{70}}, {city(2), city(3), Fen{70}}, {city(3), city(1), Fen{50}}});
    REQUIRE(positions);
    CHECK(net(*positions).value() == std::vector{Debt{city(1), city(3), Fen{20}}});
}

TEST_CASE(
    "netting: two pairs that cancel are two payments, where the largest-first rule needs three") {
    // Largest first: 3 pays 6 five and is left with three, which two others must share.
    const Positions positions{{city(1), Fen{-8}},
                              {city(2), Fen{-5}},
                              {city(3), Fen{-4}},
                              {city(4), Fen{9}},
                              {city(5), Fen{8}}};
    const auto lines = net(positions);
    REQUIRE(lines);
    CHECK(lines->size() == 3);
    CHECK(std::ranges::find(*lines, Debt{city(1), city(5), Fen{8}}) != lines->end());
}

TEST_CASE("netting: lines settle every position, and are the fewest (property)") {
    CHECK(rc::check("small amounts, many coincidences", [] {
        const auto positions = random_positions(8, 6);
        const auto lines = net(positions);
        RC_ASSERT(lines.has_value());
        check_settles(positions, *lines);
        std::vector<std::int64_t> open;
        for (const auto& [who, amount] : positions) {
            if (amount != Fen{0}) open.push_back(amount.value());
        }
        const auto groups = most_zero_groups(open, (std::size_t{1} << open.size()) - 1);
        RC_ASSERT(lines->size() == open.size() - groups);
    }));
}

TEST_CASE(
    "netting: the same positions give the same lines, and large tables settle too (property)") {
    CHECK(rc::check("up to 60 participants", [] {
        const auto positions = random_positions(60, 1'000'000'000);
        const auto lines = net(positions);
        RC_ASSERT(lines.has_value());
        check_settles(positions, *lines);
        RC_ASSERT(lines->size() + 1 <= std::max<std::size_t>(positions.size(), 1));
        RC_ASSERT(net(positions).value() == *lines);
        RC_ASSERT(std::ranges::is_sorted(*lines));
    }));
}
