// terminal/desk: docs/kiosk.md, "Desk"; docs/online_messages.md, "Desk to issuer".
#include "terminal/desk/desk.hpp"

#include <map>

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using platform::HttpResponse;
using terminal::ChipKind;
using terminal::DeskRefusal;
using terminal::issue;
using terminal::parse_issuing_step;

namespace {

class ScriptedChip final : public terminal::CardLink {
public:
    std::map<std::string, std::string> answers;
    std::vector<std::string> heard;
    std::expected<terminal::Response, terminal::LinkError> transmit(
        terminal::Bytes command) override {
        heard.push_back(tests::to_hex(command));
        const auto found = answers.find(heard.back());
        if (found == answers.end()) return std::unexpected{terminal::LinkError::card_gone};
        terminal::Response response;
        REQUIRE(response.append(tests::hex(found->second)));
        return response;
    }
};
class ScriptedIssuer final : public platform::HttpChannel {
public:
    std::vector<HttpResponse> answers;
    std::vector<platform::HttpRequest> heard;
    std::expected<HttpResponse, platform::NetFailure> call(
        const platform::HttpRequest& request) override {
        heard.push_back(request);
        if (heard.size() > answers.size()) {
            return std::unexpected{platform::NetFailure{platform::NetError::closed, "test"}};
        }
        return answers[heard.size() - 1];
    }
};
HttpResponse json(const char* body) {
    return HttpResponse::json(200, body);
}
const auto atr = tests::hex("3B8E01807394010068000102030405060755");

}  // namespace

TEST_CASE("desk: commands go to the chip, answers to the issuer, until it says done") {
    ScriptedChip chip;
    chip.answers = {{"00A40000023F00", "9000"}, {"80CADF200B", "019000"}, {"0084000008", "6985"}};
    ScriptedIssuer issuer;
    issuer.answers = {json(R"({"session":"A1","commands":["00A40000023F00","80CADF200B"]})"),
                      json(R"({"commands":["0084000008","80CADF200B"]})"),
                      json(R"({"done":true,"number":"03104000000000000017"})")};
    const auto report = issue(chip, atr, ChipKind::card, "chip-1", issuer);
    CHECK(report.refusal == DeskRefusal::none);
    CHECK(report.number == "03104000000000000017");
    CHECK(issuer.heard[0].body == R"({"kind":"card",)"
                                  R"("atr":"3B8E01807394010068000102030405060755",)"
                                  R"("desk_reference":"chip-1"})");
    CHECK(issuer.heard[1].target == "/v1/issuing/sessions/A1");
    CHECK(issuer.heard[1].body == R"({"responses":["9000","019000"]})");
    // The chip refused: what follows is not sent, the issuer judges.
    CHECK(issuer.heard[2].body == R"({"responses":["6985"]})");
    CHECK(chip.heard.size() == 3);
}

TEST_CASE("desk: to block it says so and a blocked application is for the issuer to judge") {
    ScriptedChip chip;
    chip.answers = {{"00A40000023F02", "6283"}, {"0084000008", "00112233445566779000"}};
    ScriptedIssuer issuer;
    issuer.answers = {json(R"({"session":"B2","commands":["00A40000023F02"]})"),
                      json(R"({"commands":["0084000008"]})"),
                      json(R"({"done":true,"number":"10000000000000000001"})")};
    const auto report = terminal::block(chip, atr, ChipKind::sam, "chip-1", issuer);
    CHECK(report.refusal == DeskRefusal::none);
    CHECK(report.number == "10000000000000000001");
    CHECK(issuer.heard[0].body == R"({"kind":"sam",)"
                                  R"("atr":"3B8E01807394010068000102030405060755",)"
                                  R"("desk_reference":"chip-1","purpose":"block"})");
    CHECK(issuer.heard[1].body == R"({"responses":["6283"]})");
}

TEST_CASE("desk: a line issued before is done at once") {
    ScriptedChip chip;
    ScriptedIssuer issuer;
    issuer.answers = {json(R"({"done":true,"number":"01"})")};
    CHECK(issue(chip, atr, ChipKind::sam, "x", issuer).refusal == DeskRefusal::none);
    CHECK(chip.heard.empty());
}

TEST_CASE("desk: chip gone, issuer silent, refusing, talking nonsense or without end") {
    ScriptedChip chip;
    ScriptedIssuer issuer;
    CHECK(issue(chip, atr, ChipKind::card, "x", issuer).refusal == DeskRefusal::issuer_unreachable);
    issuer = {};
    issuer.answers = {HttpResponse::refusal(404, "line_unknown", "no line is left")};
    const auto refused = issue(chip, atr, ChipKind::card, "x", issuer);
    CHECK(refused.refusal == DeskRefusal::issuer_refused);
    CHECK(refused.detail == "HTTP 404: line_unknown: no line is left");
    issuer = {};
    issuer.answers = {json(R"({"session":"A1","commands":["80CADF200B"]})")};
    CHECK(issue(chip, atr, ChipKind::card, "x", issuer).refusal == DeskRefusal::chip_gone);
    issuer = {};
    issuer.answers = {json(R"({"commands":["80CADF200B"]})")};
    CHECK(issue(chip, atr, ChipKind::card, "x", issuer).refusal == DeskRefusal::answer_malformed);
    chip.answers = {{"80CADF200B", "9000"}};
    issuer = {};
    issuer.answers.assign(40, json(R"({"session":"A1","commands":["80CADF200B"]})"));
    CHECK(issue(chip, atr, ChipKind::card, "x", issuer).refusal == DeskRefusal::too_many_rounds);
}

TEST_CASE("desk: the issuer's JSON is read strictly") {
    for (const char* body :
         {"", "[]", "{}", R"({"done":false})", R"({"done":true})", R"({"commands":[]})",
          R"({"commands":[7]})", R"({"commands":["0"]})", R"({"commands":["00A4"]})",
          R"({"session":7,"commands":["80CADF200B"]})",
          R"({"session":"../x","commands":["80CADF200B"]})",
          R"({"session":"A","commands":["00A4000005FF"]})"}) {
        CAPTURE(body);
        CHECK_FALSE(parse_issuing_step(body).has_value());
    }
}

TEST_CASE("desk: the chip's serial is its reference (docs/card_commands.md, 2)") {
    CHECK(terminal::chip_reference(atr) == "chip-0001020304050607");
    for (const char* other : {"", "3B", "3B00", "3B8E0180739401006800010203040506",
                              "3B8E01017394010068000102030405060755", "3B04807300000055"}) {
        CAPTURE(other);
        CHECK_FALSE(terminal::chip_reference(tests::hex(other)).has_value());
    }
}
