// The host's doors. docs/online_messages.md is the same table for people.
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/batches/receive.hpp"
#include "host/hot_list/publish.hpp"
#include "host/loads/loads.hpp"
#include "host/service/admin.hpp"
#include "host/service/host.hpp"
#include "platform/mask.hpp"

namespace host {
namespace {

using platform::HttpMethod;
using platform::HttpRequest;
using platform::HttpResponse;
using platform::PeerRole;

enum class Door : std::uint8_t { terminal, peer, issuer, own_city };

HttpResponse store_failed(const store::StoreFailure& failure) {
    return HttpResponse::refusal(503, "store_failed",
                                 fmt::format("{}: nothing is kept, ask again", failure.name));
}

unsigned status_of(batches::ReceiveRefusal why) {
    using enum batches::ReceiveRefusal;
    switch (why) {
        case batch_malformed: return 400;
        case mark_mismatch:
        case operator_mismatch:
        case device_unknown: return 403;
        case id_reused: return 409;
        case signature_wrong: return 422;
        case store_failed: return 503;
    }
    return 500;
}

unsigned status_of(exchange::PeerRefusal why) {
    using enum exchange::PeerRefusal;
    switch (why) {
        case message_malformed: return 400;
        case mark_mismatch:
        case city_mismatch: return 403;
        case id_reused:
        case out_of_order:
        case day_too_far: return 409;
        case store_failed: return 503;
    }
    return 500;
}

unsigned status_of(loads::LoadRefusal why) {
    using enum loads::LoadRefusal;
    switch (why) {
        case load_malformed: return 400;
        case operator_mismatch:
        case device_unknown: return 403;
        case store_failed: return 503;
    }
    return 500;
}

// Four digits of a certificate's O: a city.
std::optional<protocol::CityCode> city_of(const platform::PeerIdentity& identity) {
    const auto bytes = platform::from_hex<2>(identity.organisation);
    if (!bytes) return std::nullopt;
    return protocol::CityCode{static_cast<std::uint16_t>(
        protocol::read_big_endian(std::span<const std::uint8_t, 2>{*bytes}))};
}

std::string receipt_text(const store::BatchRow& batch) {
    return boost::json::serialize(
        boost::json::object{{"receipt", "stored"},
                            {"device", platform::to_hex(batch.device.value())},
                            {"sequence", batch.sequence.value()},
                            {"records", batch.record_count},
                            {"digest", platform::to_hex(batch.file_digest)}});
}

std::string flags_text(const protocol::OutcomeFlags& flags) {
    std::string out;
    if (flags.counter_gap) out = "counter_gap";
    if (flags.balance_break) out += out.empty() ? "balance_break" : " balance_break";
    return out;
}

std::string result_text(const store::BatchRow& batch,
                        const std::vector<protocol::RecordOutcome>& results) {
    boost::json::array records;
    for (std::size_t i = 0; i < results.size(); ++i) {
        records.push_back(boost::json::object{{"index", i},
                                              {"outcome", protocol::name(results[i].outcome)},
                                              {"detail", flags_text(results[i].flags)}});
    }
    return boost::json::serialize(
        boost::json::object{{"device", platform::to_hex(batch.device.value())},
                            {"sequence", batch.sequence.value()},
                            {"complete", batch.state == store::BatchState::complete},
                            {"records", std::move(records)}});
}

}  // namespace

struct Host::Route {
    HttpMethod method;
    std::string_view path;  ///< a prefix when it ends in '/'
    Door door;
    Response (Host::*run)(const Request&);
};

const Host::Route* Host::find_route(const Request& request, bool& path_known) {
    static constexpr std::array routes{
        Route{HttpMethod::post, "/v1/batches", Door::terminal, &Host::post_batch},
        Route{HttpMethod::get, "/v1/batches/", Door::terminal, &Host::batch_result},
        Route{HttpMethod::get, "/v1/hot-list", Door::terminal, &Host::hot_list},
        Route{HttpMethod::post, "/v1/loads", Door::terminal, &Host::load},
        Route{HttpMethod::post, "/v1/loads/confirmations", Door::terminal, &Host::load},
        Route{HttpMethod::post, "/v1/loads/reversals", Door::terminal, &Host::load},
        Route{HttpMethod::get, "/v1/unresolved", Door::terminal, &Host::unresolved},
        Route{HttpMethod::post, "/v1/peer/records", Door::peer, &Host::peer_records},
        Route{HttpMethod::post, "/v1/peer/statements", Door::peer, &Host::peer_statement},
        Route{HttpMethod::post, "/v1/register", Door::issuer, &Host::register_issued},
        Route{HttpMethod::get, "/v1/admin/", Door::own_city, &Host::admin},
        Route{HttpMethod::post, "/v1/admin/", Door::own_city, &Host::admin},
    };
    const std::string_view target{request.target};
    const std::string_view path = target.substr(0, target.find('?'));
    const Route* found = nullptr;
    for (const Route& route : routes) {
        const bool fits =
            route.path.ends_with('/') ? path.starts_with(route.path) : path == route.path;
        path_known = path_known || fits;
        if (fits && route.method == request.method) found = &route;
    }
    return found;
}

bool Host::allowed(const Route& route, const platform::PeerIdentity& who) const {
    const bool our_authority = who.city == fmt::format("{:04X}", city_.code.value());
    switch (route.door) {
        case Door::terminal: return who.role == PeerRole::terminal && our_authority;
        case Door::peer: {
            const auto from = city_of(who);
            return who.role == PeerRole::city_host && from && city_.peer(*from) != nullptr;
        }
        case Door::issuer:
            return who.role == PeerRole::issuer && city_of(who) == city_.code && our_authority;
        // The city's own host certificate: whoever holds it also holds the store.
        case Door::own_city:
            return who.role == PeerRole::city_host && city_of(who) == city_.code && our_authority;
    }
    return false;
}

platform::HttpResponse Host::handle(const Request& request) {
    bool path_known = false;
    const Route* const route = find_route(request, path_known);
    if (route == nullptr) {
        return path_known ? Response::refusal(405, "method_not_allowed", request.target)
                          : Response::refusal(404, "unknown_path", request.target);
    }
    if (!allowed(*route, request.identity)) {
        return Response::refusal(
            403, "role_not_allowed",
            fmt::format("role {} of {} may not call this", platform::name(request.identity.role),
                        request.identity.organisation));
    }
    return (this->*route->run)(request);
}

platform::HttpResponse Host::post_batch(const Request& request) {
    const auto sender = batches::sender_of(request.identity);
    if (!sender) {
        return Response::refusal(403, "operator_mismatch", "the certificate names no device id");
    }
    const auto receipt =
        batches::receive(store_, city_, *sender, request.body_bytes(), clock_.unix_ms());
    if (!receipt) {
        return Response::refusal(status_of(receipt.error().why), batches::name(receipt.error().why),
                                 receipt.error().detail);
    }
    return Response::json(200, receipt_text(receipt->batch));
}

// GET /v1/batches/{device}/{sequence}/result
platform::HttpResponse Host::batch_result(const Request& request) {
    const auto path = platform::path_segments(request.target);
    const auto sender = batches::sender_of(request.identity);
    const auto device = path.size() == 5 ? platform::from_hex<8>(path[2]) : std::nullopt;
    const auto sequence = path.size() == 5 ? parse_number(path[3], UINT32_MAX) : std::nullopt;
    if (!sender || !device || !sequence || path[4] != "result") {
        return Response::refusal(404, "unknown_batch",
                                 "expected /v1/batches/{device}/{sequence}/result");
    }
    std::optional<store::BatchRow> batch;
    std::vector<protocol::RecordOutcome> results;
    const auto done = store_.transact([&] {
        batch = store_.batch(protocol::DeviceId{*device},
                             protocol::BatchSequence{static_cast<std::uint32_t>(*sequence)});
        if (batch) results = store_.results(batch->id);
        return store::End::commit;
    });
    if (!done) return store_failed(done.error());
    // Another operator's batch is unknown to this one.
    if (!batch || batch->operator_id != sender->operator_id) {
        return Response::refusal(404, "unknown_batch", "this operator sent no such batch");
    }
    results.resize(batch->record_count);  // not looked into yet: all pending
    return Response::json(200, result_text(*batch, results));
}

platform::HttpResponse Host::hot_list(const Request& request) {
    std::optional<store::HotListRow> list;
    const auto done = store_.transact([&] {
        list = store_.newest_hot_list();
        return store::End::commit;
    });
    if (!done) return store_failed(done.error());
    if (!list) return Response::refusal(404, "no_hot_list", "none has been published yet");
    const std::string tag = fmt::format("\"{}\"", list->sequence.value());
    Response out = request.headers.get("If-None-Match") == tag ? Response::bytes(304, {})
                                                               : Response::bytes(200, list->file);
    out.headers.set("ETag", tag);
    return out;
}

platform::HttpResponse Host::load(const Request& request) {
    const auto sender = batches::sender_of(request.identity);
    if (!sender) {
        return Response::refusal(403, "operator_mismatch", "the certificate names no device id");
    }
    const auto body = request.body_bytes();
    const auto answer = request.target.ends_with("/confirmations")
                            ? loads::confirm(store_, city_, keys_, *sender, body, now())
                        : request.target.ends_with("/reversals")
                            ? loads::reverse(store_, city_, *sender, body, now())
                            : loads::request(store_, city_, keys_, *sender, body, now());
    if (!answer) {
        return Response::refusal(status_of(answer.error().why), loads::name(answer.error().why),
                                 answer.error().detail);
    }
    return Response::bytes(200, answer->bytes());
}

platform::HttpResponse Host::unresolved(const Request& request) {
    const auto sender = batches::sender_of(request.identity);
    if (!sender) {
        return Response::refusal(403, "operator_mismatch", "the certificate names no device id");
    }
    std::vector<protocol::BatchRecord> entries;
    const auto done = store_.transact([&] {
        entries = store_.unresolved_of(sender->operator_id);
        return store::End::commit;
    });
    if (!done) return store_failed(done.error());
    boost::json::array out;
    for (const auto& entry : entries) {
        out.push_back(boost::json::value(platform::to_hex(entry.bytes())));
    }
    return Response::json(200, boost::json::serialize(out));
}

platform::HttpResponse Host::peer_records(const Request& request) {
    const auto from = city_of(request.identity);
    const auto answer = exchange::receive(store_, city_, keys_, *from, request.body_bytes(), now());
    if (!answer) {
        return Response::refusal(status_of(answer.error().why), exchange::name(answer.error().why),
                                 answer.error().detail);
    }
    return Response::bytes(200, *answer);
}

platform::HttpResponse Host::peer_statement(const Request& request) {
    const auto from = city_of(request.identity);
    const auto answer = day::receive_statement(store_, city_, keys_, *from, request.body_bytes());
    if (!answer) {
        using enum day::DayRefusal;
        const auto why = answer.error().why;
        const unsigned status = why == store_failed || why == key_failed      ? 503
                                : why == day_not_closed || why == day_unknown ? 409
                                                                              : 422;
        const char* const word = why == day_unknown ? "day_not_closed" : day::name(why);
        return Response::refusal(status, word, answer.error().detail);
    }
    store::FileBytes out{static_cast<std::uint8_t>(answer->agree ? 1 : 0)};
    out.insert(out.end(), answer->ours.begin(), answer->ours.end());
    return Response::bytes(200, out);
}

// The issuing service tells us of cards and SAMs as soon as they exist, or are lost.
platform::HttpResponse Host::register_issued(const Request& request) {
    return register_answer(store_, city_, keys_, now(), request.body, RegisterSource::issuer);
}

platform::HttpResponse Host::admin(const Request& request) {
    return Admin{city_, store_, keys_, clock_}.handle(request);
}

}  // namespace host
