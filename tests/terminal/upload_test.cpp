// terminal/upload: docs/journal.md "Batches" and "Hot list"; docs/online_messages.md.
#include "crypto/core/sm3.hpp"
#include "platform/mask.hpp"
#include "terminal/upload/host_answers.hpp"
#include "terminal/upload/uploader.hpp"
#include "tests/terminal/gate_world.hpp"

using platform::HttpRequest;
using platform::HttpResponse;
using platform::NetError;
using platform::NetFailure;
using terminal::HotListRefusal;
using Kind = terminal::UploadEvent::Kind;

namespace {

std::string receipt_with(const HttpRequest& request, const protocol::Digest& digest) {
    const auto header =
        protocol::BatchHeader::parse(request.body_bytes().first(protocol::BatchHeader::size));
    REQUIRE(header);
    return R"({"receipt":"stored","sequence":)" + std::to_string(header->sequence.value()) +
           R"(,"records":)" + std::to_string(header->record_count) + R"(,"digest":")" +
           platform::to_hex(digest) + "\"}";
}

// docs/online_messages.md: SM3 of the whole file, signature included.
std::string receipt_for(const HttpRequest& request) {
    return receipt_with(request, crypto::sm3(request.body_bytes()));
}

/// A host that keeps what it was sent; each test says how it misbehaves.
class FakeHost final : public platform::HttpChannel {
public:
    std::vector<HttpRequest> requests;
    std::optional<NetError> fails;        ///< no answer comes; the batch may have arrived
    std::optional<HttpResponse> batches;  ///< instead of a receipt
    HttpResponse hot_list = HttpResponse::refusal(404, "unknown", "");
    HttpResponse unresolved = HttpResponse::json(200, "[]");
    std::string result = R"({"complete":true,"records":[]})";
    std::expected<HttpResponse, NetFailure> call(const HttpRequest& request) override {
        requests.push_back(request);
        if (fails) return std::unexpected{NetFailure{*fails, "test"}};
        if (request.target == "/v1/batches") {
            return batches ? *batches : HttpResponse::json(200, receipt_for(request));
        }
        if (request.target == "/v1/hot-list") return hot_list;
        if (request.target == "/v1/unresolved") return unresolved;
        if (request.target.ends_with("/result")) return HttpResponse::json(200, result);
        return HttpResponse::refusal(404, "not_found", request.target);
    }
    std::size_t count(std::string_view target) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            requests, [&](const auto& request) { return request.target == target; }));
    }
};

struct UploadWorld : tests::GateWorld {
    explicit UploadWorld(std::string disk_name)
        : GateWorld{terminal::GateMode::single, std::move(disk_name)} {}
    FakeHost host;
    crypto::SeededRandom random{4, "signer"};
    terminal::Sm2Signer signer{batch_key, random};
    std::vector<terminal::UploadEvent> events;
    terminal::Uploader uploader{{},       {profile.operator_id, profile.device, profile.city, 3},
                                *journal, *hot_lists,
                                signer,   host,
                                clock,    [this](const auto& event) { events.push_back(event); }};
    bool happened(Kind kind) const {
        return std::ranges::any_of(events, [&](const auto& event) { return event.kind == kind; });
    }
    std::string detail(Kind kind) const {
        for (const auto& event : events) {
            if (event.kind == kind) return event.detail;
        }
        return {};
    }
    /// A list of the test card, signed by the city unless told otherwise.
    std::vector<std::uint8_t> list(std::uint32_t sequence, const char* effective,
                                   bool right_key = true, std::uint16_t city = 0x3100) {
        protocol::HotListHeader header;
        header.mark = mark;
        header.city = protocol::CityCode{city};
        header.sequence = protocol::ListSequence{sequence};
        header.effective = tests::date_time(effective);
        header.issued = tests::date_time("20261101000000");
        header.entry_count = 1;
        protocol::HotEntry entry;
        entry.number = tests::card_number.value();
        entry.since = tests::date_time("20261123080000");
        std::vector<std::uint8_t> file;
        const auto append = [&](protocol::Bytes more) {
            file.insert(file.end(), more.begin(), more.end());
        };
        append(header.bytes());
        append(entry.bytes());
        const auto signature = crypto::sm2::sign(right_key ? list_key : batch_key,
                                                 crypto::sm2::default_id, file, random);
        REQUIRE(signature.has_value());
        append(*signature);
        return file;
    }
};

}  // namespace

