#include "host/service/admin.hpp"

#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/day/day.hpp"
#include "host/day/statements.hpp"
#include "host/hot_list/publish.hpp"
#include "host/service/register.hpp"
#include "host/service/report.hpp"
#include "platform/mask.hpp"

namespace host {
namespace {

namespace json = boost::json;
using platform::HttpMethod;
using platform::HttpResponse;

HttpResponse store_failed(const store::StoreFailure& failure) {
    return HttpResponse::refusal(503, "store_failed", failure.name + ": " + failure.text);
}

std::string_view text_of(const json::object& object, std::string_view key) {
    const auto* const value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string_view{value->get_string()}
                                                  : std::string_view{};
}

std::optional<json::object> body_of(const platform::HttpRequest& request) {
    if (request.body.empty()) return json::object{};
    boost::system::error_code error;
    json::value value = json::parse(request.body, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

// {"kind": "card"|"sam", "number": hex20, "reason": word, "since": YYYYMMDDhhmmss}
std::expected<protocol::HotEntry, std::string> hot_entry(const json::value& value,
                                                         const protocol::DateTime& now) {
    if (!value.is_object()) return std::unexpected{"an object expected"};
    const auto& object = value.get_object();
    const auto kind = text_of(object, "kind");
    const auto number = platform::from_hex<10>(text_of(object, "number"));
    const auto reason = parse_hot_reason(text_of(object, "reason"));
    const auto since_text = text_of(object, "since");
    const auto since = since_text.empty() ? std::optional{now} : parse_date_time(since_text);
    if (kind != "card" && kind != "sam") return std::unexpected{"kind: card or sam expected"};
    if (!number) return std::unexpected{"number: 20 digits expected"};
    if (!reason) {
        return std::unexpected{"reason: lost, stolen, returned, fraud or expired expected"};
    }
    if (!since) return std::unexpected{"since: YYYYMMDDhhmmss expected"};
    return protocol::HotEntry{kind == "card" ? protocol::HotKind::card : protocol::HotKind::sam,
                              *number, *reason, *since};
}

// ?date=YYYYMMDD. What changes a day always names it: asked for again after a lost answer, "the
// open day" would be the next one.
std::optional<protocol::Date> date_of(const platform::HttpRequest& request) {
    return parse_date(platform::query_value(request.target, "date"));
}
HttpResponse no_date() {
    return HttpResponse::refusal(400, "body_malformed", "date=YYYYMMDD expected");
}

HttpResponse day_refused(const day::Refused& refused) {
    const unsigned status = refused.why == day::DayRefusal::store_failed  ? 503
                            : refused.why == day::DayRefusal::day_unknown ? 404
                                                                          : 409;
    return HttpResponse::refusal(status, day::name(refused.why), refused.detail);
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > max) {
        return std::nullopt;
    }
    return value;
}
std::optional<protocol::Date> parse_date(std::string_view text) {
    const auto bcd = platform::from_hex<4>(text);
    if (!bcd) return std::nullopt;
    const auto date = protocol::Date::parse(*bcd);
    return date ? std::optional{*date} : std::nullopt;
}
std::optional<protocol::DateTime> parse_date_time(std::string_view text) {
    const auto bcd = platform::from_hex<7>(text);
    if (!bcd) return std::nullopt;
    const auto when = protocol::DateTime::parse(*bcd);
    return when ? std::optional{*when} : std::nullopt;
}

std::optional<protocol::HotReason> parse_hot_reason(std::string_view word) {
    using enum protocol::HotReason;
    if (word == "lost") return lost;
    if (word == "stolen") return stolen;
    if (word == "returned") return returned;
    if (word == "fraud") return fraud;
    if (word == "expired") return expired;
    return std::nullopt;
}

HttpResponse register_answer(store::Store& store, const City& city, const Keys& keys,
                             const protocol::DateTime& now, std::string_view lines,
                             RegisterSource source) {
    const auto counts = import_register(store, city, keys, now, lines, source);
    if (!counts) {
        const bool failed = counts.error().why == RegisterRefusal::store_failed ||
                            counts.error().why == RegisterRefusal::hot_list_failed;
        return HttpResponse::refusal(failed ? 503 : 422, name(counts.error().why),
                                     counts.error().detail);
    }
    json::object out{{"operators", counts->operators},
                     {"devices", counts->devices},
                     {"sams", counts->sams},
                     {"cards", counts->cards},
                     {"hot", counts->hot},
                     {"unchanged", counts->unchanged}};
    if (counts->hot_list) out["hot_list"] = counts->hot_list->value();
    return HttpResponse::json(200, json::serialize(out));
}

struct Admin::Route {
    HttpMethod method;
    std::string_view path;
    Response (Admin::*run)(const Request&);
};

platform::HttpResponse Admin::handle(const Request& request) {
    static constexpr std::array routes{
        Route{HttpMethod::post, "/v1/admin/register", &Admin::register_lines},
        Route{HttpMethod::post, "/v1/admin/hot-list/entries", &Admin::add_hot},
        Route{HttpMethod::post, "/v1/admin/hot-list/publish", &Admin::publish_hot},
        Route{HttpMethod::post, "/v1/admin/day/close", &Admin::close_day},
        Route{HttpMethod::post, "/v1/admin/day/settle", &Admin::settle_day},
        Route{HttpMethod::get, "/v1/admin/day", &Admin::show_day},
        Route{HttpMethod::get, "/v1/admin/report", &Admin::report},
        Route{HttpMethod::get, "/v1/admin/ledger/verify", &Admin::verify_ledger},
        Route{HttpMethod::get, "/v1/admin/trace", &Admin::trace},
        Route{HttpMethod::get, "/v1/admin/status", &Admin::status},
    };
    const std::string_view target{request.target};
    const std::string_view path = target.substr(0, target.find('?'));
    for (const Route& route : routes) {
        if (route.path == path && route.method == request.method) {
            return (this->*route.run)(request);
        }
    }
    return Response::refusal(404, "unknown_path", request.target);
}

platform::HttpResponse Admin::register_lines(const Request& request) {
    return register_answer(store_, city_, keys_, clock_.now(), request.body,
                           RegisterSource::office);
}

platform::HttpResponse Admin::add_hot(const Request& request) {
    const auto body = body_of(request);
    const auto* const list = body ? body->if_contains("entries") : nullptr;
    if (list == nullptr || !list->is_array()) {
        return Response::refusal(400, "body_malformed", "{\"entries\": [...]} expected");
    }
    std::vector<protocol::HotEntry> entries;
    for (const auto& value : list->get_array()) {
        const auto entry = hot_entry(value, clock_.now());
        if (!entry) {
            return Response::refusal(400, "body_malformed",
                                     fmt::format("entry {}: {}", entries.size(), entry.error()));
        }
        entries.push_back(*entry);
    }
    if (const auto done = hot_list::add(store_, entries); !done) {
        return Response::refusal(503, hot_list::name(done.error().why), done.error().detail);
    }
    return Response::json(200, json::serialize(json::object{{"added", entries.size()}}));
}

platform::HttpResponse Admin::publish_hot(const Request& request) {
    const auto body = body_of(request);
    const auto word = body ? text_of(*body, "effective") : std::string_view{};
    const auto effective = word.empty() ? std::optional{clock_.now()} : parse_date_time(word);
    if (!body || !effective) {
        return Response::refusal(400, "body_malformed", "effective: YYYYMMDDhhmmss expected");
    }
    const auto list = hot_list::publish(store_, city_, keys_, *effective, clock_.now());
    if (!list) {
        const bool failed = list.error().why == hot_list::HotListRefusal::store_failed;
        return Response::refusal(failed ? 503 : 409, hot_list::name(list.error().why),
                                 list.error().detail);
    }
    return Response::json(200, json::serialize(json::object{{"sequence", list->sequence.value()},
                                                            {"bytes", list->file.size()}}));
}

// ?date=YYYYMMDD, or the open day: for questions only.
std::optional<protocol::Date> Admin::date_or_open_day(const Request& request) {
    if (!platform::query_value(request.target, "date").empty()) return date_of(request);
    std::optional<protocol::Date> out;
    const auto done = store_.transact([&] {
        if (const auto day = store_.open_day()) out = day->date;
        return store::End::commit;
    });
    return done ? out : std::nullopt;
}

platform::HttpResponse Admin::day_response(const protocol::Date& date) {
    std::optional<std::string> out;
    const auto done = store_.transact([&] {
        if (const auto day = store_.day(date)) out = day_json(store_, city_, *day);
        return store::End::commit;
    });
    if (!done) return store_failed(done.error());
    if (!out) return Response::refusal(404, "day_unknown", "this city never opened that day");
    return Response::json(200, *out);
}

platform::HttpResponse Admin::close_day(const Request& request) {
    const auto date = date_of(request);
    if (!date) return no_date();
    if (const auto done = day::begin_close(store_, *date, clock_.now().date); !done) {
        return day_refused(done.error());
    }
    return day_response(*date);
}

platform::HttpResponse Admin::settle_day(const Request& request) {
    const auto date = date_of(request);
    if (!date) return no_date();
    if (const auto done = day::settle(store_, city_, *date); !done) {
        return day_refused(done.error());
    }
    return day_response(*date);
}

platform::HttpResponse Admin::show_day(const Request& request) {
    const auto date = date_or_open_day(request);
    if (!date) return no_date();
    return day_response(*date);
}

platform::HttpResponse Admin::report(const Request& request) {
    const ReportOptions options{platform::query_value(request.target, "numbers") == "full"};
    std::string out;
    const auto done = store_.transact([&] {
        out = report_json(store_, city_, options);
        return store::End::commit;
    });
    return done ? Response::json(200, out) : store_failed(done.error());
}

platform::HttpResponse Admin::verify_ledger(const Request&) {
    VerifyAnswer out;
    const auto done = store_.transact([&] {
        out = verify_json(store_);
        return store::End::commit;
    });
    return done ? Response::json(out.ok ? 200 : 409, out.json) : store_failed(done.error());
}

// id = CITY-TERMINAL-SEQUENCE, as exceptions and reports write it.
platform::HttpResponse Admin::trace(const Request& request) {
    const auto id = platform::query_value(request.target, "id");
    const auto city = platform::from_hex<2>(id.substr(0, std::min<std::size_t>(id.size(), 4)));
    const auto terminal = id.size() == 26 ? platform::from_hex<6>(id.substr(5, 12)) : std::nullopt;
    const auto sequence = id.size() == 26 ? platform::from_hex<4>(id.substr(18)) : std::nullopt;
    if (!city || !terminal || !sequence) {
        return Response::refusal(400, "body_malformed",
                                 "id=CITY-TERMINAL-SEQUENCE expected, 4, 12 and 8 hex digits");
    }
    const clearing::DebitKey key{
        protocol::CityCode{static_cast<std::uint16_t>(
            protocol::read_big_endian(std::span<const std::uint8_t, 2>{*city}))},
        protocol::TerminalNumber{*terminal},
        protocol::TerminalSequence{static_cast<std::uint32_t>(
            protocol::read_big_endian(std::span<const std::uint8_t, 4>{*sequence}))}};
    std::optional<std::string> out;
    const auto done = store_.transact([&] {
        out = trace_json(store_, city_, key);
        return store::End::commit;
    });
    if (!done) return store_failed(done.error());
    if (!out) return Response::refusal(404, "debit_unknown", "this city decided no such debit");
    return Response::json(200, *out);
}

platform::HttpResponse Admin::status(const Request&) {
    json::object out{{"city", fmt::format("{:04X}", city_.code.value())},
                     {"mark", city_.mark == protocol::Mark::live ? "live" : "rehearsal"}};
    const auto done = store_.transact([&] {
        json::array days;
        for (const auto& day : store_.unsettled_days()) {
            days.push_back(
                json::object{{"date", day::platform_date(day.date)},
                             {"state", day::name(day.state)},
                             {"unfinished_batches", store_.unfinished_batches(day.date)},
                             {"unanswered_messages", store_.unanswered_messages(day.date)}});
        }
        out["days"] = std::move(days);
        return store::End::commit;
    });
    return done ? Response::json(200, json::serialize(out)) : store_failed(done.error());
}

}  // namespace host
