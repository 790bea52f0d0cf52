#include <doctest/doctest.h>

#include "tests/host/support/town.hpp"

// The online load at the issuer. protocol/load.hpp (order of outcomes); domain.md 1.5a.
using namespace host_test;
using protocol::LoadAnswer;
using protocol::LoadConfirmation;
using protocol::LoadOutcome;
using protocol::LoadRequest;
using protocol::LoadReversal;
using protocol::ReversalReason;

namespace {
const std::string cash = "kiosk_cash:operator/0000000000003101";
const std::string pending = "load_pending:city/3100";
const std::string stored = "stored_value:city/3100";

struct Scene {
    Town town{3100};
    TestDevice kiosk{1, operator_id(3101), town.city.code};
    TestCard card;
    Scene() {
        town.register_device(kiosk);
        card = town.new_card(1);
    }
    ~Scene() { CHECK(town.ledger_is_whole()); }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;

    LoadRequest begin(std::uint32_t sequence, std::uint32_t fen) {
        return card.initialise_load(kiosk.id, sequence, fen, town.clock.now());
    }
    LoadAnswer call(const char* target, Bytes body) {
        const auto response = town.send(kiosk, target, body);
        REQUIRE(response.status == 200);
        return LoadAnswer::parse(response.body_bytes()).value();
    }
    LoadAnswer request(const LoadRequest& request) { return call("/v1/loads", request.bytes()); }
    LoadOutcome confirm(const LoadRequest& request, const protocol::Mac& tac) {
        return call("/v1/loads/confirmations", LoadConfirmation{request.key, tac}.bytes()).outcome;
    }
    LoadOutcome reverse(const LoadRequest& request) {
        return call("/v1/loads/reversals",
                    LoadReversal{request.key, ReversalReason::card_unchanged}.bytes())
            .outcome;
    }
};
}  // namespace

TEST_CASE("load: requested, credited, confirmed: the card's MAC2 and the host's agree") {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        Scene scene;
        scene.card = scene.town.new_card(2, suite);
        const auto request = scene.begin(1, 500);
        const auto answer = scene.request(request);
        CHECK(answer.outcome == LoadOutcome::approved);
        CHECK(scene.town.balance(cash) == -500);
        CHECK(scene.town.balance(pending) == 500);
        CHECK(scene.town.balance(stored) == 0);
        const auto tac = scene.card.credit(request, answer);
        REQUIRE(tac);
        CHECK(scene.confirm(request, *tac) == LoadOutcome::confirmed);
        CHECK(scene.confirm(request, *tac) == LoadOutcome::confirmed);
        CHECK(scene.town.balance(pending) == 0);
        CHECK(scene.town.balance(stored) == 500);
    }
}

TEST_CASE("load: the same request gets the same answer, another under its key id_reused") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    const auto first = scene.request(request);
    scene.town.clock.advance_ms(60'000);
    CHECK(scene.request(request).bytes() == first.bytes());
    CHECK(scene.request(scene.begin(1, 600)).outcome == LoadOutcome::id_reused);
    CHECK(scene.town.balance(pending) == 500);
}

