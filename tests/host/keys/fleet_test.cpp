// Which chips carry which keys, and stores of other versions: docs/issuing.md, 4.
#include "host/keys/fleet.hpp"

#include "host/keys/issue_schema.hpp"
#include "tests/host/keys/issuer_scene.hpp"

using namespace keys_test;
using host::keys::ChipStep;
using host::keys::Fleet;
using host::keys::FleetChip;
using host::keys::Holding;
using host::keys::KeyHolders;
using host::keys::KeyStamp;
using protocol::KeyVersion;

namespace {

constexpr KeyVersion one{1};

host::keys::Result<ChipState> step(Issuer& issuer, ChipStep what, ChipKind kind,
                                   const Number& number) {
    return issuer.state->take_step({what, kind, number, {}, {}}, office);
}

/// A state file that nobody but this test fills.
struct BareState {
    Directory directory;
    platform::ManualClock clock = test_clock();
    std::filesystem::path file = directory.path / "state.db";

    host::keys::Result<IssueStore> open() const {
        return IssueStore::open(file, Mark::rehearsal, city_code, clock);
    }
    platform::sqlite::Database raw() const {
        return platform::sqlite::Database::open(file).value();
    }
};

}  // namespace

TEST_CASE("fleet: every key that was written is known, national and derived alike") {
    Issuer issuer;
    BlankChip card{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    BlankChip sam{*issuer.keys, KeyUse::sam_transport, Suite::sm4, 9};
    REQUIRE(issue(issuer, card, "card", "a").contains("done"));
    REQUIRE(issue(issuer, sam, "sam", "b").contains("done"));
    Fleet fleet{*issuer.state};
    // The card's, and the nation's root in the SAM.
    CHECK(fleet.count_by_key(KeyUse::purchase, Suite::sm4, one).value() == KeyHolders{1, 1, 0});
    CHECK(fleet.count_by_key(KeyUse::purchase, Suite::triple_des, one).value() ==
          KeyHolders{0, 1, 0});
    // The card's, and the SAM's own: once, although the SAM has the nation's lock root as well.
    CHECK(fleet.count_by_key(KeyUse::application_lock, Suite::sm4, one).value() ==
          KeyHolders{1, 1, 0});
    for (const KeyUse use : {KeyUse::load, KeyUse::transaction_certificate, KeyUse::pin_reload,
                             KeyUse::card_maintenance, KeyUse::internal_authentication}) {
        CHECK(fleet.count_by_key(use, Suite::sm4, one).value() == KeyHolders{1, 0, 0});
    }
    CHECK(fleet.count_by_key(KeyUse::external_authentication, Suite::sm4, one).value() ==
          KeyHolders{1, 1, 0});
    CHECK(fleet.count_by_key(KeyUse::purchase, Suite::sm4, KeyVersion{2}).value() == KeyHolders{});
    CHECK(fleet.count_by_key(KeyUse::batch_signature, Suite::sm4, one).value() == KeyHolders{});
    std::size_t card_keys = 0;
    REQUIRE(fleet.each({}, [&](const FleetChip& chip, std::span<const KeyStamp> keys) {
        if (chip.number == first_card) card_keys = keys.size();
    }));
    CHECK(card_keys == 11);  // docs/card_commands.md, 3: the transit card, two lock keys as one
}

TEST_CASE("fleet: who needs a key, and who ever held it") {
    Issuer issuer;
    Fleet fleet{*issuer.state};
    const auto holders = [&](Holding holding) {
        return fleet.count_by_key(KeyUse::load, Suite::sm4, one, holding).value();
    };
    BlankChip scrap{*issuer.keys, KeyUse::card_transport, Suite::sm4, 7};
    (void)open(issuer, scrap, "card", "s");
    CHECK(holders(Holding::in_use) == KeyHolders{1, 0, 0});  // bound: it may have its keys
    REQUIRE(issuer.state->release(ChipKind::card, first_card, office).has_value());
    CHECK(holders(Holding::in_use) == KeyHolders{});
    CHECK(holders(Holding::ever) == KeyHolders{0, 0, 1});
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    REQUIRE(issue(issuer, chip, "card", "x").contains("done"));
    CHECK(holders(Holding::in_use) == KeyHolders{1, 0, 0});
    REQUIRE(step(issuer, ChipStep::lose, ChipKind::card, first_card).has_value());
    CHECK(holders(Holding::in_use) == KeyHolders{1, 0, 0});  // it may be found
    SUBCASE("replaced") {
        const auto orders = host::keys::parse_orders(
            std::string{host::keys::order_header} +
                "\ncard,03104800000000000033,sm4,20260101,20351231,student,yes,enabled,,,,"
                "03104800000000000017",
            "lines");
        REQUIRE(issuer.state->import(*orders, office).has_value());
    }
    SUBCASE("blocked") {
        REQUIRE(step(issuer, ChipStep::block, ChipKind::card, first_card).has_value());
    }
    SUBCASE("retired") {
        REQUIRE(step(issuer, ChipStep::retire, ChipKind::card, first_card).has_value());
    }
    CHECK(holders(Holding::in_use) == KeyHolders{});
    CHECK(holders(Holding::ever) == KeyHolders{1, 0, 1});
    std::vector<std::string> listed;
    REQUIRE(fleet.each_with_key(
        KeyUse::load, Suite::sm4, one,
        [&](const FleetChip& found) {
            CHECK(found.number == first_card);
            listed.push_back(platform::to_hex(found.chip->value()) + (found.scrap ? "s" : ""));
        },
        Holding::ever));
    std::ranges::sort(listed);
    CHECK(listed == std::vector{chip.serial(), scrap.serial() + "s"});
}

TEST_CASE("fleet: inventory by kind and state and version") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    REQUIRE(issue(issuer, chip, "card", "x").contains("done"));
    Fleet fleet{*issuer.state};
    const auto count = [&](const host::keys::InventoryFilter& filter) {
        std::size_t lines = 0;
        REQUIRE(fleet.each(filter, [&](const FleetChip&, std::span<const KeyStamp>) { ++lines; }));
        return lines;
    };
    CHECK(count({}) == 3);
    CHECK(count({ChipKind::sam, {}, {}}) == 1);
    CHECK(count({{}, ChipState::issued, {}}) == 1);
    CHECK(count({ChipKind::sam, ChipState::issued, {}}) == 0);
    CHECK(count({{}, {}, one}) == 1);
    CHECK(count({{}, {}, KeyVersion{2}}) == 0);
}

