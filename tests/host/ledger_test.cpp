#include <doctest/doctest.h>
#include <sqlite3.h>

#include "host/ledger/book.hpp"
#include "tests/host/support/town.hpp"

// docs/ledger.md. The order of refusals is PostRefusal's.
using namespace host::ledger;
using host_test::operator_id;
using protocol::CityCode;

namespace {
const Participant city = Participant::of(CityCode{0x3100});
const Participant gate_operator = Participant::of(operator_id(3101));
const Account stored{Purpose::stored_value, city};
const Account payable{Purpose::payable, gate_operator};
const Account pending{Purpose::load_pending, city};
const Account cash{Purpose::kiosk_cash, gate_operator};

Entry entry(EntryClass entry_class, std::vector<Posting> postings) {
    return {entry_class, *protocol::Date::make(2026, 1, 5), "batch/1", std::move(postings)};
}
std::expected<std::int64_t, PostRefusal> post_in(host::store::Store& store, const Entry& what) {
    std::expected<std::int64_t, PostRefusal> out = std::unexpected{PostRefusal::entry_empty};
    (void)store.transact([&] {
        out = post(store, what);
        return out ? host::store::End::commit : host::store::End::abandon;
    });
    return out;
}
}  // namespace

TEST_CASE("ledger entry: nothing to post is refused (docs/ledger.md, 2)") {
    CHECK(turnover(entry(EntryClass::clearing, {})).error() == PostRefusal::entry_empty);
}

TEST_CASE("ledger entry: zero and negative amounts are refused") {
    for (const std::int64_t fen : {0LL, -1LL}) {
        const auto refused =
            turnover(entry(EntryClass::clearing, {{stored, payable, Fen{fen}, 0, {}}}));
        CHECK(refused.error() == PostRefusal::amount_not_positive);
    }
}

TEST_CASE("ledger entry: an account does not pay itself") {
    CHECK(turnover(entry(EntryClass::clearing, {{stored, stored, Fen{1}, 0, {}}})).error() ==
          PostRefusal::accounts_equal);
}

TEST_CASE("ledger entry: a class may touch its own accounts only") {
    CHECK(turnover(entry(EntryClass::clearing, {{cash, stored, Fen{1}, 0, {}}})).error() ==
          PostRefusal::account_not_allowed);
    CHECK(turnover(entry(EntryClass::loading, {{stored, payable, Fen{1}, 0, {}}})).error() ==
          PostRefusal::account_not_allowed);
    CHECK(turnover(entry(EntryClass::settlement, {{stored, payable, Fen{1}, 0, {}}})).error() ==
          PostRefusal::account_not_allowed);
}

TEST_CASE("ledger entry: a purpose belongs to one kind of participant") {
    const Account city_payable{Purpose::payable, city};
    CHECK(turnover(entry(EntryClass::clearing, {{stored, city_payable, Fen{1}, 0, {}}})).error() ==
          PostRefusal::account_not_allowed);
}

TEST_CASE("ledger entry: turnover that does not fit 63 bits is refused, not wrapped") {
    const Posting huge{stored, payable, Fen{INT64_MAX}, 0, {}};
    CHECK(turnover(entry(EntryClass::clearing, {huge, {stored, payable, Fen{1}, 1, {}}})).error() ==
          PostRefusal::total_overflows);
    CHECK(advance(payable, {Fen{0}, Fen{INT64_MAX}}, {Fen{0}, Fen{1}}).error() ==
          PostRefusal::total_overflows);
}

TEST_CASE("ledger post: more cannot leave load_pending than came in, and nothing is kept") {
    host_test::Town town{3100};
    CHECK(post_in(*town.store, entry(EntryClass::loading, {{cash, pending, Fen{100}, 0, {}}})));
    const auto refused =
        post_in(*town.store, entry(EntryClass::loading, {{pending, stored, Fen{101}, 0, {}}}));
    CHECK(refused.error() == PostRefusal::pending_exceeded);
    CHECK(town.balance("load_pending:city/3100") == 100);
    CHECK(town.balance("stored_value:city/3100") == 0);
}

TEST_CASE("ledger chain: every field of an entry is under the digest (docs/ledger.md, 3)") {
    const Entry base =
        entry(EntryClass::clearing, {{stored, payable, Fen{1}, 2, host_test::card_number(1)}});
    const auto digest = chain({}, 1, base);
    CHECK(chain({}, 1, base) == digest);
    std::vector<Entry> changed(7, base);
    changed[0].entry_class = EntryClass::settlement;
    changed[1].business_date = *protocol::Date::make(2026, 1, 6);
    changed[2].source = "batch/2";
    changed[3].postings[0].amount = Fen{2};
    changed[4].postings[0].index = 3;
    changed[5].postings[0].card = host_test::card_number(2);
    changed[6].postings.push_back(base.postings[0]);
    for (const Entry& one : changed) CHECK(chain({}, 1, one) != digest);
    CHECK(chain({}, 2, base) != digest);
    CHECK(chain(digest, 1, base) != digest);
}

TEST_CASE("participant: the text form reads back, others are refused") {
    for (const Participant& who : {city, gate_operator}) {
        CHECK(Participant::parse(who.text()) == who);
    }
    for (const char* text :
         {"", "city/", "city/310", "city/31000", "city/31x0", "operator/3101", "bank/3100"}) {
        CHECK_FALSE(Participant::parse(text).has_value());
    }
}

TEST_CASE("ledger verify: one changed amount in the file is found (docs/ledger.md, 3)") {
    const auto path = std::filesystem::temp_directory_path() / "onecard_ledger_test.db";
    std::filesystem::remove(path);
    {
        host_test::Town town{3100, {}, path};
        CHECK(
            post_in(*town.store, entry(EntryClass::clearing, {{stored, payable, Fen{5}, 0, {}}})));
        CHECK(
            post_in(*town.store, entry(EntryClass::clearing, {{stored, payable, Fen{7}, 0, {}}})));
        // The cards' own rows do not know these postings, but they name no card.
        CHECK(town.ledger_is_whole());
    }
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
    // The ordinary way is closed: the past is immutable.
    CHECK(sqlite3_exec(raw, "UPDATE postings SET amount = 6 WHERE entry = 1", nullptr, nullptr,
                       nullptr) == SQLITE_CONSTRAINT);
    REQUIRE(sqlite3_exec(raw,
                         "DROP TRIGGER postings_fixed;"
                         "UPDATE postings SET amount = 6 WHERE entry = 1",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(raw);
    host_test::Town town{3100, {}, path};
    VerifyReport report;
    (void)town.store->transact([&] {
        report = verify(*town.store);
        return host::store::End::commit;
    });
    CHECK_FALSE(report.chain_unbroken);
    CHECK(report.first_broken_entry == 1);
    CHECK(report.wrong_totals.size() == 2);
    CHECK_FALSE(town.ledger_is_whole());
    town.host.reset();
    town.store.reset();
    std::filesystem::remove(path);
}