TEST_CASE("load: refusals, each by its name and without money") {
    Scene scene;
    auto foreign = scene.begin(1, 500);
    foreign.issuer = issuer_id(3200);
    CHECK(scene.request(foreign).outcome == LoadOutcome::not_our_card);
    auto unknown = scene.begin(2, 500);
    unknown.card = card_number(77);
    CHECK(scene.request(unknown).outcome == LoadOutcome::card_unknown);
    auto changed = scene.begin(3, 500);
    changed.amount = Money::from_fen(501);
    CHECK(scene.request(changed).outcome == LoadOutcome::mac1_wrong);
    auto version = scene.begin(4, 500);
    version.card_answer.key_version = protocol::KeyVersion{7};
    CHECK(scene.request(version).outcome == LoadOutcome::mac1_wrong);
    CHECK(scene.request(scene.begin(5, 0)).outcome == LoadOutcome::amount_out_of_limits);
    CHECK(scene.request(scene.begin(6, 100'001)).outcome == LoadOutcome::amount_out_of_limits);
    const auto refused = scene.request(scene.begin(5, 0));
    CHECK(refused.mac2 == protocol::Mac{});
    CHECK(scene.town.balance(cash) == 0);
}

TEST_CASE("load: a hot card is refused as soon as we know, listed or not") {
    Scene scene;
    CHECK(scene.town
              .admin(platform::HttpMethod::post, "/v1/admin/hot-list/entries",
                     R"({"entries":[{"kind":"card","number":"00310480000000000001",)"
                     R"("reason":"lost","since":"20260105120000"}]})")
              .status == 200);
    CHECK(scene.request(scene.begin(1, 500)).outcome == LoadOutcome::card_hot);
}

TEST_CASE("load: an online counter that was confirmed does not load again") {
    Scene scene;
    const auto first = scene.begin(1, 500);
    const auto replay = scene.begin(2, 500);  // the same counter, before the first was credited
    const auto tac = scene.card.credit(first, scene.request(first));
    CHECK(scene.confirm(first, tac.value()) == LoadOutcome::confirmed);
    CHECK(scene.request(replay).outcome == LoadOutcome::counter_old);
    CHECK(scene.request(scene.begin(3, 100)).outcome == LoadOutcome::approved);
}

TEST_CASE("load: a wrong TAC confirms nothing") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    (void)scene.request(request);
    CHECK(scene.confirm(request, {1, 2, 3, 4}) == LoadOutcome::tac_wrong);
    CHECK(scene.town.balance(pending) == 500);
}

TEST_CASE("load: reversed once, and the cash is free again") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    (void)scene.request(request);
    CHECK(scene.reverse(request) == LoadOutcome::reversed);
    CHECK(scene.reverse(request) == LoadOutcome::reversed);
    CHECK(scene.town.balance(cash) == 0);
    CHECK(scene.town.balance(pending) == 0);
}

TEST_CASE("load: a reversal after the confirmation is refused") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    const auto tac = scene.card.credit(request, scene.request(request));
    CHECK(scene.confirm(request, tac.value()) == LoadOutcome::confirmed);
    CHECK(scene.reverse(request) == LoadOutcome::already_confirmed);
    CHECK(scene.town.balance(stored) == 500);
}

TEST_CASE("load: a confirmation after the reversal counts the value and calls a person") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    const auto tac = scene.card.credit(request, scene.request(request));
    CHECK(scene.reverse(request) == LoadOutcome::reversed);
    CHECK(scene.confirm(request, tac.value()) == LoadOutcome::already_reversed);
    CHECK(scene.confirm(request, tac.value()) == LoadOutcome::already_reversed);
    CHECK(scene.town.balance(stored) == 500);
    CHECK(scene.town.balance("dispute:city/3100") == -500);
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("already_reversed") != std::string::npos);
}

TEST_CASE("load: confirming or reversing what was never requested, or was refused") {
    Scene scene;
    const auto never = scene.begin(1, 500);
    CHECK(scene.confirm(never, {}) == LoadOutcome::unknown_load);
    CHECK(scene.reverse(never) == LoadOutcome::unknown_load);
    const auto refused = scene.begin(2, 0);
    (void)scene.request(refused);
    CHECK(scene.confirm(refused, {}) == LoadOutcome::unknown_load);
    CHECK(scene.reverse(refused) == LoadOutcome::unknown_load);
}

