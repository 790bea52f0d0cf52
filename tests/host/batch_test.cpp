#include <doctest/doctest.h>
#include <fmt/format.h>

#include "crypto/core/sm3.hpp"
#include "host/batches/batch_file.hpp"
#include "host/batches/receive.hpp"
#include "platform/mask.hpp"
#include "tests/host/support/town.hpp"

// docs/batch_file.md, 3: refusals in their order. docs/online_messages.md: statuses and names.
using namespace host_test;
using host::batches::BatchDefect;
using host::batches::BatchFile;

namespace {
using File = std::vector<std::uint8_t>;

struct Scene {
    Town town{3100};
    TestDevice gate{1, operator_id(3101), town.city.code};
    TestCard card;
    Scene() {
        town.register_device(gate);
        card = town.new_card(1);
        card.balance = 1000;
    }
    std::vector<BatchRecord> one() { return {card.debit(gate.terminal, 1, 200, at(10))}; }
    platform::HttpResponse post(const File& file) { return town.send(gate, "/v1/batches", file); }
};
void check_refused(const platform::HttpResponse& response, unsigned status, const char* name) {
    CHECK(response.status == status);
    CHECK(response.body.find(fmt::format("\"{}\"", name)) != std::string::npos);
}
File with(File file, std::size_t offset, std::uint8_t value) {
    file[offset] = value;
    return file;
}
}  // namespace

TEST_CASE("batch file: every cut is refused") {
    Scene scene;
    const File file = scene.gate.batch(scene.one(), 1);
    for (std::size_t size = 0; size < file.size(); ++size) {
        const auto parsed = BatchFile::parse(Bytes{file}.first(size));
        CHECK_FALSE(parsed.has_value());
    }
    File longer = file;
    longer.push_back(0);
    CHECK(BatchFile::parse(longer).error().defect == BatchDefect::wrong_size);
}

TEST_CASE("batch file: each defect has its name, in the documented order") {
    Scene scene;
    const File file = scene.gate.batch(scene.one(), 1);
    const std::size_t trailer = file.size() - protocol::BatchTrailer::size;
    const auto defect = [](const File& bytes) { return BatchFile::parse(bytes).error().defect; };
    CHECK(defect(with(file, 0, 0)) == BatchDefect::header_malformed);
    CHECK(defect(with(file, 5, 9)) == BatchDefect::header_malformed);  // version
    CHECK(defect(with(file, 6, 7)) == BatchDefect::header_malformed);  // mark
    CHECK(defect(with(file, 40, 2)) == BatchDefect::wrong_size);       // two records promised
    CHECK(defect(with(file, trailer, 0)) == BatchDefect::trailer_malformed);
    CHECK(defect(with(file, trailer + 7, 9)) == BatchDefect::count_differs);
    CHECK(defect(with(file, trailer + 15, 9)) == BatchDefect::total_differs);
    CHECK(defect(with(file, trailer + 20, 0)) == BatchDefect::digest_mismatch);
    CHECK(defect(with(file, 100, 0xEE)) == BatchDefect::digest_mismatch);
    CHECK(BatchFile::parse(file).has_value());
}

TEST_CASE("batch: a flipped bit anywhere is refused by name") {
    Scene scene;
    const File file = scene.gate.batch(scene.one(), 1);
    for (std::size_t i = 0; i < file.size(); ++i) {
        const auto response = scene.post(with(file, i, static_cast<std::uint8_t>(file[i] ^ 0x01)));
        CHECK(response.status >= 400);
        CHECK(response.status < 500);
    }
    CHECK(scene.post(file).status == 200);
}

TEST_CASE("batch: a rehearsal's file is refused by a live host") {
    Scene scene;
    File file = scene.gate.batch(scene.one(), 1);
    file[6] = static_cast<std::uint8_t>(protocol::Mark::live);
    const std::size_t trailer = file.size() - protocol::BatchTrailer::size;
    const auto digest = crypto::sm3(Bytes{file}.first(trailer));
    std::ranges::copy(digest, file.begin() + static_cast<std::ptrdiff_t>(trailer) + 16);
    scene.gate.sign(file);
    check_refused(scene.post(file), 403, "mark_mismatch");
}