TEST_CASE("upload: a batch goes, its receipt and result are kept") {
    UploadWorld world{"upload-good"};
    REQUIRE(world.gate->touch(world.card).result.open);
    world.uploader.flush();
    CHECK(world.happened(Kind::batch_acknowledged));
    CHECK(world.happened(Kind::result_kept));
    CHECK(world.counts().unacknowledged_batches == 0);
    CHECK(world.counts().incomplete_results == 0);
    const auto target = "/v1/batches/3100000000000101/1/result";
    CHECK(world.host.count(target) == 1);
    world.uploader.flush();
    CHECK(world.host.count("/v1/batches") == 1);
}

TEST_CASE("upload: a lost answer is asked for again with the same bytes (J3)") {
    UploadWorld world{"upload-lost"};
    REQUIRE(world.gate->touch(world.card).result.open);
    world.host.fails = NetError::timeout;
    world.uploader.flush();
    CHECK(world.happened(Kind::host_unreachable));
    CHECK(world.counts().unacknowledged_batches == 1);
    world.host.fails.reset();
    world.clock.advance_ms(60'000);
    world.uploader.step();
    CHECK(world.counts().unacknowledged_batches == 0);
    REQUIRE(world.host.count("/v1/batches") == 2);
    CHECK(world.host.requests[0].body == world.host.requests[1].body);
}

TEST_CASE("upload: after a failure the host is left alone for a while") {
    UploadWorld world{"upload-backoff"};
    world.host.fails = NetError::refused;
    world.uploader.flush();
    const auto asked = world.host.requests.size();
    world.uploader.step();
    CHECK(world.host.requests.size() == asked);
    world.clock.advance_ms(1'000);
    world.uploader.step();
    CHECK(world.host.requests.size() > asked);
    const auto again = world.host.requests.size();
    world.clock.advance_ms(1'000);
    world.uploader.step();
    CHECK(world.host.requests.size() == again);  // two seconds now
    world.clock.advance_ms(-86'400'000);         // a clock that stepped back does not silence it
    world.uploader.step();
    CHECK(world.host.requests.size() > again);
}

TEST_CASE("upload: a refused batch stays, whatever the host calls it (J4)") {
    for (const unsigned status : {400U, 403U, 409U, 422U, 500U}) {
        UploadWorld world{"upload-refused-" + std::to_string(status)};
        REQUIRE(world.gate->touch(world.card).result.open);
        world.host.batches = HttpResponse::refusal(status, "id_reused", "batch 1");
        world.uploader.flush();
        CHECK(world.happened(Kind::batch_refused));
        CHECK(world.detail(Kind::batch_refused).find("id_reused") != std::string::npos);
        CHECK(world.counts().unacknowledged_batches == 1);
    }
}

TEST_CASE("upload: a refused batch stops neither results nor the lists") {
    for (const unsigned status : {403U, 409U, 413U, 500U}) {
        CAPTURE(status);
        UploadWorld world{"upload-others-" + std::to_string(status)};
        REQUIRE(world.gate->touch(world.card).result.open);
        world.host.result = R"({"complete":false,"records":[]})";
        world.uploader.flush();  // batch 1 is acknowledged, its result still open
        world.card.insert();
        REQUIRE(world.gate->touch(world.card).result.open);
        world.host.batches = HttpResponse::refusal(status, "refused", "for ever");
        world.host.result = R"({"complete":true,"records":[]})";
        world.host.hot_list = HttpResponse::bytes(200, world.list(5, "20261123090000"));
        world.events.clear();
        world.uploader.flush();
        CHECK(world.happened(Kind::batch_refused));
        CHECK(world.happened(Kind::result_kept));
        CHECK(world.happened(Kind::hot_list_taken));
        CHECK(world.happened(Kind::unresolved_kept));
        CHECK(world.counts().unacknowledged_batches == 1);
        CHECK(world.counts().incomplete_results == 1);  // the refused one
        world.events.clear();
        world.clock.advance_ms(600'000);
        world.uploader.step();  // by itself, too, and for as long as it is refused
        CHECK(world.happened(Kind::batch_refused));
        CHECK(world.happened(Kind::unresolved_kept));
    }
}

TEST_CASE("upload: a host that is not reached is asked once a round") {
    UploadWorld world{"upload-not-reached"};
    REQUIRE(world.gate->touch(world.card).result.open);
    world.host.fails = NetError::refused;
    world.uploader.flush();
    CHECK(world.host.requests.size() == 1);
}

TEST_CASE("upload: a receipt for something else acknowledges nothing (J4)") {
    const std::string digest(64, '0');
    for (const std::string& body :
         {std::string{"{}"}, std::string{"no json"}, std::string{"[]"},
          R"({"receipt":"stored","sequence":2,"records":1,"digest":")" + digest + "\"}",
          R"({"receipt":"stored","sequence":1,"records":1,"digest":")" + digest + "\"}",
          R"({"receipt":"lost","sequence":1,"records":1,"digest":")" + digest + "\"}",
          R"({"receipt":"stored","sequence":-1,"records":1,"digest":")" + digest + "\"}"}) {
        CAPTURE(body);
        UploadWorld world{"upload-receipt-" + std::to_string(std::hash<std::string>{}(body))};
        REQUIRE(world.gate->touch(world.card).result.open);
        world.host.batches = HttpResponse::json(200, body);
        world.uploader.flush();
        CHECK(world.happened(Kind::receipt_wrong));
        CHECK(world.counts().unacknowledged_batches == 1);
    }
}

