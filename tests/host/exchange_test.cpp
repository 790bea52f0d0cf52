#include <doctest/doctest.h>

#include "tests/host/support/town.hpp"

// Foreign cards' records go to their issuer and come back as outcomes, exactly once.
// docs/online_messages.md "City to city"; docs/day.md, 2.
using namespace host_test;
using Names = std::vector<std::string>;
using protocol::ExchangeHeader;

namespace {
// A: issuer of the card. B: where it rides.
struct Scene {
    Town a{3100, {3200}};
    Town b{3200, {3100}};
    TestDevice kiosk{1, operator_id(3101), a.city.code};
    TestDevice gate{2, operator_id(3201), b.city.code};
    TestCard card;
    Scene() {
        a.register_device(kiosk);
        b.register_device(gate);
        card = a.new_card(1);
        a.load(card, kiosk, 1000);
    }
    ~Scene() {
        CHECK(a.ledger_is_whole());
        CHECK(b.ledger_is_whole());
    }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    void check_paid(std::int64_t fen) {
        CHECK(a.balance("due_to:city/3200") == fen);
        CHECK(a.balance("stored_value:city/3100") == 1000 - fen);
        CHECK(b.balance("due_from:city/3100") == -fen);
        CHECK(b.balance("payable:operator/0000000000003201") == fen);
    }
    platform::HttpResponse to_a(std::string body) {
        platform::HttpRequest request;
        request.method = platform::HttpMethod::post;
        request.target = "/v1/peer/records";
        request.identity = b.identity();
        request.body = std::move(body);
        return a.host->handle(request);
    }
};
}  // namespace

TEST_CASE("exchange: a card away from home is paid by its city, through both books") {
    Scene scene;
    CHECK(scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 300, at(10))}) ==
          Names{"pending"});
    scene.check_paid(0);
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) == Names{"accepted"});
    scene.check_paid(300);
}

TEST_CASE("exchange: requests and answers that are lost change nothing but the time") {
    Scene scene;
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 300, at(10))});
    Wire wire{scene.b, scene.a};
    for (int i = 0; i < 3; ++i) {
        wire.lose_request = true;
        CHECK(host::exchange_one(*scene.b.host, scene.a.city.code, wire) ==
              host::MailResult::later);
        wire.lose_answer = true;
        CHECK(host::exchange_one(*scene.b.host, scene.a.city.code, wire) ==
              host::MailResult::later);
    }
    CHECK(scene.a.balance("due_to:city/3200") == 300);  // A decided at the first arrival
    CHECK(scene.b.balance("due_from:city/3100") == 0);
    exchange_all(scene.a, scene.b);
    scene.check_paid(300);
}

TEST_CASE("exchange: an answer applied twice counts once") {
    Scene scene;
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 300, at(10))});
    Wire wire{scene.b, scene.a};
    const auto mail = scene.b.host->next_mail(scene.a.city.code);
    REQUIRE(mail);
    const auto answer = wire.call(mail->request);
    CHECK(scene.b.host->on_peer_answer(*mail, answer) == host::MailResult::done);
    CHECK(scene.b.host->on_peer_answer(*mail, answer) == host::MailResult::done);
    scene.check_paid(300);
}

TEST_CASE("exchange: refusals travel back by name and pay nobody") {
    Scene scene;
    BatchRecord forged = scene.card.debit(scene.gate.terminal, 1, 300, at(10));
    const BatchRecord good = scene.card.debit(scene.gate.terminal, 2, 100, at(10, 1));
    forged.tac[0] ^= 1;
    (void)scene.b.clear(scene.gate, {forged, good, good});
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) ==
          Names{"tac_wrong", "accepted+counter_gap", "duplicate"});
    scene.check_paid(100);
}

TEST_CASE("exchange: a debit sold in both cities is paid once") {
    Scene scene;
    const TestDevice home_gate{3, operator_id(3101), scene.a.city.code};
    scene.a.register_device(home_gate);
    const BatchRecord record = scene.card.debit(home_gate.terminal, 1, 300, at(10));
    CHECK(scene.a.clear(home_gate, {record}) == Names{"accepted"});
    (void)scene.b.store->transact([&] {  // B's register was misled about the SAM
        scene.b.store->put_sam({home_gate.terminal, {}, scene.gate.owner, {}, std::nullopt});
        return host::store::End::commit;
    });
    (void)scene.b.clear(scene.gate, {record});
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) == Names{"duplicate"});
    CHECK(scene.a.balance("due_to:city/3200") == 0);
    CHECK(scene.b.balance("payable:operator/0000000000003201") == 0);
}

TEST_CASE("exchange: large batches are cut into messages that arrive in order") {
    Scene scene;
    scene.b.city.forward_records_max = 3;
    scene.b.reopen();
    scene.b.register_device(scene.gate);
    std::vector<BatchRecord> records;
    for (std::uint32_t i = 0; i < 10; ++i) {
        records.push_back(scene.card.debit(scene.gate.terminal, i + 1, 10, at(10, i)));
    }
    (void)scene.b.clear(scene.gate, records);
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) == Names(10, "accepted"));
    scene.check_paid(100);
}

