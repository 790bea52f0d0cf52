#include <doctest/doctest.h>

#include "tests/host/support/town.hpp"

// Records through a whole host: docs/outcomes.md. Money is checked in the ledger each time.
using namespace host_test;
using Names = std::vector<std::string>;

namespace {
const std::string payable_1 = "payable:operator/0000000000003101";
const std::string payable_2 = "payable:operator/0000000000003102";
const std::string stored = "stored_value:city/3100";
const std::string dispute = "dispute:city/3100";

struct Scene {
    Town town{3100};
    TestDevice gate{1, operator_id(3101), town.city.code};
    TestDevice second{2, operator_id(3102), town.city.code};
    TestCard card;
    Scene() {
        town.register_device(gate);
        town.register_device(second);
        card = town.new_card(1);
        town.load(card, gate, 1000);
    }
    ~Scene() { CHECK(town.ledger_is_whole()); }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
};
}  // namespace

TEST_CASE("clearing: good debits of both suites pay the operator") {
    Scene scene;
    TestCard old = scene.town.new_card(2, Suite::triple_des);
    scene.town.load(old, scene.gate, 500);
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 200, at(10)),
                                        old.debit(scene.gate.terminal, 2, 300, at(10, 1))}) ==
          Names{"accepted", "accepted"});
    CHECK(scene.town.balance(payable_1) == 500);
    CHECK(scene.town.balance(stored) == 1000);
}

TEST_CASE("clearing: an entry of zero fen takes its counter and posts nothing") {
    Scene scene;
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 0, at(9)),
                                        scene.card.debit(scene.gate.terminal, 2, 300, at(10))}) ==
          Names{"accepted", "accepted"});
    CHECK(scene.town.balance(payable_1) == 300);
}

TEST_CASE("clearing: a forged TAC does not block the genuine record") {
    Scene scene;
    const BatchRecord genuine = scene.card.debit(scene.gate.terminal, 1, 200, at(10));
    BatchRecord forged = genuine;
    forged.amount = Money::from_fen(900);
    CHECK(scene.town.clear(scene.gate, {forged}) == Names{"tac_wrong"});
    CHECK(scene.town.balance(payable_1) == 0);
    CHECK(scene.town.clear(scene.gate, {genuine}) == Names{"accepted"});
    CHECK(scene.town.balance(payable_1) == 200);
}

TEST_CASE("clearing: a record repeated in its own and in another batch counts once") {
    Scene scene;
    const BatchRecord record = scene.card.debit(scene.gate.terminal, 1, 200, at(10));
    CHECK(scene.town.clear(scene.gate, {record, record}) == Names{"accepted", "duplicate"});
    CHECK(scene.town.clear(scene.gate, {record}) == Names{"duplicate"});
    CHECK(scene.town.balance(payable_1) == 200);
}

TEST_CASE("clearing: a record sold by a second operator is refused by the SAM's binding") {
    Scene scene;
    const BatchRecord record = scene.card.debit(scene.gate.terminal, 1, 200, at(10));
    CHECK(scene.town.clear(scene.second, {record}) == Names{"operator_not_bound"});
    CHECK(scene.town.clear(scene.gate, {record}) == Names{"accepted"});
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(payable_2) == 0);
}

TEST_CASE("clearing: a SAM that moved is bound to each operator in its own time") {
    Scene scene;
    (void)scene.town.store->transact([&] {
        scene.town.store->put_sam(
            {scene.gate.terminal, {}, scene.second.owner, at(11), std::nullopt});
        return host::store::End::commit;
    });
    const BatchRecord before = scene.card.debit(scene.gate.terminal, 1, 100, at(10, 59, 59));
    const BatchRecord after = scene.card.debit(scene.gate.terminal, 2, 100, at(11));
    CHECK(scene.town.clear(scene.second, {before, after}) ==
          Names{"operator_not_bound", "accepted+counter_gap"});
    // The first operator's records come late: the SAM was its own at their time, and no longer.
    CHECK(scene.town.clear(scene.gate, {before, after}) == Names{"accepted", "operator_not_bound"});
    CHECK(scene.town.balance(payable_1) == 100);
    CHECK(scene.town.balance(payable_2) == 100);
}

