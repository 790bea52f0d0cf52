// Power lost at every operation of every command that changes a card or a SAM, and again while it
// recovers: judged through commands and answers alone. docs/card_storage.md, section 3.
//
// ONECARD_TEAR_NIGHTLY=1 takes more patterns; ONECARD_TEAR_SEED=n takes others. Sanitized builds
// take a sample.
#include <doctest/doctest.h>

#include "tests/firmware/support/documented.hpp"
#include "tests/firmware/tear/cases.hpp"

using namespace tests::tear;
using tests::Suite;

namespace {

std::uint64_t cut_points_of_all = 0;
std::uint64_t cases_of_all = 0;

/// ONECARD_TEAR_SHARDS=n and ONECARD_TEAR_SHARD=0..n-1: one process of n takes every n-th case.
struct Shard {
    std::uint64_t count = tests::setting("ONECARD_TEAR_SHARDS", 1);
    std::uint64_t mine = tests::setting("ONECARD_TEAR_SHARD", 0);
};

/// Is this the run whose counts docs/card_storage.md gives? Each choice is then the seed's.
[[nodiscard]] bool is_documented(const Depth& how, bool is_nightly) {
    return how.cut_every == 1 && how.seed == Depth::seed_default && !is_nightly &&
           Shard{}.count == 1;
}

void run(const std::vector<Case>& cases) {
    const Depth how = depth();
    const Shard shard;
    for (const Case& tested : cases) {
        if (cases_of_all++ % shard.count != shard.mine) continue;
        try {
            const Tally tally = cut_everywhere(tested, how);
            cut_points_of_all += tally.cut_points;
            MESSAGE(tested.name << ": " << tally.operations << " operations in " << tally.lives
                                << " lives, " << tally.cut_points << " cut points, "
                                << tally.recovery_cuts << " of them cut again while recovering, "
                                << tally.became_new << " new; seed " << how.seed);
            CHECK(tally.cut_points > (how.cut_every == 1 ? 100 : 0));
        } catch (const Violation& broken) {
            FAIL_CHECK(std::string{broken.what()});
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
TEST_CASE("tear: personalisation (docs/card_commands.md, 3)") {
    run(personalisation_cases());
}
TEST_CASE("tear: the SAM's commands in SM4 (docs/card_commands.md 7 and 8)") {
    run(sam_cases(Suite::sm4));
}
TEST_CASE("tear: the SAM's commands in 3DES (docs/card_commands.md 7 and 8)") {
    run(sam_cases(Suite::triple_des));
}
TEST_CASE("tear: enough cut points") {
    const Depth how = depth();
    const bool is_nightly = tests::setting("ONECARD_TEAR_NIGHTLY", 0) != 0;
    MESSAGE("cut points: " << cut_points_of_all << ", violations: 0, seed: " << how.seed);
    const std::uint64_t wanted = (is_nightly ? 5'000'000 : 250'000) / Shard{}.count;
    if (how.cut_every == 1) CHECK(cut_points_of_all >= wanted);
    if (!is_documented(how, is_nightly)) return;
    CHECK(tests::missing_from("card_storage.md",
                              "(" + tests::with_commas(cases_of_all) + " cases: purse") == "");
    CHECK(tests::missing_from("card_storage.md", "The release run makes " +
                                                     tests::with_commas(cut_points_of_all) +
                                                     " cut points") == "");
}
