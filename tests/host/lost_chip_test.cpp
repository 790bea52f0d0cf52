// What the issuer says about lost chips, at the host: docs/issuing.md, 2; docs/outcomes.md, 1.
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/host/support/town.hpp"

using namespace host_test;
using Names = std::vector<std::string>;
namespace json = boost::json;

namespace {

constexpr const char* sam_number = "31009999000000000001";
constexpr const char* card_digits = "00310480000000000001";

struct Scene {
    Town town{3100};
    TestDevice gate{1, operator_id(3101), town.city.code};
    TestCard card;
    Scene() {
        town.register_device(gate);
        CHECK(issuer(fmt::format(R"({{"kind":"sam","mark":"rehearsal","city":"3100",)"
                                 R"("number":"{}","terminal":"{}","operator":"0000000000003101"}})",
                                 sam_number, hex(gate.terminal.value())))
                  .status == 200);
        card = town.new_card(1);
        town.load(card, gate, 1000);
    }
    static std::string hex(Bytes bytes) {
        std::string out;
        for (const std::uint8_t byte : bytes) out += fmt::format("{:02X}", byte);
        return out;
    }
    platform::HttpResponse issuer(const std::string& lines) {
        platform::HttpRequest request;
        request.method = platform::HttpMethod::post;
        request.target = "/v1/register";
        request.body = lines;
        request.identity = {platform::PeerRole::issuer, "3100", "issuing", "3100"};
        return town.host->handle(request);
    }
    static std::string hot(int line, const char* what, const char* number, const char* since) {
        return fmt::format(R"({{"kind":"hot","mark":"rehearsal","city":"3100","line":{},)"
                           R"("what":"{}","number":"{}","listed":true,"reason":"lost",)"
                           R"("since":"{}"}})"
                           "\n",
                           line, what, number, since);
    }
    static std::string found(int line, const char* what, const char* number) {
        return fmt::format(R"({{"kind":"hot","mark":"rehearsal","city":"3100","line":{},)"
                           R"("what":"{}","number":"{}","listed":false}})"
                           "\n",
                           line, what, number);
    }
    /// The newest list's sequence, and its entries as "kind number".
    std::pair<std::uint32_t, Names> published() {
        const auto answer = town.get(gate, "/v1/hot-list");
        if (answer.status != 200) return {0, {}};
        const auto list = protocol::HotListView::parse(answer.body_bytes());
        REQUIRE(list.has_value());
        Names entries;
        for (const auto& row : rows()) {
            const auto entry = list->find(row.kind, row.number);
            if (entry)
                entries.push_back((row.kind == protocol::HotKind::sam ? "sam " : "card ") +
                                  hex(row.number));
        }
        REQUIRE(entries.size() == list->header().entry_count);
        return {list->header().sequence.value(), entries};
    }
    std::vector<protocol::HotEntry> rows() {
        std::vector<protocol::HotEntry> out;
        const auto done = town.store->transact([&] {
            for (const auto& row : town.store->all_hot()) out.push_back(row.entry);
            return host::store::End::commit;
        });
        REQUIRE(done.has_value());
        return out;
    }
    std::string publish(const std::string& body = "{}") {
        return town.admin(platform::HttpMethod::post, "/v1/admin/hot-list/publish", body).body;
    }
};

json::object object_of(const platform::HttpResponse& response) {
    CHECK(response.status == 200);
    return json::parse(response.body).as_object();
}

}  // namespace

TEST_CASE("lost chips: a SAM's line publishes the next list at once, a card's waits") {
    Scene scene;
    const json::object card =
        object_of(scene.issuer(Scene::hot(1, "card", card_digits, "20260105090000")));
    CHECK(card.at("hot").as_int64() == 1);
    CHECK_FALSE(card.contains("hot_list"));
    CHECK(scene.published().first == 0);
    const json::object sam =
        object_of(scene.issuer(Scene::hot(2, "sam", sam_number, "20260105090000")));
    CHECK(sam.at("hot_list").as_int64() == 1);
    // And the waiting card with it.
    CHECK(scene.published() == std::pair{1U, Names{std::string{"card "} + card_digits,
                                                   std::string{"sam "} + sam_number}});
    const auto rows = scene.rows();
    CHECK(rows[1].reason == protocol::HotReason::lost);
    CHECK(Scene::hex(rows[1].since.bcd()) == "20260105090000");
}

TEST_CASE("lost chips: a list that waits for its time is not overtaken") {
    Scene scene;
    (void)scene.publish(R"({"effective":"20260106040000"})");
    CHECK(object_of(scene.issuer(Scene::hot(1, "sam", sam_number, "20260105090000")))
              .at("hot_list")
              .as_int64() == 2);
    const auto answer = scene.town.get(scene.gate, "/v1/hot-list");
    const auto list = protocol::HotListView::parse(answer.body_bytes());
    CHECK(Scene::hex(list->header().effective.bcd()) == "20260106040000");
}