TEST_CASE("clearing: a binding that has ended binds nobody, corrected it does again") {
    Scene scene;
    const auto bind = [&](std::optional<DateTime> until) {
        (void)scene.town.store->transact([&] {
            scene.town.store->put_sam({scene.gate.terminal, {}, scene.gate.owner, {}, until});
            return host::store::End::commit;
        });
    };
    bind(at(11));
    const BatchRecord record = scene.card.debit(scene.gate.terminal, 1, 100, at(11));
    CHECK(scene.town.clear(scene.gate, {record}) == Names{"operator_not_bound"});
    bind(std::nullopt);
    CHECK(scene.town.clear(scene.gate, {record}) == Names{"accepted"});
}

TEST_CASE("clearing: a SAM registered late: refused, shown to a person, accepted when sent again") {
    Scene scene;
    const TestDevice fresh{7, operator_id(3101), scene.town.city.code};
    const BatchRecord first = scene.card.debit(fresh.terminal, 1, 100, at(10));
    const BatchRecord second = scene.card.debit(fresh.terminal, 2, 150, at(10, 1));
    CHECK(scene.town.clear(scene.gate, {first, second}) ==
          Names{"operator_not_bound", "operator_not_bound"});
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("\"kind\":\"operator_not_bound\"") != std::string::npos);
    CHECK(report.body.find("SAM 000000000007: 2 records, 250 fen, first at 0") !=
          std::string::npos);
    scene.town.register_device(fresh);
    CHECK(scene.town.clear(scene.gate, {first, second}) == Names{"accepted", "accepted"});
    CHECK(scene.town.balance(payable_1) == 250);
}

TEST_CASE("clearing: what no acquirer can look into is shown to a person") {
    Scene scene;
    BatchRecord foreign = scene.card.debit(scene.gate.terminal, 1, 100, at(10));
    foreign.issuer = issuer_id(4400);
    BatchRecord load = scene.card.debit(scene.gate.terminal, 2, 100, at(10, 1));
    load.type = protocol::TransactionType::load;
    CHECK(scene.town.clear(scene.gate, {foreign, load}) == Names{"issuer_unknown", "malformed"});
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("\"kind\":\"issuer_unknown\"") != std::string::npos);
    CHECK(report.body.find("\"kind\":\"malformed\"") != std::string::npos);
}

TEST_CASE("clearing: the same SAM number for another debit is id_reused and goes to dispute once") {
    Scene scene;
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 200, at(10))}) ==
          Names{"accepted"});
    const BatchRecord again = scene.card.debit(scene.gate.terminal, 1, 100, at(11));
    CHECK(scene.town.clear(scene.gate, {again, again}) == Names{"id_reused", "id_reused"});
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(dispute) == 100);
}

TEST_CASE("clearing: the same card counter for another debit is counter_reused") {
    Scene scene;
    TestCard cloned = scene.card;
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 200, at(10)),
                                        cloned.debit(scene.gate.terminal, 2, 100, at(10, 5))}) ==
          Names{"accepted", "counter_reused"});
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(dispute) == 100);
}

TEST_CASE("clearing: unknown cards, unknown key versions, foreign issuers") {
    Scene scene;
    TestCard stranger{card_number(77), scene.town.city.code, &scene.town.keys};
    stranger.balance = 500;
    BatchRecord version = scene.card.debit(scene.gate.terminal, 2, 1, at(10));
    version.key_version = protocol::KeyVersion{9};
    BatchRecord foreign = scene.card.debit(scene.gate.terminal, 3, 1, at(10));
    foreign.issuer = issuer_id(4400);
    CHECK(scene.town.clear(scene.gate, {stranger.debit(scene.gate.terminal, 1, 100, at(10)),
                                        version, foreign}) ==
          Names{"card_unknown", "key_unknown", "issuer_unknown"});
    CHECK(scene.town.balance(payable_1) == 0);
}

TEST_CASE("clearing: gates deliver late and out of order, and every debit counts once") {
    Scene scene;
    std::vector<BatchRecord> records;
    for (std::uint32_t i = 0; i < 10; ++i) {
        records.push_back(scene.card.debit(scene.gate.terminal, i + 1, 50, at(10, i)));
    }
    for (const std::size_t i : {3U, 1U, 9U, 0U, 2U, 8U, 7U, 4U, 6U, 5U}) {
        CHECK(scene.town.clear(scene.gate, {records[i]}).at(0).starts_with("accepted"));
    }
    CHECK(scene.town.balance(payable_1) == 500);
    CHECK(scene.town.balance(stored) == 500);
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("\"missing_counters\":0") != std::string::npos);
    CHECK(report.body.find("balance_break") == std::string::npos);
}