TEST_CASE("upload: a receipt must name every byte, the signature included (J4)") {
    UploadWorld world{"upload-receipt-digest"};
    REQUIRE(world.gate->touch(world.card).result.open);
    world.host.fails = NetError::timeout;
    world.uploader.flush();
    REQUIRE(world.host.requests.size() == 1);
    const HttpRequest sent = world.host.requests[0];
    const auto file = sent.body_bytes();
    const auto trailer = protocol::BatchTrailer::parse(file.last(protocol::BatchTrailer::size));
    REQUIRE(trailer);
    std::vector<std::uint8_t> altered{file.begin(), file.end()};
    altered.back() ^= 1;
    world.host.fails.reset();
    for (const auto& digest : {trailer->digest, crypto::sm3(altered)}) {
        world.host.batches = HttpResponse::json(200, receipt_with(sent, digest));
        world.uploader.flush();
        CHECK(world.happened(Kind::receipt_wrong));
        CHECK(world.counts().unacknowledged_batches == 1);
        world.events.clear();
    }
    world.host.batches = HttpResponse::json(200, receipt_with(sent, crypto::sm3(file)));
    world.uploader.flush();
    CHECK(world.counts().unacknowledged_batches == 0);
}

TEST_CASE("upload: an incomplete result is asked for again") {
    UploadWorld world{"upload-result"};
    REQUIRE(world.gate->touch(world.card).result.open);
    world.host.result = R"({"complete":false,"records":[]})";
    world.uploader.flush();
    CHECK(world.counts().incomplete_results == 1);
    world.host.result = R"({"complete":1})";
    world.uploader.flush();
    CHECK(world.happened(Kind::answer_malformed));
    CHECK(world.counts().incomplete_results == 1);
    world.host.result = R"({"complete":true,"records":[]})";
    world.uploader.flush();
    CHECK(world.counts().incomplete_results == 0);
}

TEST_CASE("hot list: taken when newer and signed, in force from its time, kept over a restart") {
    UploadWorld world{"hot-list-good"};
    world.host.hot_list = HttpResponse::bytes(200, world.list(5, "20261123090000"));
    world.uploader.flush();
    CHECK(world.happened(Kind::hot_list_taken));
    CHECK_FALSE(world.hot_lists->in_force());
    CHECK(world.gate->touch(world.card).result.open);
    world.clock.set(platform::unix_ms_of(tests::date_time("20261123090000")));
    CHECK(world.gate->touch(world.card).result.refusal == terminal::Refusal::on_hot_list);
    REQUIRE(world.start());
    CHECK(world.hot_lists->sequence_in_force() == protocol::ListSequence{5});
    CHECK(world.gate->touch(world.card).result.refusal == terminal::Refusal::on_hot_list);
}

TEST_CASE("hot list: lists older than the one in force are forgotten, later ones are kept") {
    UploadWorld world{"hot-list-forgets"};
    auto& lists = *world.hot_lists;
    for (std::uint32_t sequence = 1; sequence <= 20; ++sequence) {
        REQUIRE(lists.offer(world.list(sequence, "20261101000000")).has_value());
        CHECK(lists.held() == 1);
    }
    REQUIRE(lists.offer(world.list(21, "20261124000000")).has_value());
    REQUIRE(lists.offer(world.list(22, "20261125000000")).has_value());
    CHECK(lists.held() == 3);
    CHECK(lists.sequence_in_force() == protocol::ListSequence{20});
    world.clock.set(platform::unix_ms_of(tests::date_time("20261125000000")));
    CHECK(lists.sequence_in_force() == protocol::ListSequence{22});
    REQUIRE(lists.offer(world.list(23, "20261126000000")).has_value());
    CHECK(lists.held() == 2);
    CHECK(lists.newest() == protocol::ListSequence{23});
    CHECK(lists.sequence_in_force() == protocol::ListSequence{22});
    REQUIRE(world.start());
    CHECK(world.hot_lists->held() == 2);
}