// docs/kiosk.md, K5: two kiosks, one counter.
namespace {
struct TwoKiosks : Scene {
    TestDevice other{2, operator_id(3102), town.city.code};
    const std::string other_cash = "kiosk_cash:operator/0000000000003102";
    LoadRequest lost = begin(1, 500);  ///< its CREDIT never reached the card
    LoadRequest taken;
    protocol::Mac tac{};
    TwoKiosks() {
        town.register_device(other);
        CHECK(request(lost).outcome == LoadOutcome::approved);
        town.clock.advance_ms(60'000);
        taken = card.initialise_load(other.id, 1, 300, town.clock.now());
        const auto answer = by_other("/v1/loads", taken.bytes());
        CHECK(answer.outcome == LoadOutcome::approved);
        tac = card.credit(taken, answer).value();
    }
    LoadAnswer by_other(const char* target, Bytes body) {
        const auto response = town.send(other, target, body);
        REQUIRE(response.status == 200);
        return LoadAnswer::parse(response.body_bytes()).value();
    }
    LoadOutcome confirm_taken(const protocol::Mac& proof) {
        return by_other("/v1/loads/confirmations", LoadConfirmation{taken.key, proof}.bytes())
            .outcome;
    }
    void check_settled() {
        CHECK(town.balance(pending) == 0);
        CHECK(town.balance(cash) == 0);
        CHECK(town.balance(other_cash) == -300);
        CHECK(town.balance(stored) == 300);
        CHECK(town.balance("dispute:city/3100") == 0);
        const auto report = town.admin(platform::HttpMethod::get, "/v1/admin/report");
        CHECK(report.body.find("already_reversed") == std::string::npos);
    }
};
}  // namespace

TEST_CASE("load: two kiosks at one counter: the confirmed one reverses the other") {
    TwoKiosks scene;
    CHECK(scene.town.balance(pending) == 800);
    CHECK(scene.confirm_taken(scene.tac) == LoadOutcome::confirmed);
    scene.check_settled();
    CHECK(scene.confirm(scene.lost, scene.tac) == LoadOutcome::reversed);
    CHECK(scene.confirm(scene.lost, {1, 2, 3, 4}) == LoadOutcome::reversed);
    CHECK(scene.reverse(scene.lost) == LoadOutcome::reversed);
    CHECK(scene.confirm_taken(scene.tac) == LoadOutcome::confirmed);
    scene.check_settled();
}

TEST_CASE("load: two kiosks at one counter: the proof through the wrong kiosk settles both") {
    TwoKiosks scene;
    CHECK(scene.confirm(scene.lost, {1, 2, 3, 4}) == LoadOutcome::tac_wrong);
    CHECK(scene.town.balance(pending) == 800);
    CHECK(scene.confirm(scene.lost, scene.tac) == LoadOutcome::reversed);
    scene.check_settled();
    CHECK(scene.confirm_taken(scene.tac) == LoadOutcome::confirmed);
    CHECK(scene.reverse(scene.lost) == LoadOutcome::reversed);
    scene.check_settled();
}

TEST_CASE("load: a pending load at a lower counter outlives a later confirmation") {
    Scene scene;
    const auto late = scene.begin(1, 500);
    const auto tac = scene.card.credit(late, scene.request(late));  // confirmed much later
    const auto next = scene.begin(2, 300);
    const auto next_tac = scene.card.credit(next, scene.request(next));
    CHECK(scene.confirm(next, next_tac.value()) == LoadOutcome::confirmed);
    CHECK(scene.town.balance(pending) == 500);
    CHECK(scene.confirm(late, tac.value()) == LoadOutcome::confirmed);
    CHECK(scene.town.balance(pending) == 0);
    CHECK(scene.town.balance(stored) == 800);
}

TEST_CASE("load: a confirmed load touches no other card's at the same counter") {
    TwoKiosks scene;
    scene.card = scene.town.new_card(2);
    const auto stranger = scene.begin(2, 700);
    CHECK(scene.request(stranger).outcome == LoadOutcome::approved);
    CHECK(scene.confirm_taken(scene.tac) == LoadOutcome::confirmed);
    CHECK(scene.town.balance(pending) == 700);
    CHECK(scene.reverse(stranger) == LoadOutcome::reversed);
    scene.check_settled();
}

TEST_CASE("load: malformed bodies and other devices' loads never reach the ledger") {
    Scene scene;
    const auto request = scene.begin(1, 500);
    const auto bytes = request.bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK(scene.town.send(scene.kiosk, "/v1/loads", Bytes{bytes}.first(size)).status == 400);
    }
    const TestDevice other{2, operator_id(3102), scene.town.city.code};
    CHECK(scene.town.send(other, "/v1/loads", bytes).status == 403);
    scene.town.register_device(other);
    CHECK(scene.town.send(other, "/v1/loads", bytes).status == 403);
    CHECK(scene.town.balance(cash) == 0);
}
