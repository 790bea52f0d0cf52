// The life of a chip in the issue store: docs/issuing.md, 1-3 and 6.
#include "host/keys/fleet.hpp"
#include "tests/host/keys/issuer_scene.hpp"

using namespace keys_test;
using host::keys::ChipStep;
using host::keys::LifeRefusal;
using host::keys::next;
using host::keys::StepOrder;
using protocol::HotReason;

namespace {

constexpr std::array all_steps{ChipStep::release, ChipStep::activate, ChipStep::lose,
                               ChipStep::find,    ChipStep::block,    ChipStep::retire};

std::string outcome(ChipState state, ChipStep step) {
    const auto to = next(state, step, ChipState::activated);
    return to ? name(*to) : name(to.error());
}

/// A made card, and steps with short words.
struct Life {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};

    Life() { REQUIRE(issue(issuer, chip, "card", "x").contains("done")); }
    std::string step(ChipStep what, const Number& number = first_card,
                     std::optional<HotReason> reason = {},
                     std::optional<protocol::DateTime> since = {}, ChipKind kind = ChipKind::card) {
        const auto now = issuer.state->take_step({what, kind, number, reason, since}, office);
        if (now) return name(*now);
        return now.error().detail.substr(0, now.error().detail.find(':'));
    }
    json::object last_line() { return json::parse(issuer.registry().back()).as_object(); }
    std::size_t events(const Number& number = first_card) {
        return issuer.state->history(ChipKind::card, number)->size();
    }
};

protocol::DateTime at(unsigned hour) {
    return {*protocol::Date::make(2026, 1, 1), *protocol::Time::make(hour, 0, 0)};
}

std::string import_refusal(Issuer& issuer, const std::string& line) {
    const auto orders =
        host::keys::parse_orders(std::string{host::keys::order_header} + "\n" + line, "lines");
    REQUIRE(orders.has_value());
    const auto done = issuer.state->import(*orders, office);
    if (done) return "imported " + std::to_string(*done);
    return done.error().detail.substr(0, done.error().detail.find(':'));
}
std::string card_line(const char* number, const char* replaces) {
    return std::string{"card,"} + number + ",sm4,20260101,20351231,student,yes,enabled,,,," +
           replaces;
}

}  // namespace

TEST_CASE("issue life: every step from every state") {
    using S = ChipState;
    struct Row {
        S from;
        std::array<const char*, 6> ends;  // in the order of all_steps
    };
    for (const Row& row : {
             Row{S::ordered,
                 {"not_issued", "not_issued", "not_issued", "not_issued", "not_issued", "retired"}},
             Row{S::bound, {"ordered", "is_bound", "lost", "bound", "blocked", "is_bound"}},
             Row{S::issued, {"is_issued", "activated", "lost", "issued", "blocked", "retired"}},
             Row{S::activated,
                 {"is_issued", "activated", "lost", "activated", "blocked", "retired"}},
             Row{S::lost, {"is_lost", "is_lost", "lost", "activated", "blocked", "retired"}},
             Row{S::blocked,
                 {"is_blocked", "is_blocked", "is_blocked", "is_blocked", "blocked", "retired"}},
             Row{S::retired,
                 {"is_retired", "is_retired", "is_retired", "is_retired", "is_retired", "retired"}},
         }) {
        for (std::size_t i = 0; i < all_steps.size(); ++i) {
            CAPTURE(name(row.from));
            CAPTURE(name(all_steps[i]));
            CHECK(outcome(row.from, all_steps[i]) == row.ends[i]);
        }
    }
}

TEST_CASE("issue life: activated and lost and found and blocked and retired, and who did it") {
    Life life;
    CHECK(life.step(ChipStep::activate) == "activated");
    CHECK(life.step(ChipStep::lose) == "lost");
    CHECK(life.step(ChipStep::find) == "activated");  // where it was
    CHECK(life.step(ChipStep::block, first_card, HotReason::stolen) == "blocked");
    CHECK(life.step(ChipStep::retire) == "retired");
    const auto events = life.issuer.state->history(ChipKind::card, first_card);
    REQUIRE(events.has_value());
    std::string story;
    for (const auto& event : *events) {
        CHECK(event.at_ms == life.issuer.founded.clock.unix_ms());
        story += event.who + " " + name(event.step) + ", ";
    }
    CHECK(story ==
          "person:office import, desk:desk-1 claim, desk:desk-1 bind, desk:desk-1 finish, "
          "person:office activate, person:office lost, person:office found, person:office block, "
          "person:office retire, ");
}

