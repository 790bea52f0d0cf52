#include "host/keys/issuing_service.hpp"

#include <boost/json.hpp>

#include "host/keys/chip_block.hpp"
#include "host/keys/founding.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using platform::HttpRequest;
using platform::HttpResponse;

constexpr std::size_t reference_size_max = 64;
constexpr std::size_t response_count_max = 256;
constexpr std::size_t session_count_max = 1000;

HttpResponse malformed(std::string_view detail) {
    return HttpResponse::refusal(400, "request_malformed", detail);
}

std::optional<json::object> parse_object(const std::string& body) {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 4;
    json::value value = json::parse(body, error, {}, options);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::string_view text_member(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

bool is_reference(std::string_view text) {
    return !text.empty() && text.size() <= reference_size_max &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::optional<std::vector<ResponseBytes>> parse_responses(const json::object& object) {
    const json::value* list = object.if_contains("responses");
    if (list == nullptr || !list->is_array() || list->get_array().size() > response_count_max) {
        return std::nullopt;
    }
    std::vector<ResponseBytes> responses;
    for (const json::value& item : list->get_array()) {
        if (!item.is_string()) return std::nullopt;
        auto bytes = platform::from_hex({item.get_string().data(), item.get_string().size()});
        if (!bytes || bytes->size() > protocol::short_response_size_max) return std::nullopt;
        responses.push_back(*std::move(bytes));
    }
    return responses;
}

json::array hex_list(std::span<const ShortCommand> commands) {
    json::array list;
    for (const ShortCommand& command : commands) {
        list.emplace_back(platform::to_hex(command.bytes()));
    }
    return list;
}

unsigned status_of(IssuingRefusal refusal) {
    switch (refusal) {
        case IssuingRefusal::unknown_session:
        case IssuingRefusal::line_unknown: return 404;
        case IssuingRefusal::response_malformed: return 400;
        case IssuingRefusal::wrong_kind:
        case IssuingRefusal::line_bound_to_other_chip:
        case IssuingRefusal::chip_bound_to_other_line:
        case IssuingRefusal::line_closed:
        case IssuingRefusal::not_to_be_blocked: return 409;
        case IssuingRefusal::chip_refused:
        case IssuingRefusal::chip_not_blank:
        case IssuingRefusal::transport_unknown:
        case IssuingRefusal::receipt_wrong: return 422;
        case IssuingRefusal::keys_missing:
        case IssuingRefusal::store_failed: return 500;
    }
    return 500;
}

std::string shown_number(const IssueOrder& order) {
    if (const auto* card = std::get_if<CardOrder>(&order)) return platform::mask(card->number);
    return platform::to_hex(number_of(order));
}

std::unexpected<IssuingFailure> fail(IssuingRefusal refusal, std::string detail) {
    return std::unexpected{IssuingFailure{refusal, std::move(detail)}};
}

std::string done_body(const IssueLine& line) {
    return json::serialize(
        json::object{{"done", true}, {"number", platform::to_hex(number_of(line.order))}});
}

}  // namespace

IssuingService::IssuingService(const KeyStore& keys, IssueStore& state, const IssuerPlace& place,
                               crypto::Random& random,
                               std::function<void(const IssuingEvent&)> observer)
    : keys_{keys}, state_{state}, place_{place}, random_{random}, observer_{std::move(observer)} {}

HttpResponse IssuingService::handle(const HttpRequest& request) {
    const auto path = platform::path_segments(request.target);
    const bool sessions = path.size() >= 3 && path.size() <= 4 && path[0] == "v1" &&
                          path[1] == "issuing" && path[2] == "sessions";
    if (!sessions || request.method != platform::HttpMethod::post) {
        return HttpResponse::refusal(404, "unknown_path",
                                     "POST /v1/issuing/sessions or /v1/issuing/sessions/{id}");
    }
    // A desk of our own city, and nobody else: docs/online_messages.md, "Who is speaking".
    if (request.identity.role != platform::PeerRole::desk ||
        request.identity.organisation != city_digits(place_.city)) {
        return HttpResponse::refusal(403, "role_not_allowed",
                                     "only this city's desks may issue; your certificate says " +
                                         std::string{platform::name(request.identity.role)} +
                                         " of " + request.identity.organisation);
    }
    return path.size() == 3 ? begin(request) : go_on(request, std::string{path[3]});
}

HttpResponse IssuingService::begin(const HttpRequest& request) {
    const auto object = parse_object(request.body);
    if (!object) return malformed("the body is no JSON object");
    const auto kind = text_member(*object, "kind");
    const auto reference = text_member(*object, "desk_reference");
    if (kind != "card" && kind != "sam") return malformed("\"kind\" is card or sam");
    if (!is_reference(reference)) {
        return malformed("\"desk_reference\" is 1..64 printable characters without spaces");
    }
    const auto purpose = text_member(*object, "purpose");
    if (object->contains("purpose") && purpose != "issue" && purpose != "block") {
        return malformed("\"purpose\" is issue or block");
    }
    const DeskReference who{request.identity.unit, std::string{reference}};
    const ChipKind chip_kind = kind == "card" ? ChipKind::card : ChipKind::sam;
    return answer(who.desk, purpose == "block" ? open_blocking(who, chip_kind)
                                               : open_session(who, chip_kind));
}

std::string IssuingService::keep(Session session) {
    if (sessions_.size() >= session_count_max) sessions_.erase(sessions_.begin());
    std::array<std::uint8_t, 16> id{};
    random_.fill(id);
    std::string text = platform::to_hex(id);
    sessions_.emplace(text, std::move(session));
    return text;
}

IssuingService::Outcome IssuingService::open_session(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(line, state_.claim(who, kind));
    if (line.state == ChipState::issued || line.state == ChipState::activated) {
        return Reply{done_body(line)};
    }
    if (line.state != ChipState::ordered && line.state != ChipState::bound) {
        return fail(IssuingRefusal::line_closed,
                    shown_number(line.order) + " is " + name(line.state));
    }
    // One session per line: an older one of the same desk has lost its chip.
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second.line.id == line.id; });
    const std::string id = keep({who, kind, std::move(line), Session::Stage::opening, 0, {}, {}});
    return Reply{
        json::serialize(json::object{{"session", id}, {"commands", hex_list(opening_commands())}})};
}