TEST_CASE("batch: the certificate says who sends, not the header") {
    Scene scene;
    const TestDevice other{2, operator_id(3102), scene.town.city.code};
    scene.town.register_device(other);
    const File file = scene.gate.batch(scene.one(), 1);
    check_refused(scene.town.send(other, "/v1/batches", file), 403, "operator_mismatch");
}

TEST_CASE("batch: another city's batch is refused") {
    Scene scene;
    const TestDevice strayed{1, operator_id(3101), protocol::CityCode{0x3200}};
    const File file = strayed.batch(scene.one(), 1);
    check_refused(scene.post(file), 403, "operator_mismatch");
}

TEST_CASE("batch: an unregistered device, and one registered under another operator") {
    Scene scene;
    const TestDevice stranger{7, operator_id(3101), scene.town.city.code};
    check_refused(scene.town.send(stranger, "/v1/batches", stranger.batch(scene.one(), 1)), 403,
                  "device_unknown");
    const TestDevice taken{1, operator_id(3102), scene.town.city.code};
    check_refused(scene.town.send(taken, "/v1/batches", taken.batch(scene.one(), 1)), 403,
                  "device_unknown");
}

TEST_CASE("batch: a file signed by another key") {
    Scene scene;
    const TestDevice forger{99, operator_id(3101), scene.town.city.code};
    File file = scene.gate.batch(scene.one(), 1);
    forger.sign(file);
    check_refused(scene.post(file), 422, "signature_wrong");
    CHECK(scene.post(scene.gate.batch({}, 1)).status == 200);  // the number is still free
}

TEST_CASE("batch: the same file again gets the same receipt, other content id_reused") {
    Scene scene;
    const auto records = scene.one();
    const File file = scene.gate.batch(records, 1);
    const auto first = scene.post(file);
    CHECK(first.status == 200);
    CHECK(scene.post(file).body == first.body);
    scene.town.work();
    CHECK(scene.post(file).body == first.body);
    check_refused(scene.post(scene.gate.batch({}, 1)), 409, "id_reused");
    CHECK(scene.town.balance("payable:operator/0000000000003101") == 200);
}

TEST_CASE("batch: the receipt names SM3 over every byte, the signature included") {
    Scene scene;
    const File file = scene.gate.batch(scene.one(), 1);
    CHECK(scene.post(file).body ==
          fmt::format(R"({{"receipt":"stored","device":"{}","sequence":1,"records":1,)"
                      R"("digest":"{}"}})",
                      platform::to_hex(scene.gate.id.value()),
                      platform::to_hex(crypto::sm3(file))));
    // The same content under a new signature is another file: the first one is what is kept.
    File again = file;
    scene.gate.sign(again);
    REQUIRE(again != file);
    check_refused(scene.post(again), 409, "id_reused");
}

TEST_CASE("batch: a receipt is durable before anything is verified") {
    const auto path = std::filesystem::temp_directory_path() / "onecard_batch_test.db";
    std::filesystem::remove(path);
    Town town{3100, {}, path};
    const TestDevice gate{1, operator_id(3101), town.city.code};
    town.register_device(gate);
    TestCard card = town.new_card(1);
    card.balance = 1000;
    const auto file = gate.batch({card.debit(gate.terminal, 1, 200, at(10))}, 1);
    CHECK(town.send(gate, "/v1/batches", file).status == 200);
    CHECK(town.outcomes(gate, 1) == std::vector<std::string>{"pending"});
    town.reopen();
    town.work();
    CHECK(town.outcomes(gate, 1).at(0).starts_with("accepted"));
    town.host.reset();
    town.store.reset();
    std::filesystem::remove(path);
}