TEST_CASE("issue life: a repeated step changes nothing: no event, no line for the host") {
    Life life;
    for (const ChipStep step :
         {ChipStep::activate, ChipStep::lose, ChipStep::find, ChipStep::block, ChipStep::retire}) {
        CAPTURE(name(step));
        const std::string first = life.step(step);
        const std::size_t events = life.events();
        const std::size_t lines = life.issuer.registry().size();
        CHECK(life.step(step) == first);
        CHECK(life.events() == events);
        CHECK(life.issuer.registry().size() == lines);
    }
}

TEST_CASE("issue life: refusals by name, and nothing changes") {
    Life life;
    const std::size_t lines = life.issuer.registry().size();
    CHECK(life.step(ChipStep::lose, number_of("03104800000000000099")) == "line_unknown");
    CHECK(life.step(ChipStep::lose, first_card, {}, {}, ChipKind::sam) == "line_unknown");
    CHECK(life.step(ChipStep::activate, second_card) == "not_issued");
    CHECK(life.step(ChipStep::lose, first_card, HotReason::fraud) == "reason_wrong");
    CHECK(life.step(ChipStep::activate, first_card, HotReason::lost) == "reason_wrong");
    CHECK(life.step(ChipStep::find, first_card, HotReason::returned) == "reason_wrong");
    CHECK(life.step(ChipStep::lose, first_card, {}, at(16)) == "since_wrong");  // it is 15:00
    CHECK(life.step(ChipStep::retire, first_card, {}, at(14)) == "since_wrong");
    CHECK(life.step(ChipStep::release) == "is_issued");
    CHECK(life.issuer.registry().size() == lines);
    CHECK(life.issuer.state->counts()->of(ChipState::issued) == 1);
}

TEST_CASE("issue life: what the host is told") {
    Life life;
    REQUIRE(life.step(ChipStep::lose, first_card, {}, at(9)) == "lost");
    json::object line = life.last_line();
    CHECK(line.at("kind").as_string() == "hot");
    CHECK(line.at("what").as_string() == "card");
    CHECK(line.at("number").as_string() == "03104800000000000017");
    CHECK(line.at("mark").as_string() == "rehearsal");
    CHECK(line.at("city").as_string() == "3100");
    CHECK(line.at("line").as_int64() == 2);
    CHECK(line.at("listed").as_bool());
    CHECK(line.at("reason").as_string() == "lost");
    CHECK(line.at("since").as_string() == "20260101090000");
    SUBCASE("corrected: another time, another reason") {
        CHECK(life.step(ChipStep::lose, first_card, {}, at(8)) == "lost");
        CHECK(life.last_line().at("since").as_string() == "20260101080000");
        CHECK(life.step(ChipStep::lose, first_card, HotReason::stolen) == "lost");
        CHECK(life.last_line().at("since").as_string() == "20260101080000");
        CHECK(life.last_line().at("reason").as_string() == "stolen");
        CHECK(life.step(ChipStep::find) == "issued");
    }
    SUBCASE("blocked: since it was lost") {
        CHECK(life.step(ChipStep::block) == "blocked");
        CHECK(life.last_line().at("line").as_int64() == 3);
        CHECK(life.last_line().at("since").as_string() == "20260101090000");
        CHECK(life.last_line().at("reason").as_string() == "lost");
    }
    SUBCASE("found") {
        CHECK(life.step(ChipStep::find) == "issued");
        CHECK_FALSE(life.last_line().at("listed").as_bool());
        CHECK(life.last_line().at("line").as_int64() == 3);
        // Lost again, later: nothing of the first time is left.
        CHECK(life.step(ChipStep::lose) == "lost");
        CHECK(life.last_line().at("since").as_string() == "20260101150000");
    }
}

TEST_CASE("issue life: a chip that is lost while a desk is at it") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::sam_transport, Suite::sm4, 9};
    const Opened opened = open(issuer, chip, "sam", "x");
    const StepOrder lost{ChipStep::lose, ChipKind::sam, first_sam, {}, {}};
    REQUIRE(issuer.state->take_step(lost, office).has_value());
    CHECK(issuer.registry().size() == 1);  // the hot line: it may hold the nation's keys
    const auto responses = carry(chip, opened.reply);
    CHECK(error_of(issuer.post("/" + opened.session, json::object{{"responses", responses}})) ==
          "line_closed");
    CHECK(error_of(issuer.begin("sam", "x")) == "line_closed");
    const StepOrder found{ChipStep::find, ChipKind::sam, first_sam, {}, {}};
    CHECK(issuer.state->take_step(found, office).value() == ChipState::bound);
    chip.power_on();
    CHECK(issue(issuer, chip, "sam", "x").contains("done"));
}