TEST_CASE("lost chips: at least once is exactly once, in whatever pieces it comes") {
    Scene scene;
    const std::string lost = Scene::hot(5, "sam", sam_number, "20260105090000");
    const std::string found = Scene::found(6, "sam", sam_number);
    CHECK(object_of(scene.issuer(lost)).at("hot").as_int64() == 1);
    const json::object again = object_of(scene.issuer(lost));
    CHECK(again.at("hot").as_int64() == 0);
    CHECK(again.at("unchanged").as_int64() == 1);
    CHECK(scene.published().first == 1);  // and no second list
    const json::object both = object_of(scene.issuer(lost + found));
    CHECK(both.at("hot").as_int64() == 1);
    CHECK(scene.rows().empty());
    // A copy of the first message that was on its way all the time.
    CHECK(object_of(scene.issuer(lost)).at("hot").as_int64() == 0);
    CHECK(scene.rows().empty());
    // The whole registry again, by the office, from a file.
    CHECK(
        object_of(scene.town.admin(platform::HttpMethod::post, "/v1/admin/register", lost + found))
            .at("hot")
            .as_int64() == 0);
    CHECK(scene.rows().empty());
    // Lost again: another line.
    CHECK(object_of(scene.issuer(Scene::hot(7, "sam", sam_number, "20260105100000")))
              .at("hot_list")
              .as_int64() == 2);
    CHECK(scene.rows().size() == 1);
}

TEST_CASE("lost chips: found takes away what the issuer listed and nothing else") {
    Scene scene;
    const auto by_office = [&](const char* reason) {
        return scene.town.admin(
            platform::HttpMethod::post, "/v1/admin/hot-list/entries",
            fmt::format(R"({{"entries":[{{"kind":"card","number":"{}","reason":"{}",)"
                        R"("since":"20260105080000"}}]}})",
                        card_digits, reason));
    };
    CHECK(object_of(scene.issuer(Scene::hot(1, "card", card_digits, "20260105090000")))
              .at("hot")
              .as_int64() == 1);
    CHECK(by_office("fraud").status == 200);
    CHECK(scene.issuer(Scene::found(2, "card", card_digits)).status == 200);
    REQUIRE(scene.rows().size() == 1);
    CHECK(scene.rows()[0].reason == protocol::HotReason::fraud);
    // Never listed by the issuer at all.
    CHECK(scene.issuer(Scene::found(3, "sam", sam_number)).status == 200);
    CHECK(scene.rows().size() == 1);
}

TEST_CASE("lost chips: malformed lines and whatever came with them are refused") {
    Scene scene;
    const std::string good = Scene::hot(1, "sam", sam_number, "20260105090000");
    const auto refused = [&](const std::string& from, const std::string& to, const char* why) {
        std::string line = good;
        line.replace(line.find(from), from.size(), to);
        const auto answer =
            scene.issuer(Scene::hot(9, "card", card_digits, "20260105090000") + line);
        CAPTURE(line);
        CHECK(answer.status == 422);
        CHECK(answer.body.find(why) != std::string::npos);
    };
    refused("\"sam\"", "\"tram\"", "what: card or sam");
    refused(sam_number, "3100", "number: 20 hex digits");
    refused("\"listed\":true", "\"listed\":1", "listed: true or false");
    refused("\"line\":1", "\"line\":0", "line: the registry's line number");
    refused("\"line\":1", "\"line\":\"1\"", "line: the registry's line number");
    refused("\"lost\"", "\"bored\"", "reason: ");
    refused("20260105090000", "20260230090000", "since: ");
    refused("rehearsal", "live", "mark_mismatch");
    refused("\"3100\"", "\"4400\"", "city_mismatch");
    CHECK(scene.rows().empty());
    CHECK(scene.published().first == 0);
}

TEST_CASE("lost chips: a lost SAM's records are refused from its time on, published or not") {
    Scene scene;
    CHECK(scene.issuer(Scene::hot(1, "sam", sam_number, "20260105103000")).status == 200);
    const BatchRecord before = scene.card.debit(scene.gate.terminal, 1, 100, at(10, 29, 59));
    const BatchRecord on_time = scene.card.debit(scene.gate.terminal, 2, 150, at(10, 30));
    const BatchRecord after = scene.card.debit(scene.gate.terminal, 3, 250, at(11));
    CHECK(scene.town.clear(scene.gate, {before, on_time, after}) ==
          Names{"accepted", "sam_hot", "sam_hot"});
    CHECK(scene.town.balance("payable:operator/0000000000003101") == 100);
    const auto report = scene.town.admin(platform::HttpMethod::get, "/v1/admin/report");
    CHECK(report.body.find("\"kind\":\"sam_hot\"") != std::string::npos);
    CHECK(report.body.find("2 records, 400 fen, first at 1") != std::string::npos);
    // Found: it was a mistake, and the same records in a later batch are paid.
    CHECK(scene.issuer(Scene::found(2, "sam", sam_number)).status == 200);
    CHECK(scene.town.clear(scene.gate, {on_time, after}) == Names{"accepted", "accepted"});
    CHECK(scene.town.ledger_is_whole());
}

TEST_CASE("lost chips: another SAM of the same operator goes on working") {
    Scene scene;
    CHECK(scene.issuer(Scene::hot(1, "sam", "31009999000000000002", "20260105080000")).status ==
          200);
    CHECK(scene.town.clear(scene.gate, {scene.card.debit(scene.gate.terminal, 1, 100, at(10))}) ==
          Names{"accepted"});
}