TEST_CASE("batch: one malformed record has its own outcome and holds up nobody") {
    Scene scene;
    auto records = scene.one();
    records.push_back(scene.card.debit(scene.gate.terminal, 2, 100, at(11)));
    records[0].type = protocol::TransactionType::load;  // not a purchase
    const auto outcomes = scene.town.clear(scene.gate, records);
    CHECK(outcomes.at(0) == "malformed");
    CHECK(outcomes.at(1) == "accepted+counter_gap");
}

TEST_CASE("batch: results are for the operator that sent the batch") {
    Scene scene;
    (void)scene.town.clear(scene.gate, scene.one());
    const TestDevice other{2, operator_id(3102), scene.town.city.code};
    scene.town.register_device(other);
    const std::string target = "/v1/batches/0000000000000001/1/result";
    CHECK(scene.town.get(scene.gate, target).status == 200);
    check_refused(scene.town.get(other, target), 404, "unknown_batch");
    for (const char* wrong : {"/v1/batches/0000000000000001/2/result", "/v1/batches/xx/1/result",
                              "/v1/batches/0000000000000001/-1/result",
                              "/v1/batches/0000000000000001/1/receipt", "/v1/batches/"}) {
        check_refused(scene.town.get(scene.gate, wrong), 404, "unknown_batch");
    }
}

TEST_CASE("doors: a role that may not call a path gets role_not_allowed") {
    Scene scene;
    platform::HttpRequest request;
    request.identity = scene.gate.identity();
    for (const char* target : {"/v1/peer/records", "/v1/peer/statements", "/v1/admin/register"}) {
        request.method = platform::HttpMethod::post;
        request.target = target;
        check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
    }
    request.target = "/v1/batches";
    request.identity.city = "3200";  // another city's authority vouched for it
    check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
    request.identity = {platform::PeerRole::city_host, "3200", "clearing", "3200"};
    request.target = "/v1/admin/day/close";
    check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
    request.target = "/v1/peer/records";  // no neighbour of ours
    check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
    request.target = "/v1/nothing";
    check_refused(scene.town.host->handle(request), 404, "unknown_path");
    request.method = platform::HttpMethod::get;
    request.target = "/v1/loads";
    check_refused(scene.town.host->handle(request), 405, "method_not_allowed");
}

TEST_CASE("hot list: published, tagged, signed, and newer each time (docs/hot_list.md)") {
    Scene scene;
    check_refused(scene.town.get(scene.gate, "/v1/hot-list"), 404, "no_hot_list");
    const auto publish = [&](std::string body) {
        return scene.town.admin(platform::HttpMethod::post, "/v1/admin/hot-list/publish", body);
    };
    CHECK(publish("{}").status == 200);
    CHECK(scene.town
              .admin(platform::HttpMethod::post, "/v1/admin/hot-list/entries",
                     R"({"entries":[{"kind":"card","number":"00310480000000000001",)"
                     R"("reason":"lost","since":"20260105110000"}]})")
              .status == 200);
    CHECK(publish(R"({"effective":"20260105130000"})").status == 200);
    check_refused(publish(R"({"effective":"20260105125959"})"), 409, "effective_too_early");
    const auto response = scene.town.get(scene.gate, "/v1/hot-list");
    CHECK(response.headers.get("ETag") == "\"2\"");
    const auto list = protocol::HotListView::parse(response.body_bytes());
    REQUIRE(list);
    CHECK(list->header().entry_count == 1);
    CHECK(list->header().mark == protocol::Mark::rehearsal);
    std::array<std::uint8_t, 64> key{};
    std::ranges::copy(scene.town.keys.signing().public_key().bytes(), key.begin());
    CHECK(host::signature_is_right(key, list->signed_bytes(), list->signature()));
    const auto ask_with = [&](std::string_view tag) {
        platform::HttpRequest request;
        request.target = "/v1/hot-list";
        request.identity = scene.gate.identity();
        request.headers.set("If-None-Match", tag);
        return scene.town.host->handle(request).status;
    };
    CHECK(ask_with("\"2\"") == 304);
    CHECK(ask_with("\"1\"") == 200);
}