TEST_CASE("issue life: a released chip is scrap for ever") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    (void)open(issuer, chip, "card", "x");
    REQUIRE(issuer.state->release(ChipKind::card, first_card, office).has_value());
    CHECK(open(issuer, chip, "card", "x").reply.at("error").as_string() ==
          "chip_bound_to_other_line");
}

TEST_CASE("issue life: a cancelled order gets no chip, and its desk another line") {
    Issuer issuer;
    CHECK(issuer.begin("card", "x").status == 200);
    const StepOrder cancel{ChipStep::retire, ChipKind::card, first_card, {}, {}};
    REQUIRE(issuer.state->take_step(cancel, office).has_value());
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    CHECK(issue(issuer, chip, "card", "x").at("number").as_string() == "03104800000000000025");
}

TEST_CASE("issue life: reissue makes the old card lost, once") {
    Life life;
    const auto replacement = card_line("03104800000000000033", "03104800000000000017");
    CHECK(import_refusal(life.issuer, replacement) == "imported 1");
    CHECK(life.issuer.state->counts()->of(ChipState::lost) == 1);
    CHECK(life.last_line().at("number").as_string() == "03104800000000000017");
    CHECK(import_refusal(life.issuer, replacement) == "imported 0");
    CHECK(life.step(ChipStep::find) == "is_replaced");
    CHECK(import_refusal(life.issuer, card_line("03104800000000000041", "03104800000000000017")) ==
          "is_replaced");
    // The new order is cancelled: another may replace the old card, or it is found.
    CHECK(life.step(ChipStep::retire, number_of("03104800000000000033")) == "retired");
    CHECK(life.step(ChipStep::find) == "issued");
    CHECK(import_refusal(life.issuer, card_line("03104800000000000041", "03104800000000000017")) ==
          "imported 1");
}

TEST_CASE("issue life: what cannot be replaced") {
    Life life;
    CHECK(import_refusal(life.issuer, card_line("03104800000000000033", "03104800000000000999")) ==
          "line_unknown");
    CHECK(import_refusal(life.issuer, card_line("03104800000000000033", "03104800000000000025")) ==
          "not_issued");
    CHECK(life.issuer.state->counts()->of(ChipState::ordered) == 2);  // nothing was imported
    // One line of two is refused: neither is there, and the first card is not lost.
    CHECK(import_refusal(life.issuer,
                         card_line("03104800000000000033", "03104800000000000017") + "\n" +
                             card_line("03104800000000000041", "03104800000000000025")) ==
          "not_issued");
    CHECK(life.issuer.state->counts()->of(ChipState::lost) == 0);
    // A blocked one stays blocked.
    CHECK(life.step(ChipStep::block) == "blocked");
    CHECK(import_refusal(life.issuer, card_line("03104800000000000033", "03104800000000000017")) ==
          "imported 1");
    CHECK(life.issuer.state->counts()->of(ChipState::blocked) == 1);
}

TEST_CASE("issue life: a hook hears every change inside its transaction and can undo it") {
    Life life;
    std::vector<json::object> heard;
    bool refuse = false;
    life.issuer.hook = [&](platform::sqlite::Database& database,
                           std::string_view change) -> host::keys::Result<void> {
        CHECK_FALSE(database.begin().has_value());  // one is open already
        heard.push_back(json::parse(change).as_object());
        if (refuse) return host::keys::refuse(host::keys::RefusalKind::file_failed, "audit");
        return {};
    };
    life.issuer.restart();
    REQUIRE(life.step(ChipStep::lose, first_card, {}, at(9)) == "lost");
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].at("command").as_string() == "lost");
    CHECK(heard[0].at("by").as_string() == "person:office");
    CHECK(heard[0].at("kind").as_string() == "card");
    CHECK(heard[0].at("number").as_string() == "310480*********0017");  // masked
    CHECK(heard[0].at("line").as_int64() == 1);
    CHECK(heard[0].at("from").as_string() == "issued");
    CHECK(heard[0].at("to").as_string() == "lost");
    CHECK(heard[0].at("since").as_string() == "20260101090000");

    refuse = true;
    const auto counts = life.issuer.state->counts();
    const std::size_t lines = life.issuer.registry().size();
    const std::size_t events = life.events();
    CHECK(life.step(ChipStep::find) == "audit");
    CHECK(life.step(ChipStep::block) == "audit");
    CHECK(life.step(ChipStep::retire) == "audit");
    CHECK(import_refusal(life.issuer, card_line("03104800000000000033", "")) == "audit");
    CHECK(error_of(life.issuer.begin("card", "y")) == "store_failed");  // claim
    CHECK(life.issuer.state->counts()->by_kind == counts->by_kind);
    CHECK(life.issuer.registry().size() == lines);
    CHECK(life.events() == events);

    refuse = false;
    BlankChip chip{*life.issuer.keys, KeyUse::card_transport, Suite::sm4, 2};
    const json::object first = object_of(life.issuer.begin("card", "y"));
    const std::string session{first.at("session").as_string()};
    refuse = true;  // bind
    CHECK(error_of(life.issuer.post(
              "/" + session, json::object{{"responses", carry(chip, first)}})) == "store_failed");
    refuse = false;
    const Opened opened = open(life.issuer, chip, "card", "y");
    CHECK_FALSE(life.issuer.state->counts()->of(ChipState::bound) == 0);
    refuse = true;  // release, then finish: the chip has its keys, the line stays bound
    CHECK_FALSE(life.issuer.state->release(ChipKind::card, second_card, office).has_value());
    const auto responses = carry(chip, opened.reply);
    CHECK(error_of(life.issuer.post("/" + opened.session,
                                    json::object{{"responses", responses}})) == "store_failed");
    CHECK(life.issuer.registry().size() == lines);
    refuse = false;
    chip.power_on();
    CHECK(issue(life.issuer, chip, "card", "y").contains("done"));  // by its proof
}