TEST_CASE("hot list: older, foreign, unsigned and malformed lists are refused by name") {
    UploadWorld world{"hot-list-bad"};
    auto& lists = *world.hot_lists;
    REQUIRE(lists.offer(world.list(5, "20261101000000")).has_value());
    const auto refusal = [&](std::vector<std::uint8_t> file) {
        const auto taken = lists.offer(std::move(file));
        REQUIRE_FALSE(taken.has_value());
        return taken.error();
    };
    CHECK(refusal(world.list(5, "20261101000000")) == HotListRefusal::hot_list_older);
    CHECK(refusal(world.list(4, "20261101000000")) == HotListRefusal::hot_list_older);
    CHECK(refusal(world.list(6, "20261101000000", false)) ==
          HotListRefusal::hot_list_signature_wrong);
    CHECK(refusal(world.list(6, "20261101000000", true, 0x3200)) ==
          HotListRefusal::hot_list_other_city);
    auto file = world.list(6, "20261101000000");
    for (std::size_t i = 0; i < file.size(); i += 7) {
        auto changed = file;
        changed[i] ^= 1;
        CHECK_FALSE(lists.offer(changed).has_value());
    }
    CHECK(refusal({}) == HotListRefusal::hot_list_malformed);
    file.pop_back();
    CHECK(refusal(file) == HotListRefusal::hot_list_malformed);
    world.mark = protocol::Mark::live;
    CHECK(refusal(world.list(6, "20261101000000")) == HotListRefusal::hot_list_other_mark);
    CHECK(lists.newest() == protocol::ListSequence{5});
}

TEST_CASE("hot list: the request names the newest list held, and 304 changes nothing") {
    UploadWorld world{"hot-list-304"};
    REQUIRE(world.hot_lists->offer(world.list(5, "20261101000000")).has_value());
    world.host.hot_list = HttpResponse{304, {}, ""};
    world.uploader.flush();
    bool seen = false;
    for (const auto& request : world.host.requests) {
        if (request.target == "/v1/hot-list")
            seen = request.headers.get("If-None-Match") == "\"5\"";
    }
    CHECK(seen);
    CHECK_FALSE(world.happened(Kind::hot_list_refused));
}

TEST_CASE("unresolved list: another gate's torn entry is proven here") {
    UploadWorld world{"upload-shared"};
    world.card.withdraw_at(0x54, tests::FieldCard::Moment::before_answer);
    const auto torn = world.gate->touch(world.card);
    REQUIRE(torn.result.refusal == terminal::Refusal::unresolved);
    // The same operator's other gate: its own journal, the host's list.
    UploadWorld other{"upload-shared-other"};
    other.host.unresolved =
        HttpResponse::json(200, "[\"" + platform::to_hex(torn.result.record.bytes()) + "\"]");
    other.uploader.flush();
    CHECK(other.counts().waiting_shared == 1);
    other.profile.proof_opens_seconds = 0;  // the fake SAMs share a number: this is another gate
    world.card.insert();
    other.clock.advance_ms(10'000);
    const auto here = other.gate->touch(world.card);
    CHECK(here.result.open);
    CHECK_FALSE(here.result.already_paid);
    const auto records = other.cut();
    REQUIRE(records.size() == 2);
    CHECK(records[0].kind == protocol::RecordKind::proven);
}

TEST_CASE("unresolved list: bad lists are refused and change nothing") {
    using terminal::parse_unresolved;
    const std::string good = platform::to_hex([] {
        protocol::BatchRecord record;
        record.kind = protocol::RecordKind::unresolved;
        record.when = tests::date_time("20261123090000");
        record.entry_time = record.when;
        return record.bytes();
    }());
    CHECK(parse_unresolved("[\"" + good + "\"]")->size() == 1);
    CHECK(parse_unresolved("{\"records\":[\"" + good + "\"]}")->size() == 1);
    auto settled = good;
    settled[1] = '1';  // kind debit
    for (const std::string& body :
         {std::string{"{}"}, std::string{"7"}, std::string{"[7]"}, std::string{"[\"00\"]"},
          "[\"" + std::string(192, 'Z') + "\"]", "[\"" + std::string(192, '0') + "\"]",
          "[\"" + settled + "\"]", std::string{"["}}) {
        CAPTURE(body);
        CHECK_FALSE(parse_unresolved(body).has_value());
    }
}