TEST_CASE("clearing: a balance that nobody loaded is paid, flagged and shown to a person") {
    Scene scene;
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 100, at(10))}) ==
          Names{"accepted"});
    scene.card.balance += 5;  // counterfeit value
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 2, 100, at(11))}) ==
          Names{"accepted+balance_break"});
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("\"kind\":\"balance_break\"") != std::string::npos);
    CHECK(report.body.find("310480000000000001") == std::string::npos);  // numbers are masked
}

TEST_CASE("clearing: hot from the time both in the entry and in force, not before") {
    Scene scene;
    const auto post = [&](std::string target, std::string body) {
        return scene.town.admin(platform::HttpMethod::post, std::move(target), std::move(body));
    };
    CHECK(post("/v1/admin/hot-list/entries",
               R"({"entries":[{"kind":"card","number":"00310480000000000001",)"
               R"("reason":"stolen","since":"20260105100000"}]})")
              .status == 200);
    // Known to us, but no list in force names it yet: no gate could know.
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 100, at(11))}) ==
          Names{"accepted"});
    CHECK(post("/v1/admin/hot-list/publish", R"({"effective":"20260105113000"})").status == 200);
    CHECK(
        scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 2, 100, at(11, 29)),
                                      scene.card.debit(scene.gate.terminal, 3, 100, at(11, 30))}) ==
        Names{"accepted", "hot_at_time"});
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(dispute) == 100);
}

TEST_CASE("clearing: MAC2 wrong with a genuine TAC is in dispute, with a wrong one nothing") {
    Scene scene;
    BatchRecord real = scene.card.debit(scene.gate.terminal, 1, 200, at(10));
    real.kind = RecordKind::mac2_wrong;
    BatchRecord fake = scene.card.torn(scene.gate.terminal, 2, 200, at(11), false);
    fake.kind = RecordKind::mac2_wrong;
    CHECK(scene.town.clear(scene.gate, {real, fake}) == Names{"mac2_wrong", "tac_wrong"});
    CHECK(scene.town.balance(dispute) == 200);
    CHECK(scene.town.balance(payable_1) == 0);
}

TEST_CASE("unresolved: proven later, and the operator is paid") {
    Scene scene;
    const BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), true);
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"unresolved"});
    CHECK(scene.town.get(scene.gate, "/v1/unresolved").body.size() > 100);
    CHECK(scene.town.get(scene.second, "/v1/unresolved").body == "[]");
    CHECK(scene.town.clear(scene.gate, {scene.card.prove(entry)}) == Names{"accepted"});
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(stored) == 800);
    CHECK(scene.town.get(scene.gate, "/v1/unresolved").body == "[]");
}

TEST_CASE("unresolved: not debited, and nothing moves") {
    Scene scene;
    BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"unresolved"});
    entry.kind = RecordKind::not_debited;
    CHECK(scene.town.clear(scene.gate, {entry, entry}) == Names{"not_debited", "duplicate"});
    CHECK(scene.town.balance(stored) == 1000);
    CHECK(scene.town.balance(dispute) == 0);
}

TEST_CASE("unresolved: a later counter makes it a dispute, the late proof pays it after all") {
    Scene scene;
    const BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), true);
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"unresolved"});
    CHECK(
        scene.town.clear(scene.second, {scene.card.debit(scene.second.terminal, 1, 100, at(11))}) ==
        Names{"accepted+counter_gap"});
    CHECK(scene.town.outcomes(scene.gate, 1) == Names{"dispute"});
    CHECK(scene.town.get(scene.gate, "/v1/unresolved").body == "[]");
    CHECK(scene.town.balance(dispute) == 200);
    CHECK(scene.town.balance(stored) == 700);
    CHECK(scene.town.clear(scene.gate, {scene.card.prove(entry)}) == Names{"accepted"});
    CHECK(scene.town.balance(dispute) == 0);
    CHECK(scene.town.balance(payable_1) == 200);
    CHECK(scene.town.balance(stored) == 700);
}