TEST_CASE("issue life: a blocked chip is blocked at a desk, for good, as often as one likes") {
    for (const bool card : {true, false}) {
        CAPTURE(card);
        Issuer issuer;
        BlankChip chip{*issuer.keys, card ? KeyUse::card_transport : KeyUse::sam_transport,
                       Suite::sm4, static_cast<std::uint8_t>(card ? 1 : 9)};
        const char* const kind = card ? "card" : "sam";
        REQUIRE(issue(issuer, chip, kind, "x").contains("done"));
        const auto block = [&](const char* as) {
            chip.power_on();
            return issue(issuer, chip, as, "x", "block");
        };
        CHECK(block(kind).at("error").as_string() == "not_to_be_blocked");
        CHECK(block(card ? "sam" : "card").at("error").as_string() ==
              (card ? "chip_refused" : "chip_refused"));  // it has no such application
        const StepOrder order{ChipStep::block,
                              card ? ChipKind::card : ChipKind::sam,
                              card ? first_card : first_sam,
                              HotReason::fraud,
                              {}};
        REQUIRE(issuer.state->take_step(order, office).has_value());
        CHECK(block(kind).contains("done"));
        chip.power_on();
        const auto select = card ? protocol::select_by_name(protocol::transit_aid)
                                 : protocol::select_by_name(protocol::sam_aid);
        const auto answer = chip.send(select.bytes());
        CHECK(platform::to_hex(answer).ends_with("6283"));
        CHECK(block(kind).contains("done"));
        CHECK(issuer.events.back().kind == host::keys::IssuingEvent::Kind::blocked);
        const auto events = issuer.state->history(order.kind, order.number);
        CHECK(std::ranges::count(*events, ChipStep::chip_blocked, &host::keys::ChipEvent::step) ==
              1);
    }
}

TEST_CASE("issue life: block sessions that must fail") {
    Life life;
    REQUIRE(life.step(ChipStep::block) == "blocked");
    const auto opening = [&] {
        const json::object first = object_of(life.issuer.begin("card", "x", "block"));
        return std::string{first.at("session").as_string()};
    };
    const auto go_on = [&](const std::string& session, const json::array& responses) {
        return life.issuer.post("/" + session, json::object{{"responses", responses}});
    };
    const std::string info = life.chip.serial() + "07FFFF9000";
    CHECK(error_of(go_on(opening(), {"9000"})) == "response_malformed");
    CHECK(error_of(go_on(opening(), {"9000", "9000", "9000"})) == "response_malformed");
    CHECK(error_of(go_on(opening(), {"9000", info, "6A82"})) == "chip_refused");
    CHECK(error_of(go_on(opening(), {"9000", "000000000000007707FFFF9000", "9000"})) ==
          "line_unknown");
    const std::string session = opening();
    REQUIRE(go_on(session, {"9000", info, "6283"}).status == 200);
    CHECK(error_of(go_on(session, {"00119000"})) == "response_malformed");
    CHECK(error_of(go_on(session, {"00112233445566779000"})) == "unknown_session");
    const std::string last = opening();
    REQUIRE(go_on(last, {"9000", info, "9000"}).status == 200);
    REQUIRE(go_on(last, {"00112233445566779000"}).status == 200);
    CHECK(error_of(go_on(last, {"6988"})) == "chip_refused");
    CHECK(error_of(life.issuer.begin("card", "x", "polish")) == "request_malformed");
}
