#include <boost/json.hpp>
#include <doctest/doctest.h>

#include "host/day/calendar.hpp"
#include "host/day/statements.hpp"
#include "tests/host/support/town.hpp"
#include "tests/simulation/lossy_disk.hpp"

// The business day from open to settled. docs/day.md.
using namespace host_test;
using host::day::DayRefusal;
using platform::HttpMethod;

namespace {
const protocol::Date today = *protocol::Date::make(2026, 1, 5);

std::string state_of(Town& town, const std::string& date = "20260105") {
    const auto response = town.admin(HttpMethod::get, "/v1/admin/day?date=" + date);
    if (response.status != 200) return response.body;
    return std::string{boost::json::parse(response.body).at("state").as_string()};
}
boost::json::value day_of(Town& town, const std::string& date = "20260105") {
    return boost::json::parse(town.admin(HttpMethod::get, "/v1/admin/day?date=" + date).body);
}
unsigned close(Town& town, const std::string& date = "20260105") {
    return town.admin(HttpMethod::post, "/v1/admin/day/close?date=" + date).status;
}
std::string day_text(unsigned day) {
    return host::day::platform_date(*protocol::Date::make(2026, 1, day));
}
void move_to(Town& town, unsigned day) {
    town.clock.set(platform::unix_ms_of(
        {*protocol::Date::make(2026, 1, day), *protocol::Time::make(12, 0, 0)}));
}
unsigned settle(Town& town) {
    return town.admin(HttpMethod::post, "/v1/admin/day/settle?date=20260105").status;
}
std::int64_t position(Town& town, const char* who, const std::string& date = "20260105") {
    const auto value = day_of(town, date);
    const auto* found = value.at("positions").as_object().if_contains(who);
    return found != nullptr ? found->as_int64() : 0;
}

// Two cities, each with an operator and cards that ride in both.
struct Scene {
    Town a{3100, {3200}};
    Town b{3200, {3100}};
    TestDevice gate_a{1, operator_id(3101), a.city.code};
    TestDevice gate_b{2, operator_id(3201), b.city.code};
    TestCard of_a;
    TestCard of_b;
    std::uint32_t sam_sequence = 0;
    Scene() {
        a.register_device(gate_a);
        b.register_device(gate_b);
        of_a = a.new_card(1);
        of_b = b.new_card(2);
        a.load(of_a, gate_a, 10'000);
        b.load(of_b, gate_b, 10'000);
    }
    ~Scene() {
        CHECK(a.ledger_is_whole());
        CHECK(b.ledger_is_whole());
    }
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    void ride(Town& town, const TestDevice& gate, TestCard& card, std::uint32_t fen) {
        (void)town.clear(gate, {card.debit(gate.terminal, ++sam_sequence, fen, at(10))});
    }
    void a_day_of_rides() {
        ride(a, gate_a, of_a, 100);
        ride(b, gate_b, of_a, 700);
        ride(a, gate_a, of_b, 200);
        ride(b, gate_b, of_b, 50);
    }
};
}  // namespace

TEST_CASE("day: a day that was never opened, a date that is none") {
    Scene scene;
    CHECK(scene.a.admin(HttpMethod::post, "/v1/admin/day/close?date=20260106").status == 404);
    CHECK(scene.a.admin(HttpMethod::post, "/v1/admin/day/close?date=2026").status == 400);
    CHECK(scene.a.admin(HttpMethod::get, "/v1/admin/day?date=20261301").status == 400);
}

TEST_CASE("day: a close names its day, and asked for again it closes no other one") {
    Scene scene;
    for (const char* target : {"/v1/admin/day/close", "/v1/admin/day/close?date=",
                               "/v1/admin/day/settle", "/v1/admin/day/settle?date="}) {
        CHECK(scene.a.admin(HttpMethod::post, target).status == 400);
    }
    CHECK(state_of(scene.a) == "open");
    for (int twice = 0; twice < 2; ++twice) {
        const auto answer = scene.a.admin(HttpMethod::post, "/v1/admin/day/close?date=20260105");
        CHECK(answer.status == 200);
        CHECK(boost::json::parse(answer.body).at("date").as_string() == "20260105");
        CHECK(state_of(scene.a, "20260106") == "open");
    }
    const auto open = scene.a.admin(HttpMethod::get, "/v1/admin/day");
    CHECK(boost::json::parse(open.body).at("date").as_string() == "20260106");
}

TEST_CASE("day: a day after today is not closed, until it has come") {
    Scene scene;
    const auto close_sixth = [&] {
        return scene.a.admin(HttpMethod::post, "/v1/admin/day/close?date=20260106");
    };
    CHECK(close(scene.a) == 200);
    CHECK(close_sixth().status == 409);
    CHECK(close_sixth().body.find("day_in_future") != std::string::npos);
    CHECK(state_of(scene.a, "20260106") == "open");
    const auto noon = *protocol::Time::make(12, 0, 0);
    scene.a.clock.set(platform::unix_ms_of({*protocol::Date::make(2026, 1, 6), noon}));
    CHECK(close_sixth().status == 200);
    scene.a.clock.set(platform::unix_ms_of({today, noon}));  // the clock stepped back
    CHECK(close_sixth().status == 200);                      // closed already: the same answer
    CHECK(state_of(scene.a, "20260107") == "open");
}

TEST_CASE("cut-off: due when the open day's own cut-off has passed, whatever happened since") {
    const auto cut_off = *protocol::Time::make(23, 0, 0);
    const auto due = [&](const protocol::Date& open, unsigned day, unsigned hour, unsigned minute,
                         unsigned second) {
        return host::day::close_is_due(
            open, cut_off,
            {*protocol::Date::make(2026, 1, day), *protocol::Time::make(hour, minute, second)});
    };
    CHECK(!due(today, 5, 0, 0, 0));
    CHECK(!due(today, 5, 22, 59, 59));
    CHECK(due(today, 5, 23, 0, 0));  // exactly at it
    CHECK(due(today, 5, 23, 59, 59));
    CHECK(due(today, 6, 0, 0, 0));  // down over midnight
    CHECK(due(today, 6, 22, 0, 0));
    CHECK(due(today, 8, 7, 0, 0));  // down for three days
    const auto tomorrow = host::day::next_day(today);
    CHECK(!due(tomorrow, 5, 23, 30, 0));                          // closed already this evening
    CHECK(!due(tomorrow, 5, 22, 59, 0));                          // and the clock stepped back
    CHECK(!due(tomorrow, 4, 23, 30, 0));                          // by a day
    CHECK(due(*protocol::Date::make(2025, 12, 31), 1, 0, 0, 0));  // over a year's end
}

TEST_CASE("cut-off: a host that was down closes every day it missed, and none twice") {
    Town town{3100};
    const auto cut_off = *protocol::Time::make(23, 0, 0);
    const auto closed_at = [&](unsigned day, unsigned hour) {
        town.clock.set(platform::unix_ms_of(
            {*protocol::Date::make(2026, 1, day), *protocol::Time::make(hour, 0, 0)}));
        int days = 0;
        while (town.host->close_when_due(cut_off)) ++days;
        town.work();
        return days;
    };
    CHECK(closed_at(5, 22) == 0);
    CHECK(closed_at(6, 8) == 1);  // down on the evening of the 5th
    CHECK(state_of(town, "20260106") == "open");
    CHECK(closed_at(6, 23) == 1);
    CHECK(closed_at(6, 22) == 0);  // the clock stepped back
    CHECK(state_of(town, "20260107") == "open");
    CHECK(closed_at(10, 8) == 3);
    CHECK(state_of(town, "20260109") != "open");
    CHECK(state_of(town, "20260110") == "open");
}

TEST_CASE("day: statements, netting and settlement wait for their state") {
    Scene scene;
    CHECK(host::day::try_net(*scene.a.store, scene.a.city, today).error().why ==
          DayRefusal::day_not_closed);
    CHECK(settle(scene.a) == 409);
    CHECK(close(scene.a) == 200);
    scene.a.work();
    CHECK(state_of(scene.a) == "verified");
    CHECK(host::day::try_net(*scene.a.store, scene.a.city, today).error().why ==
          DayRefusal::statements_missing);
    CHECK(settle(scene.a) == 409);
}

TEST_CASE("day: two cities close, agree, net and settle: positions sum to zero") {
    Scene scene;
    scene.a_day_of_rides();
    exchange_all(scene.a, scene.b);
    CHECK(close(scene.a) == 200);
    CHECK(close(scene.b) == 200);
    exchange_all(scene.a, scene.b);
    CHECK(state_of(scene.a) == "netted");
    CHECK(state_of(scene.b) == "netted");
    // A owes B 700 for its card there, B owes A 200; each owes its own operator.
    CHECK(position(scene.a, "city/3100") == -800);
    CHECK(position(scene.a, "city/3200") == 700 - 200);
    CHECK(position(scene.a, "operator/0000000000003101") == 300);
    CHECK(position(scene.b, "city/3200") == -250);
    CHECK(position(scene.b, "city/3100") == 200 - 700);
    CHECK(position(scene.b, "operator/0000000000003201") == 750);
    const auto lines_a = boost::json::serialize(day_of(scene.a).at("settlement"));
    CHECK(lines_a == R"([{"from":"city/3100","to":"city/3200","amount_fen":500},)"
                     R"({"from":"city/3100","to":"operator/0000000000003101","amount_fen":300}])");
    CHECK(settle(scene.a) == 200);
    CHECK(settle(scene.b) == 200);
    for (Town* town : {&scene.a, &scene.b}) {
        const auto code = town == &scene.a ? "3100" : "3200";
        CHECK(state_of(*town) == "settled");
        CHECK(town->balance(std::string{"netting:city/"} + code) == 0);
    }
    CHECK(scene.a.balance("payable:operator/0000000000003101") == 0);
    CHECK(scene.a.balance("due_to:city/3200") == 0);
    CHECK(scene.a.balance("due_from:city/3200") == 0);
    CHECK(scene.a.balance("bank:city/3100") == 800);  // paid out: a credit balance
    CHECK(scene.b.balance("bank:city/3200") == 750 - 500);
}

TEST_CASE("day: closing and settling twice gives the same day") {
    Scene scene;
    scene.a_day_of_rides();
    exchange_all(scene.a, scene.b);
    for (int i = 0; i < 2; ++i) {
        CHECK(close(scene.a) == 200);
        CHECK(close(scene.b) == 200);
        exchange_all(scene.a, scene.b);
        const auto before = boost::json::serialize(day_of(scene.a).at("settlement"));
        CHECK(settle(scene.a) == 200);
        CHECK(settle(scene.b) == 200);
        CHECK(boost::json::serialize(day_of(scene.a).at("settlement")) == before);
    }
    CHECK(scene.a.balance("bank:city/3100") == 800);
    CHECK(position(scene.a, "city/3100") ==
          -800);  // settlement does not change the day's positions
}

TEST_CASE("day: a closing day waits for what was sent before the cut-off") {
    Scene scene;
    scene.ride(scene.b, scene.gate_b, scene.of_a, 700);
    CHECK(close(scene.b) == 200);
    scene.b.work();
    CHECK(state_of(scene.b) == "closing");
    exchange_all(scene.a, scene.b);
    CHECK(state_of(scene.b) == "verified");
    CHECK(position(scene.b, "city/3100") == -700);
    CHECK(position(scene.a, "city/3200") == 700);  // A's open day is the same date
}

TEST_CASE("day: what reaches an issuer that has closed is booked by both on the next day") {
    Scene scene;
    scene.ride(scene.b, scene.gate_b, scene.of_a, 700);
    CHECK(close(scene.a) == 200);
    CHECK(close(scene.b) == 200);
    exchange_all(scene.a, scene.b);
    CHECK(state_of(scene.a) == "netted");
    CHECK(state_of(scene.b) == "netted");
    CHECK(position(scene.a, "city/3200") == 0);
    CHECK(position(scene.b, "city/3100") == 0);
    CHECK(position(scene.a, "city/3200", "20260106") == 700);
    CHECK(position(scene.b, "operator/0000000000003201", "20260106") == 700);
}

TEST_CASE("day: a batch after the cut-off belongs to the next day") {
    Scene scene;
    CHECK(close(scene.a) == 200);
    scene.ride(scene.a, scene.gate_a, scene.of_a, 100);
    CHECK(position(scene.a, "operator/0000000000003101") == 0);
    CHECK(position(scene.a, "operator/0000000000003101", "20260106") == 100);
}

TEST_CASE("day: a city whose neighbour has not closed asks again later") {
    Scene scene;
    CHECK(close(scene.a) == 200);
    scene.a.work();
    Wire wire{scene.a, scene.b};
    CHECK(host::exchange_one(*scene.a.host, scene.b.city.code, wire) == host::MailResult::later);
    CHECK(close(scene.b) == 200);
    scene.b.work();
    CHECK(host::exchange_one(*scene.a.host, scene.b.city.code, wire) == host::MailResult::done);
    CHECK(host::exchange_one(*scene.a.host, scene.b.city.code, wire) == std::nullopt);
}

TEST_CASE("statement: forged, foreign, re-marked or malformed ones are refused") {
    Scene scene;
    CHECK(close(scene.a) == 200);
    CHECK(close(scene.b) == 200);
    scene.a.work();
    scene.b.work();
    const auto mail = scene.b.host->next_mail(scene.a.city.code);
    REQUIRE(mail);
    REQUIRE(mail->kind == host::Mail::Kind::statement);
    Wire wire{scene.b, scene.a};
    for (std::size_t i = 0; i < mail->request.body.size(); ++i) {
        auto bad = mail->request;
        bad.body[i] = static_cast<char>(bad.body[i] ^ 0x01);
        const auto answer = wire.call(bad);
        CHECK(answer->status == 422);
    }
    for (std::size_t size = 0; size < mail->request.body.size(); ++size) {
        auto bad = mail->request;
        bad.body.resize(size);
        CHECK(wire.call(bad)->status == 422);
    }
    scene.a.work();
    CHECK(state_of(scene.a) == "verified");
    CHECK(wire.call(mail->request)->status == 200);
    scene.a.work();
    CHECK(state_of(scene.a) == "netted");
}

TEST_CASE("statement: our own full disk is no disagreement, the exchange goes on later") {
    simulation::LossyDisk disk{"host-day-test"};  // outlives the store
    Town a{3100, {3200}};
    Town b{3200, {3100}};
    a.host.reset();
    host::store::SqliteStoreOptions options;
    options.vfs = disk.vfs();
    a.store = std::move(*host::store::open_sqlite_store("host.db", options));
    a.host = std::move(*host::Host::open(a.city, *a.store, a.keys, a.clock));
    for (Town* town : {&a, &b}) {
        REQUIRE(close(*town) == 200);
        town->work();
    }
    const auto mail = a.host->next_mail(b.city.code);
    REQUIRE(mail);
    REQUIRE(mail->kind == host::Mail::Kind::statement);
    Wire wire{a, b};
    const auto answer = wire.call(mail->request);
    disk.fill_after(0);
    CHECK(a.host->on_peer_answer(*mail, answer) == host::MailResult::later);
    disk.refill();
    CHECK(a.host->on_peer_answer(*mail, answer) == host::MailResult::done);
    a.work();
    CHECK(state_of(a) == "netted");
}

TEST_CASE("statement: cities that disagree do not net") {
    Scene scene;
    scene.a_day_of_rides();
    exchange_all(scene.a, scene.b);
    (void)scene.a.store->transact([&] {  // one accepted record more in A's count
        scene.a.store->add_peer_count(today, scene.b.city.code, true, 1);
        return host::store::End::commit;
    });
    CHECK(close(scene.a) == 200);
    CHECK(close(scene.b) == 200);
    exchange_all(scene.a, scene.b);
    CHECK(state_of(scene.a) == "verified");
    CHECK(state_of(scene.b) == "verified");
    CHECK(host::day::try_net(*scene.a.store, scene.a.city, today).error().why ==
          DayRefusal::statements_differ);
    CHECK(settle(scene.a) == 409);
}

TEST_CASE("statement: a day that disagrees does not hold up the days after it") {
    Scene scene;
    exchange_all(scene.a, scene.b);
    (void)scene.a.store->transact([&] {
        scene.a.store->add_peer_count(today, scene.b.city.code, true, 1);
        return host::store::End::commit;
    });
    CHECK(close(scene.a) == 200);
    CHECK(close(scene.b) == 200);
    scene.a.work();
    scene.b.work();
    scene.a_day_of_rides();
    for (Town* town : {&scene.a, &scene.b}) move_to(*town, 6);
    exchange_all(scene.a, scene.b);
    CHECK(close(scene.a, "20260106") == 200);
    CHECK(close(scene.b, "20260106") == 200);
    exchange_all(scene.a, scene.b);
    for (Town* town : {&scene.a, &scene.b}) {
        CHECK(state_of(*town) == "verified");
        CHECK(state_of(*town, "20260106") == "netted");
    }
    CHECK(position(scene.a, "city/3200", "20260106") == 700 - 200);
    // The disagreeing day is offered again, alone in its round: a caller waits between rounds.
    Wire wire{scene.a, scene.b};
    for (int round = 0; round < 3; ++round) {
        const auto mail = scene.a.host->next_mail(scene.b.city.code);
        REQUIRE(mail);
        CHECK(mail->date == today);
        CHECK(scene.a.host->on_peer_answer(*mail, wire.call(mail->request)) ==
              host::MailResult::refused);
    }
}

TEST_CASE("statement: a round goes over every day once, then begins with the oldest again") {
    Scene scene;
    for (unsigned day = 5; day <= 7; ++day) {
        move_to(scene.a, day);
        CHECK(close(scene.a, day_text(day)) == 200);
        scene.a.work();
    }
    Wire wire{scene.a, scene.b};  // B has closed none of them
    for (int round = 0; round < 2; ++round) {
        for (unsigned day = 5; day <= 7; ++day) {
            const auto mail = scene.a.host->next_mail(scene.b.city.code);
            REQUIRE(mail);
            CHECK(mail->date == *protocol::Date::make(2026, 1, day));
            CHECK(scene.a.host->on_peer_answer(*mail, wire.call(mail->request)) ==
                  (day < 7 ? host::MailResult::skipped : host::MailResult::later));
        }
    }
}

TEST_CASE("statement: a day before the other city's first one nets, if neither books anything") {
    Scene scene;
    move_to(scene.b, 6);
    scene.b.reopen();  // a new store: founded a day after A
    scene.b.register_device(scene.gate_b);
    REQUIRE(state_of(scene.b, "20260106") == "open");
    CHECK(close(scene.a) == 200);
    scene.a.work();
    const auto mail = scene.a.host->next_mail(scene.b.city.code);
    REQUIRE(mail);
    Wire wire{scene.a, scene.b};
    const auto answer = wire.call(mail->request);
    REQUIRE(answer->status == 200);
    CHECK(answer->body[0] == 1);
    CHECK(wire.call(mail->request)->body == answer->body);  // signed once
    CHECK(scene.a.host->on_peer_answer(*mail, answer) == host::MailResult::done);
    scene.a.work();
    CHECK(state_of(scene.a) == "netted");
    CHECK(scene.b.admin(HttpMethod::get, "/v1/admin/day?date=20260105").status == 404);
    move_to(scene.a, 6);
    scene.ride(scene.b, scene.gate_b, scene.of_a, 700);
    exchange_all(scene.a, scene.b);
    CHECK(close(scene.a, "20260106") == 200);
    CHECK(close(scene.b, "20260106") == 200);
    exchange_all(scene.a, scene.b);
    CHECK(state_of(scene.a, "20260106") == "netted");
    CHECK(state_of(scene.b, "20260106") == "netted");
    CHECK(position(scene.a, "city/3200", "20260106") == 700);
}

TEST_CASE("statement: a debt on a day before the other city's first one is a disagreement") {
    Scene scene;
    move_to(scene.b, 6);
    scene.b.reopen();
    (void)scene.a.store->transact([&] {
        scene.a.store->add_peer_count(today, scene.b.city.code, true, 1);
        return host::store::End::commit;
    });
    CHECK(close(scene.a) == 200);
    scene.a.work();
    Wire wire{scene.a, scene.b};
    CHECK(host::exchange_one(*scene.a.host, scene.b.city.code, wire) == host::MailResult::refused);
    scene.a.work();
    CHECK(state_of(scene.a) == "verified");
}

TEST_CASE("day: the report's conservation holds card by card") {
    Scene scene;
    scene.a_day_of_rides();
    exchange_all(scene.a, scene.b);
    const auto report =
        boost::json::parse(scene.a.admin(HttpMethod::get, "/v1/admin/report?numbers=full").body);
    const auto& card = report.at("cards").as_array().at(0);
    CHECK(card.at("number").as_string() == "00310480000000000001");
    CHECK(card.at("loaded_fen").as_int64() == card.at("spent_fen").as_int64() + scene.of_a.balance);
    CHECK(card.at("last_balance_fen").as_int64() == scene.of_a.balance);
    CHECK(report.at("conservation").at("loaded_fen").as_int64() == 10'000);
    CHECK(report.at("conservation").at("spent_fen").as_int64() == 800);
}
