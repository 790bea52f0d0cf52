#include "terminal/upload/uploader.hpp"

#include "platform/mask.hpp"
#include "terminal/upload/host_answers.hpp"

namespace terminal {

using platform::HttpMethod;
using platform::HttpRequest;
using platform::HttpResponse;
using Kind = UploadEvent::Kind;

namespace {

constexpr unsigned http_ok = 200;            // RFC 9110, 15.3.1
constexpr unsigned http_not_modified = 304;  // 15.4.5

HttpRequest get(std::string target) {
    HttpRequest request;
    request.method = HttpMethod::get;
    request.target = std::move(target);
    return request;
}

}  // namespace

const char* name(UploadEvent::Kind kind) {
    switch (kind) {
        case Kind::batch_cut: return "batch_cut";
        case Kind::batch_acknowledged: return "batch_acknowledged";
        case Kind::batch_refused: return "batch_refused";
        case Kind::receipt_wrong: return "receipt_wrong";
        case Kind::result_kept: return "result_kept";
        case Kind::hot_list_taken: return "hot_list_taken";
        case Kind::hot_list_refused: return "hot_list_refused";
        case Kind::unresolved_kept: return "unresolved_kept";
        case Kind::host_unreachable: return "host_unreachable";
        case Kind::answer_malformed: return "answer_malformed";
        case Kind::journal_failed: return "journal_failed";
    }
    return "unknown";
}

void Uploader::report(Kind kind, std::uint32_t sequence, std::uint32_t records,
                      std::string detail) {
    on_event_({kind, sequence, records, false, std::move(detail)});
}

template <class T>
bool Uploader::kept(const Stored<T>& stored) {
    if (!stored) report(Kind::journal_failed, 0, 0, stored.error().text);
    return stored.has_value();
}

void Uploader::step() {
    run(false);
}
void Uploader::flush() {
    run(true);
}

bool Uploader::due(std::int64_t& next_ms, std::uint32_t every_seconds, bool on_request) {
    const std::int64_t now = clock_.unix_ms();
    const std::int64_t period = std::int64_t{every_seconds} * 1000;
    // A clock that stepped back must not silence the gate for the length of the step.
    if (!on_request && now < next_ms && next_ms - now <= period) return false;
    next_ms = now + period;
    return true;
}

void Uploader::run(bool on_request) {
    cut(on_request);
    const std::int64_t now = clock_.unix_ms();
    const std::int64_t wait_max = std::int64_t{rules_.retry_seconds_max} * 1000;
    if (!on_request && now < next_try_ms_ && next_try_ms_ - now <= wait_max) return;
    if (exchange(on_request)) {
        retry_seconds_ = 0;
        next_try_ms_ = 0;
    } else {
        retry_seconds_ = std::clamp(retry_seconds_ * 2, rules_.retry_seconds_min,
                                    std::max(rules_.retry_seconds_min, rules_.retry_seconds_max));
        next_try_ms_ = now + std::int64_t{retry_seconds_} * 1000;
    }
    if (due(next_prune_ms_, 3600, false)) {
        (void)kept(journal_.prune(now - std::int64_t{rules_.keep_days} * 86'400'000));
    }
}

/// True: nothing to try again. Only a host that is not reached ends the round early: a batch that
/// it refuses must not cost the gate its results and lists.
bool Uploader::exchange(bool on_request) {
    host_reached_ = true;
    bool done = send_batches();
    const auto fetch = [&](std::int64_t& next_ms, std::uint32_t every_seconds,
                           bool (Uploader::*what)()) {
        if (host_reached_ && due(next_ms, every_seconds, on_request)) done &= (this->*what)();
    };
    fetch(next_result_ms_, rules_.result_seconds, &Uploader::fetch_results);
    fetch(next_hot_list_ms_, rules_.hot_list_seconds, &Uploader::fetch_hot_list);
    fetch(next_unresolved_ms_, rules_.unresolved_seconds, &Uploader::fetch_unresolved);
    return done;
}

void Uploader::cut(bool on_request) {
    const BatchOrigin origin{origin_.operator_id, origin_.city, hot_lists_.sequence_in_force(),
                             origin_.fare_table, clock_.now()};
    for (;;) {
        const auto sequence =
            journal_.cut_batch(rules_.batch, origin, signer_, clock_.unix_ms(), on_request);
        if (!kept(sequence) || !*sequence) return;
        report(Kind::batch_cut, (*sequence)->value());
    }
}

std::optional<HttpResponse> Uploader::call(const HttpRequest& request) {
    auto response = host_.call(request);
    if (response) return std::move(*response);
    host_reached_ = false;
    report(Kind::host_unreachable, 0, 0,
           std::string{name(response.error().error)} + ": " + response.error().detail);
    return std::nullopt;
}

/// False: the host was not reached, or refused; try later.
bool Uploader::send_batches() {
    for (;;) {
        const auto batch = journal_.next_unacknowledged();
        if (!kept(batch)) return false;
        if (!*batch) return true;
        if (!send(**batch)) return false;
    }
}

bool Uploader::send(const StoredBatch& batch) {
    HttpRequest request;
    request.method = HttpMethod::post;
    request.target = "/v1/batches";
    request.headers.set("Content-Type", "application/octet-stream");
    request.body.assign(batch.file.begin(), batch.file.end());
    const auto response = call(request);
    if (!response) return false;
    const std::uint32_t sequence = batch.sequence.value();
    if (response->status != http_ok) {
        report(Kind::batch_refused, sequence, batch.record_count,
               refusal_text(response->status, response->body));
        return false;
    }
    const auto receipt = parse_receipt(response->body);
    if (!receipt || receipt->sequence != sequence || receipt->records != batch.record_count ||
        receipt->digest != batch.digest) {  // J4
        report(Kind::receipt_wrong, sequence, batch.record_count,
               receipt ? "another batch" : receipt.error());
        return false;
    }
    if (!kept(journal_.acknowledge(batch.sequence, response->body))) return false;
    next_result_ms_ = 0;
    report(Kind::batch_acknowledged, sequence, batch.record_count);
    return true;
}

bool Uploader::fetch_results() {
    const auto open = journal_.without_result();
    if (!kept(open)) return false;
    for (const protocol::BatchSequence sequence : *open) {
        const auto response = call(get("/v1/batches/" + platform::to_hex(origin_.device.value()) +
                                       "/" + std::to_string(sequence.value()) + "/result"));
        if (!response) return false;
        const auto complete = parse_result(response->body);
        if (response->status != http_ok || !complete) {
            report(Kind::answer_malformed, sequence.value(), 0,
                   response->status != http_ok ? refusal_text(response->status, response->body)
                                               : "result: " + complete.error());
            continue;
        }
        if (!kept(journal_.keep_result(sequence, response->body, *complete))) return false;
        on_event_({Kind::result_kept, sequence.value(), 0, *complete, {}});
    }
    return true;
}

bool Uploader::fetch_hot_list() {
    HttpRequest request = get("/v1/hot-list");
    if (const auto newest = hot_lists_.newest(); newest.value() != 0) {
        request.headers.set("If-None-Match", "\"" + std::to_string(newest.value()) + "\"");
    }
    const auto response = call(request);
    if (!response) return false;
    if (response->status == http_not_modified) return true;
    if (response->status != http_ok) {
        report(Kind::hot_list_refused, 0, 0, refusal_text(response->status, response->body));
        return true;
    }
    const auto bytes = response->body_bytes();
    const auto taken = hot_lists_.offer({bytes.begin(), bytes.end()});
    if (taken) {
        report(Kind::hot_list_taken, taken->value());
    } else {
        report(Kind::hot_list_refused, 0, 0, name(taken.error()));
    }
    return true;
}

bool Uploader::fetch_unresolved() {
    const auto response = call(get("/v1/unresolved"));
    if (!response) return false;
    const auto entries = parse_unresolved(response->body);
    if (response->status != http_ok || !entries) {
        report(Kind::answer_malformed, 0, 0,
               response->status != http_ok ? refusal_text(response->status, response->body)
                                           : "unresolved: " + entries.error());
        return true;
    }
    if (!kept(journal_.replace_shared(*entries))) return false;
    report(Kind::unresolved_kept, 0, static_cast<std::uint32_t>(entries->size()));
    return true;
}

}  // namespace terminal
