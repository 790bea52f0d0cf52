#include "host/netting/netting.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace host::netting {
namespace {

struct Open {
    Participant who;
    Fen amount;
};

// Receipts and payments are summed apart: when each sum fits, so does the sum of any subset.
std::expected<void, NettingRefusal> check_sum(const Positions& positions) {
    Fen receipts;
    Fen payments;
    for (const auto& [who, amount] : positions) {
        auto& side = amount > Fen{0} ? receipts : payments;
        const auto next = add(side, amount);
        if (!next) return std::unexpected{NettingRefusal::total_overflows};
        side = *next;
    }
    // Written so that the least number, which has no positive twin, is refused too.
    if (payments.value() != -receipts.value()) {
        return std::unexpected{NettingRefusal::sum_not_zero};
    }
    return {};
}

// n participants settle among themselves with n - 1 payments; k groups that are zero in themselves
// save k - 1 of them. So the fewest payments come from the most groups: dynamic programming over
// subsets. `best[set]` is the number of groups closed while the members are added one by one.
std::vector<std::vector<Open>> most_groups(const std::vector<Open>& open) {
    const std::size_t count = open.size();
    const std::size_t sets = std::size_t{1} << count;
    std::vector<std::int64_t> sum(sets, 0);  // fits: see check_sum
    std::vector<std::uint8_t> best(sets, 0);
    std::vector<std::uint8_t> last(sets, 0);
    for (std::size_t set = 1; set < sets; ++set) {
        const auto low = static_cast<std::size_t>(std::countr_zero(set));
        sum[set] = sum[set & (set - 1)] + open[low].amount.value();
        bool first = true;
        for (std::size_t i = 0; i < count; ++i) {
            if ((set >> i & 1) == 0) continue;
            const std::uint8_t groups = best[set & ~(std::size_t{1} << i)];
            if (first || groups > best[set]) {
                best[set] = groups;
                last[set] = static_cast<std::uint8_t>(i);
                first = false;
            }
        }
        if (sum[set] == 0) ++best[set];
    }
    std::vector<std::vector<Open>> groups;
    for (std::size_t set = sets - 1; set != 0; set &= ~(std::size_t{1} << last[set])) {
        if (sum[set] == 0) groups.emplace_back();
        groups.back().push_back(open[last[set]]);
    }
    return groups;
}

// The largest payer pays the largest payee; ties go to the lower participant.
void settle(std::vector<Open> group, std::vector<Debt>& out) {
    const auto by_amount = [](const Open& a, const Open& b) {
        return a.amount != b.amount ? a.amount < b.amount : a.who < b.who;
    };
    while (!group.empty()) {
        std::ranges::sort(group, by_amount);
        Open& payer = group.front();
        Open& payee = group.back();
        assert(payer.amount < Fen{0} && payee.amount > Fen{0});  // a group's sum is zero
        const Fen amount{std::min(-payer.amount.value(), payee.amount.value())};
        out.push_back({payer.who, payee.who, amount});
        payer.amount = *add(payer.amount, amount);
        payee.amount = *subtract(payee.amount, amount);
        std::erase_if(group, [](const Open& open) { return open.amount == Fen{0}; });
    }
}

}  // namespace

const char* name(NettingRefusal refusal) {
    switch (refusal) {
        case NettingRefusal::total_overflows: return "total_overflows";
        case NettingRefusal::sum_not_zero: return "sum_not_zero";
    }
    return "unknown";
}

std::expected<Positions, NettingRefusal> positions_of(const std::vector<Debt>& debts) {
    Positions out;
    for (const Debt& debt : debts) {
        const auto from = subtract(out[debt.from], debt.amount);
        if (!from) return std::unexpected{NettingRefusal::total_overflows};
        out[debt.from] = *from;
        const auto to = add(out[debt.to], debt.amount);
        if (!to) return std::unexpected{NettingRefusal::total_overflows};
        out[debt.to] = *to;
    }
    return out;
}

std::expected<std::vector<Debt>, NettingRefusal> net(const Positions& positions) {
    ONECARD_CHECK(check_sum(positions));
    std::vector<Open> open;
    for (const auto& [who, amount] : positions) {
        if (amount != Fen{0}) open.push_back({who, amount});
    }
    std::vector<Debt> out;
    if (open.size() <= exact_participants_max) {
        for (auto& group : most_groups(open)) settle(std::move(group), out);
    } else {
        settle(std::move(open), out);
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace host::netting