TEST_CASE("exchange: messages out of order, reused, of other cities or marks are refused by name") {
    Scene scene;
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 300, at(10))});
    const auto mail = scene.b.host->next_mail(scene.a.city.code);
    REQUIRE(mail);
    const std::string body = mail->request.body;
    const auto changed = [&](std::size_t offset, char value) {
        std::string out = body;
        out[offset] = value;
        return out;
    };
    const auto name_of = [](const platform::HttpResponse& response) {
        return std::to_string(response.status) + response.body.substr(9, 20);
    };
    CHECK(name_of(scene.to_a(body.substr(0, body.size() - 1))).starts_with("400"));
    CHECK(name_of(scene.to_a("")).starts_with("400"));
    CHECK(scene.to_a(changed(6, 0)).body.find("mark_mismatch") != std::string::npos);
    CHECK(scene.to_a(changed(8, 0x33)).body.find("city_mismatch") != std::string::npos);
    CHECK(scene.to_a(changed(10, 0x33)).body.find("city_mismatch") != std::string::npos);
    CHECK(scene.to_a(changed(19, 2)).body.find("out_of_order") != std::string::npos);
    CHECK(scene.to_a(changed(22, 0x12)).body.find("day_too_far") != std::string::npos);
    CHECK(scene.to_a(body).status == 200);
    CHECK(scene.to_a(body).status == 200);
    CHECK(scene.to_a(changed(40, 0x55)).body.find("id_reused") != std::string::npos);
    CHECK(scene.a.balance("due_to:city/3200") == 300);
}

TEST_CASE("exchange: an answer that is not one to the message is not applied") {
    Scene scene;
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 300, at(10))});
    const auto mail = scene.b.host->next_mail(scene.a.city.code);
    REQUIRE(mail);
    Wire wire{scene.b, scene.a};
    const auto good = wire.call(mail->request);
    REQUIRE(good.has_value());
    for (std::size_t i = 0; i < ExchangeHeader::size; ++i) {
        auto bad = *good;
        bad.body[i] = static_cast<char>(bad.body[i] ^ 0x40);
        CHECK(scene.b.host->on_peer_answer(*mail, bad) == host::MailResult::refused);
    }
    auto refused = platform::HttpResponse::refusal(409, "out_of_order", "");
    CHECK(scene.b.host->on_peer_answer(*mail, refused) == host::MailResult::refused);
    CHECK(scene.b.balance("due_from:city/3100") == 0);
    CHECK(scene.b.host->on_peer_answer(*mail, *good) == host::MailResult::done);
    scene.check_paid(300);
}

TEST_CASE("exchange: an unresolved entry of a guest is proven through its issuer") {
    Scene scene;
    const BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), true);
    (void)scene.b.clear(scene.gate, {entry});
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) == Names{"unresolved"});
    CHECK(scene.b.get(scene.gate, "/v1/unresolved").body.size() > 100);
    (void)scene.b.clear(scene.gate, {scene.card.prove(entry)});
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 2) == Names{"accepted"});
    CHECK(scene.b.get(scene.gate, "/v1/unresolved").body == "[]");
    scene.check_paid(200);
}

TEST_CASE("exchange: a guest's entry is shared with gates until its issuer has decided it") {
    Scene scene;
    const auto shared = [&] { return scene.b.get(scene.gate, "/v1/unresolved").body != "[]"; };
    const TestDevice home_gate{3, operator_id(3101), scene.a.city.code};
    scene.a.register_device(home_gate);
    const BatchRecord entry = scene.card.torn(scene.gate.terminal, 1, 200, at(10), false);
    const BatchRecord home = scene.card.debit(home_gate.terminal, 1, 100, at(11));
    CHECK(scene.a.clear(home_gate, {home}) == Names{"accepted"});
    (void)scene.b.clear(scene.gate, {entry});
    CHECK(shared());  // A has not been asked yet
    exchange_all(scene.a, scene.b);
    CHECK(scene.b.outcomes(scene.gate, 1) == Names{"not_debited"});
    CHECK_FALSE(shared());
}

TEST_CASE("exchange: a guest's later debit takes its earlier entries from the gates' list") {
    Scene scene;
    const auto shared = [&] { return scene.b.get(scene.gate, "/v1/unresolved").body != "[]"; };
    TestCard friend_card = scene.a.new_card(2);
    scene.a.load(friend_card, scene.kiosk, 1000);
    (void)scene.b.clear(scene.gate, {scene.card.torn(scene.gate.terminal, 1, 200, at(10), true)});
    (void)scene.b.clear(scene.gate, {friend_card.debit(scene.gate.terminal, 2, 100, at(11))});
    exchange_all(scene.a, scene.b);
    CHECK(shared());  // another card's debit says nothing about it
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 3, 100, at(12))});
    exchange_all(scene.a, scene.b);
    CHECK_FALSE(shared());
    CHECK(scene.a.balance("dispute:city/3100") == 200);
}

TEST_CASE("exchange: a debit from another city decides an entry of our own gate") {
    Scene scene;
    const TestDevice home_gate{3, operator_id(3101), scene.a.city.code};
    scene.a.register_device(home_gate);
    const BatchRecord entry = scene.card.torn(home_gate.terminal, 1, 200, at(10), true);
    CHECK(scene.a.clear(home_gate, {entry}) == Names{"unresolved"});
    CHECK(scene.a.get(home_gate, "/v1/unresolved").body != "[]");
    (void)scene.b.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 100, at(11))});
    exchange_all(scene.a, scene.b);
    CHECK(scene.a.outcomes(home_gate, 1) == Names{"dispute"});
    CHECK(scene.a.get(home_gate, "/v1/unresolved").body == "[]");
}