IssuingService::Outcome IssuingService::open_blocking(const DeskReference& who, ChipKind kind) {
    const std::string id = keep({who, kind, {}, Session::Stage::locating, 0, {}, {}});
    return Reply{json::serialize(
        json::object{{"session", id}, {"commands", hex_list(block_opening_commands(kind))}})};
}

HttpResponse IssuingService::go_on(const HttpRequest& request, const std::string& id) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end() || found->second.who.desk != request.identity.unit) {
        return answer(request.identity.unit,
                      fail(IssuingRefusal::unknown_session,
                           "begin again with the same desk_reference: nothing is lost"));
    }
    const auto object = parse_object(request.body);
    const auto responses = object ? parse_responses(*object) : std::nullopt;
    if (!responses) return malformed("\"responses\" is a list of at most 256 hex strings");
    Session session = std::move(found->second);
    sessions_.erase(found);
    const auto stage = session.stage;
    const Outcome outcome = advance(session, *responses);
    if (outcome && session.stage != stage) sessions_.emplace(id, std::move(session));
    return answer(request.identity.unit, outcome);
}

/// The next commands, and another stage; or the end.
IssuingService::Outcome IssuingService::advance(Session& session,
                                                std::span<const ResponseBytes> responses) {
    switch (session.stage) {
        case Session::Stage::opening: return identified(session, responses);
        case Session::Stage::personalising:
        case Session::Stage::proving: return concluded(session, responses);
        case Session::Stage::locating: return located(session, responses);
        case Session::Stage::challenging: return challenged(session, responses);
        case Session::Stage::blocking: return blocked(session, responses);
    }
    return fail(IssuingRefusal::unknown_session, "");
}