TEST_CASE("unresolved: the counter turns out to be another gate's: the dispute is void") {
    Scene scene;
    const BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
    const BatchRecord middle = scene.card.debit(scene.second.terminal, 1, 150, at(11));
    const BatchRecord last = scene.card.debit(scene.second.terminal, 2, 100, at(12));
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"unresolved"});
    CHECK(scene.town.clear(scene.second, {last}) == Names{"accepted+counter_gap"});
    CHECK(scene.town.balance(dispute) == 200);
    CHECK(scene.town.clear(scene.second, {middle}) == Names{"accepted"});
    CHECK(scene.town.balance(dispute) == 0);
    CHECK(scene.town.balance(payable_2) == 250);
    CHECK(scene.town.balance(stored) == 750);
    CHECK(scene.town.outcomes(scene.gate, 1) == Names{"not_debited"});
}

TEST_CASE("unresolved: two with one counter: the card showed that the first never happened") {
    for (const bool first_arrives_first : {true, false}) {
        Scene scene;
        const BatchRecord early = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
        const BatchRecord late = scene.card.torn(scene.gate.terminal, 2, 150, at(11), true);
        if (first_arrives_first) {
            CHECK(scene.town.clear(scene.gate, {early, late}) ==
                  Names{"not_debited", "unresolved"});
        } else {
            CHECK(scene.town.clear(scene.gate, {late, early}) ==
                  Names{"unresolved", "not_debited"});
        }
        (void)scene.town.clear(scene.second,
                               {scene.card.debit(scene.second.terminal, 1, 100, at(12))});
        CHECK(scene.town.balance(dispute) == 150);
        CHECK(scene.town.balance(stored) == 750);
    }
}

TEST_CASE("unresolved: gates are asked about entries that are held, and about no others") {
    Scene scene;
    const auto shared = [&] { return scene.town.get(scene.gate, "/v1/unresolved").body != "[]"; };
    BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"unresolved"});
    CHECK(shared());
    BatchRecord forged = entry;  // proves nothing, and so takes nothing away
    forged.kind = RecordKind::proven;
    CHECK(scene.town.clear(scene.gate, {forged}) == Names{"tac_wrong"});
    CHECK(shared());
    // Its counter turns out to be another debit's: void.
    CHECK(scene.town.clear(scene.second, {scene.card.debit(scene.second.terminal, 1, 100, at(11))})
              .size() == 1);
    CHECK(scene.town.outcomes(scene.gate, 1) == Names{"not_debited"});
    CHECK_FALSE(shared());
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"duplicate"});  // sent once more
    CHECK_FALSE(shared());
    // Entry and proof in one batch; an entry that is not held.
    const BatchRecord quick = scene.card.torn(scene.gate.terminal, 2, 200, at(12), true);
    BatchRecord absurd = scene.card.torn(scene.gate.terminal, 3, 200, at(13), false);
    absurd.amount = Money::from_fen(100'001);
    CHECK(scene.town.clear(scene.gate, {quick, scene.card.prove(quick), absurd}).at(1) ==
          "accepted");
    CHECK_FALSE(shared());
}

TEST_CASE("unresolved: an absurd amount is not held") {
    Scene scene;
    BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
    entry.amount = Money::from_fen(100'001);
    CHECK(scene.town.clear(scene.gate, {entry}) == Names{"over_limit"});
}

TEST_CASE("trace: one debit from its record to the ledger") {
    Scene scene;
    (void)scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 42, 200, at(10))});
    const auto trace = scene.town.admin(platform::HttpMethod::get,
                                        "/v1/admin/trace?id=3100-000000000001-0000002A");
    CHECK(trace.status == 200);
    CHECK(trace.body.find("\"outcome\":\"accepted\"") != std::string::npos);
    CHECK(trace.body.find(payable_1) != std::string::npos);
    CHECK(
        scene.town.admin(platform::HttpMethod::get, "/v1/admin/trace?id=3100-000000000001-0000002B")
            .status == 404);
    for (const char* id : {"", "3100", "3100-000000000001-0000002", "xxxx-000000000001-0000002A"}) {
        CHECK(scene.town.admin(platform::HttpMethod::get, std::string{"/v1/admin/trace?id="} + id)
                  .status == 400);
    }
}
