#include "host/keys/issuing_service.hpp"

#include <boost/json.hpp>

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
        case IssuingRefusal::chip_bound_to_other_line: return 409;
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
    const DeskReference who{request.identity.unit, std::string{reference}};
    return answer(who.desk, open_session(who, kind == "card" ? ChipKind::card : ChipKind::sam));
}

IssuingService::Outcome IssuingService::open_session(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(line, state_.claim(who, kind));
    if (line.state == LineState::issued) return Reply{done_body(line)};
    // One session per line: an older one of the same desk has lost its chip.
    std::erase_if(sessions_, [&](const auto& entry) { return entry.second.line.id == line.id; });
    if (sessions_.size() >= session_count_max) sessions_.erase(sessions_.begin());
    std::array<std::uint8_t, 16> id{};
    random_.fill(id);
    const std::string text = platform::to_hex(id);
    sessions_.emplace(text, Session{who, std::move(line), {}, 0, {}, {}});
    return Reply{json::serialize(
        json::object{{"session", text}, {"commands", hex_list(opening_commands())}})};
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
    if (found->second.stage == Session::Stage::opening) {
        Outcome outcome = identified(found->second, *responses);
        if (!outcome) sessions_.erase(id);
        return answer(request.identity.unit, outcome);
    }
    const Session session = std::move(found->second);
    sessions_.erase(found);
    return answer(request.identity.unit, concluded(session, *responses));
}

IssuingService::Outcome IssuingService::identified(Session& session,
                                                   std::span<const ResponseBytes> responses) {
    ONECARD_TRY(chip, read_opening(responses));
    const ChipSerial& serial = chip.chip.serial;
    const bool bound = session.line.state == LineState::bound && session.line.chip == serial;
    if (bound && chip.chip.life_cycle == protocol::LifeCycle::active) return ask_for_proof(session);
    ONECARD_TRY(plan, personalise(keys_, place_, session.line.order, chip));
    ONECARD_CHECK(
        state_.bind(session.line, serial,
                    registry_line(mark_of(keys_), place_, session.line.order, serial, plan.keys)));
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
    ONECARD_CHECK(state_.finish(session.line));
    if (observer_) {
        observer_({IssuingEvent::Kind::issued, session.who.desk, shown_number(session.line.order),
                   name(kind_of(session.line.order))});
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