TEST_CASE("hot list: wrong entries are refused by field") {
    Scene scene;
    for (const char* body :
         {"", "[]", "{}", R"({"entries":[1]})", R"({"entries":[{"kind":"card"}]})",
          R"({"entries":[{"kind":"bus","number":"00310480000000000001","reason":"lost"}]})",
          R"({"entries":[{"kind":"card","number":"0031","reason":"lost"}]})",
          R"({"entries":[{"kind":"card","number":"00310480000000000001","reason":"sad"}]})",
          R"({"entries":[{"kind":"card","number":"00310480000000000001","reason":"lost",)"
          R"("since":"20261305110000"}]})"}) {
        check_refused(
            scene.town.admin(platform::HttpMethod::post, "/v1/admin/hot-list/entries", body), 400,
            "body_malformed");
    }
}

TEST_CASE("register: the issuer tells of its cards, and of nothing else") {
    Scene scene;
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = "/v1/register";
    request.identity = {platform::PeerRole::issuer, "3100", "issuing", "3100"};
    const std::string card = R"({"kind":"card","mark":"rehearsal","number":"00310480000000000042",)"
                             R"("issuer":"3100000000000000","city":"3100"})";
    request.body = card;
    CHECK(scene.town.host->handle(request).body.find("\"cards\":1") != std::string::npos);
    CHECK(scene.town.host->handle(request).body.find("\"unchanged\":1") != std::string::npos);
    for (const char* line :
         {R"({"kind":"operator","mark":"rehearsal","city":"3100","operator":"0000000000000001"})",
          R"({"role":"terminal","mark":"rehearsal","city":"3100"})"}) {
        request.body = card + "\n" + line;
        check_refused(scene.town.host->handle(request), 422, "line_malformed");
    }
    request.body = card;
    request.identity.organisation = "3200";
    check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
    request.identity = scene.gate.identity();
    check_refused(scene.town.host->handle(request), 403, "role_not_allowed");
}

TEST_CASE("register: lines of another mark, city or shape are refused, and nothing is kept") {
    Scene scene;
    const auto import = [&](std::string body) {
        return scene.town.admin(platform::HttpMethod::post, "/v1/admin/register", std::move(body));
    };
    const std::string card = R"({"kind":"card","mark":"rehearsal","number":"00310480000000000042",)"
                             R"("issuer":"3100000000000000","city":"3100"})";
    check_refused(import(card + "\n" + R"({"kind":"card","mark":"live","city":"3100"})"), 422,
                  "mark_mismatch");
    check_refused(import(R"({"kind":"card","mark":"rehearsal","city":"3200"})"), 422,
                  "city_mismatch");
    for (const char* line :
         {"x", "[]", R"({"mark":"rehearsal","city":"3100"})",
          R"({"kind":"card","mark":"rehearsal","city":"3100","number":"1"})",
          R"({"kind":"sam","mark":"rehearsal","city":"3100","terminal":"000000000001"})",
          R"({"role":"terminal","mark":"rehearsal","city":"3100","organisation":"1"})"}) {
        check_refused(import(line), 422, "line_malformed");
    }
    // Read as "always", a wrong `from` would overwrite a binding (docs/host.md, 4).
    check_refused(
        import(R"({"kind":"sam","mark":"rehearsal","city":"3100","terminal":"000000000001",)"
               R"("number":"00000000000000000001","operator":"0000000000003101",)"
               R"("from":"20260105"})"),
        422, "line_malformed");
    CHECK(import(card).body.find("\"cards\":1") != std::string::npos);
    CHECK(import(card).body.find("\"unchanged\":1") != std::string::npos);
}
