// Power lost at every operation of every command that changes a card or a SAM, and again while it
// recovers: judged through commands and answers alone. docs/card_storage.md, section 3.
//
// ONECARD_TEAR_NIGHTLY=1 takes more patterns; ONECARD_TEAR_SEED=n takes others. Sanitized builds
// take a sample. What the release run counts stands in the document, and is compared with it.
#include <doctest/doctest.h>

#include "tests/firmware/support/documented.hpp"
#include "tests/firmware/tear/cases.hpp"

using namespace tests::tear;
using tests::Suite;

namespace {

struct Sum {
    std::uint64_t groups = 0;  // test cases, of `groups_of_all`
    std::uint64_t cases = 0;
    std::uint64_t cut_points = 0, cut_again = 0, recovery_cuts = 0;
    std::uint64_t violations = 0;
} sum;
constexpr std::uint64_t groups_of_all = 8;

/// ONECARD_TEAR_SHARDS=n and ONECARD_TEAR_SHARD=0..n-1: one process of n takes every n-th case.
struct Shard {
    std::uint64_t count = tests::setting("ONECARD_TEAR_SHARDS", 1);
    std::uint64_t mine = tests::setting("ONECARD_TEAR_SHARD", 0);
};

void add(const Case& tested, const Tally& tally, const Depth& how) {
    sum.cut_points += tally.cut_points;
    sum.cut_again += tally.cut_again;
    sum.recovery_cuts += tally.recovery_cuts;
    sum.violations += tally.violations;
    MESSAGE(tested.name << ": " << tally.operations << " operations in " << tally.lives
                        << " lives, " << tally.cut_points << " cut points, " << tally.recovery_cuts
                        << " of them in the recovery of " << tally.cut_again << " others, "
                        << tally.became_new << " new; violations: " << tally.violations << "; seed "
                        << how.seed);
    for (const std::string& broken : tally.broken) FAIL_CHECK(broken);
    CHECK(tally.violations == 0);
    CHECK(tally.cut_points > (how.cut_every == 1 ? 100 : 0));
}

void run(const std::vector<Case>& cases) {
    const Depth how = depth();
    const Shard shard;
    ++sum.groups;
    for (const Case& tested : cases) {
        if (sum.cases++ % shard.count != shard.mine) continue;
        try {
            add(tested, cut_everywhere(tested, how), how);
        } catch (const std::exception& broken) {  // already uncut
            ++sum.violations;
            FAIL_CHECK(std::string{tested.name + ": " + broken.what()});
        }
    }
}

}  // namespace

TEST_CASE("tear: the purse's commands, SM4 (domain.md 1.6)") {
    run(purse_cases(Suite::sm4));
}
TEST_CASE("tear: the purse's commands, 3DES (domain.md 1.6)") {
    run(purse_cases(Suite::triple_des));
}
TEST_CASE("tear: PINs, keys, files, blocking, SM4 (docs/card_commands.md, 5)") {
    run(management_cases(Suite::sm4));
}
TEST_CASE("tear: PINs, keys, files, blocking, 3DES (docs/card_commands.md, 5)") {
    run(management_cases(Suite::triple_des));
}
TEST_CASE("tear: personalisation in SM4 (docs/card_commands.md, 3)") {
    run(personalisation_cases(Suite::sm4));
}
TEST_CASE("tear: personalisation in 3DES (docs/card_commands.md, 3)") {
    run(personalisation_cases(Suite::triple_des));
}
TEST_CASE("tear: the SAM's commands in SM4 (docs/card_commands.md 7 and 8)") {
    run(sam_cases(Suite::sm4));
}
TEST_CASE("tear: the SAM's commands in 3DES (docs/card_commands.md 7 and 8)") {
    run(sam_cases(Suite::triple_des));
}
TEST_CASE("tear: enough cut points, as many as documented (docs/card_storage.md, 3.1)") {
    const Depth how = depth();
    const Shard shard;
    const bool is_nightly = tests::setting("ONECARD_TEAR_NIGHTLY", 0) != 0;
    // test.sh shows this line.
    MESSAGE("tear run, card and SAM: " << sum.cases << " cases, cut points: " << sum.cut_points
                                       << ", violations: " << sum.violations
                                       << ", seed: " << how.seed);
    CHECK(sum.violations == 0);
    if (how.cut_every != 1 || sum.groups != groups_of_all) return;
    CHECK(sum.cut_points >= (is_nightly ? 5'000'000 : 250'000) / shard.count);
    if (!how.is_default() || shard.count != 1) return;
    tests::check_documented(
        "card_storage.md", "`card_tear_test`",
        {sum.cases, sum.cut_points, sum.cut_again, sum.recovery_cuts, sum.violations});
}