IssuingService::Outcome IssuingService::identified(Session& session,
                                                   std::span<const ResponseBytes> responses) {
    ONECARD_TRY(chip, read_opening(responses));
    const ChipSerial& serial = chip.chip.serial;
    const bool bound = session.line.state == ChipState::bound && session.line.chip == serial;
    if (bound && chip.chip.life_cycle == protocol::LifeCycle::active) return ask_for_proof(session);
    ONECARD_TRY(plan, personalise(keys_, place_, session.line.order, chip));
    ONECARD_CHECK(
        state_.bind(session.line, serial,
                    registry_line(mark_of(keys_), place_, session.line.order, serial, plan.keys),
                    plan.keys, session.who.desk));
    session.command_count = plan.commands.size();
    session.receipt = plan.receipt;
    session.stage = Session::Stage::personalising;
    return Reply{json::serialize(json::object{{"commands", hex_list(plan.commands)}})};
}

/// I2: ACTIVATE's receipt was lost; the chip proves its keys instead.
IssuingService::Outcome IssuingService::ask_for_proof(Session& session) {
    random_.fill(session.challenge);
    ONECARD_TRY(commands, proof_commands(keys_, session.line.order, place_, session.challenge));
    session.stage = Session::Stage::proving;
    return Reply{json::serialize(json::object{{"commands", hex_list(commands)}})};
}

IssuingService::Outcome IssuingService::concluded(const Session& session,
                                                  std::span<const ResponseBytes> responses) {
    if (session.stage == Session::Stage::proving) {
        ONECARD_CHECK(check_proof(keys_, session.line.order, place_, session.challenge, responses));
    } else {
        ONECARD_CHECK(check_done(responses, session.command_count, session.receipt));
    }
    return finish(session);
}

IssuingService::Outcome IssuingService::finish(const Session& session) {
    ONECARD_CHECK(state_.finish(session.line, session.who.desk));
    if (observer_) {
        observer_({IssuingEvent::Kind::issued, session.who.desk, shown_number(session.line.order),
                   name(kind_of(session.line.order))});
    }
    return Reply{done_body(session.line)};
}

IssuingService::Outcome IssuingService::located(Session& session,
                                                std::span<const ResponseBytes> responses) {
    ONECARD_TRY(serial, read_block_opening(responses));
    ONECARD_TRY(line, state_.find_chip(serial));
    if (!line) return fail(IssuingRefusal::line_unknown, "no line has this chip");
    if (kind_of(line->order) != session.kind) {
        return fail(IssuingRefusal::wrong_kind,
                    std::string{"the chip is a "} + name(kind_of(line->order)));
    }
    if (line->state != ChipState::blocked && line->state != ChipState::retired) {
        return fail(IssuingRefusal::not_to_be_blocked,
                    shown_number(line->order) + " is " + name(line->state) +
                        ": issuing block or issuing retire first");
    }
    session.line = *std::move(line);
    session.stage = Session::Stage::challenging;
    return Reply{json::serialize(
        json::object{{"commands", hex_list(std::vector{protocol::get_challenge_8()})}})};
}

IssuingService::Outcome IssuingService::challenged(Session& session,
                                                   std::span<const ResponseBytes> responses) {
    const auto keys = state_.keys_of(session.line);
    if (!keys) return fail(IssuingRefusal::store_failed, keys.error().detail);
    ONECARD_TRY(commands, block_commands(keys_, place_, session.line.order, *session.line.chip,
                                         *keys, responses));
    session.stage = Session::Stage::blocking;
    return Reply{json::serialize(json::object{{"commands", hex_list(commands)}})};
}

IssuingService::Outcome IssuingService::blocked(const Session& session,
                                                std::span<const ResponseBytes> responses) {
    ONECARD_CHECK(expect_answers(responses, 1));
    ONECARD_CHECK(answer_data(responses, 0));
    ONECARD_CHECK(state_.chip_blocked(session.line, session.who.desk));
    if (observer_) {
        observer_({IssuingEvent::Kind::blocked, session.who.desk, shown_number(session.line.order),
                   name(session.kind)});
    }
    return Reply{done_body(session.line)};
}

HttpResponse IssuingService::answer(const std::string& desk, const Outcome& outcome) {
    if (outcome) return HttpResponse::json(200, outcome->body);
    if (observer_) {
        observer_({IssuingEvent::Kind::refused, desk, "",
                   std::string{name(outcome.error().refusal)} + ": " + outcome.error().detail});
    }
    return HttpResponse::refusal(status_of(outcome.error().refusal), name(outcome.error().refusal),
                                 outcome.error().detail);
}

}  // namespace host::keys