TEST_CASE("fleet: 200000 chips are found through an index, not by reading them all") {
    const BareState state;
    auto store = state.open().value();
    auto raw = state.raw();
    REQUIRE(raw.execute(R"sql(
        INSERT INTO key_set(id, members) VALUES(1, 'old'), (2, 'new');
        INSERT INTO key_set_member VALUES(1, 4, 1, 1, 0), (1, 4, 2, 2, 0), (2, 4, 1, 1, 0),
                                         (2, 4, 1, 2, 0);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
        INSERT INTO line(kind, number, content, state, chip, key_set)
            SELECT 1, CAST(printf('%010d', i) AS BLOB), '', CASE WHEN i % 10 = 0 THEN 7 ELSE 3 END,
                   CAST(printf('%08d', i) AS BLOB), CASE WHEN i % 4 = 0 THEN 2 ELSE 1 END FROM n;
    )sql")
                .has_value());
    Fleet fleet{store};
    CHECK(fleet.count_by_key(KeyUse::purchase, Suite::sm4, one, Holding::ever)->cards == 150000);
    CHECK(fleet.count_by_key(KeyUse::purchase, Suite::sm4, KeyVersion{2})->cards == 40000);
    CHECK(fleet.count_by_key(KeyUse::load, Suite::sm4, one)->cards == 180000);
    std::int64_t streamed = 0;
    REQUIRE(fleet.each_with_key(KeyUse::purchase, Suite::sm4, KeyVersion{2},
                                [&](const FleetChip&) { ++streamed; }));
    CHECK(streamed == 40000);
    for (const Holding holding : {Holding::in_use, Holding::ever}) {
        const std::string plan = fleet.query_plan(holding).value();
        CAPTURE(plan);
        CHECK(plan.find("SEARCH line USING COVERING INDEX line_by_key_set (key_set=?") !=
              std::string::npos);
        CHECK(plan.find(
                  "SEARCH key_set_member USING PRIMARY KEY (use=? AND suite=? AND version=?)") !=
              std::string::npos);
        CHECK(plan.find("SCAN line") == std::string::npos);
        CHECK(plan.find("SCAN key_set_member") == std::string::npos);
        CHECK(plan.find("SCAN scrap") == std::string::npos);
    }
}

TEST_CASE("issue state: a store of an earlier program is refused, and stays as it was") {
    constexpr std::uint32_t earlier = 0x4F434B49;  // "OCKI"
    const BareState state;
    {
        auto raw = state.raw();
        REQUIRE(raw.execute("PRAGMA application_id = " + std::to_string(earlier) +
                            "; CREATE TABLE line(id INTEGER PRIMARY KEY)")
                    .has_value());
    }
    std::filesystem::permissions(
        state.file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    CHECK(state.open().error().detail.find("wrong_application") != std::string::npos);
    auto raw = state.raw();
    CHECK_FALSE(raw.prepare("SELECT * FROM event").has_value());
}

TEST_CASE("issue state: a later program's store is refused by name") {
    const BareState state;
    (void)state.open().value();
    REQUIRE(state.raw().execute("PRAGMA user_version = 99").has_value());
    const auto refused = state.open();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail.find("schema_too_new") != std::string::npos);
}
