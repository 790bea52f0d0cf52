#include "host/keys/program/host_feed.hpp"

#include "platform/log.hpp"

namespace host::keys {

namespace {

constexpr std::int64_t lines_max = 1000;
constexpr std::chrono::seconds pause{1};

}  // namespace

void HostFeed::send() {
    if (!channel_ || std::chrono::steady_clock::now() < not_before_) return;
    while (send_some()) {
    }
}

bool HostFeed::send_some() {
    const auto told = state_.told();
    if (!told) {
        failed(told.error().detail);
        return false;
    }
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = "/v1/register";
    const auto last = state_.registry(
        *told, [&](const std::string& entry) { request.body += entry + "\n"; }, lines_max);
    if (!last) {
        failed(last.error().detail);
        return false;
    }
    if (*last == *told) return false;
    const auto answer = channel_->call(request);
    if (!answer || answer->status != 200) {
        failed(answer ? answer->body : answer.error().detail);
        return false;
    }
    if (const auto kept = state_.set_told(*last); !kept) {
        failed(kept.error().detail);
        return false;
    }
    last_failure_.clear();
    return true;
}

void HostFeed::failed(const std::string& why) {
    if (why != last_failure_) platform::log_warning("host_not_told", {{"detail", why}});
    last_failure_ = why;
    not_before_ = std::chrono::steady_clock::now() + pause;
}

}  // namespace host::keys
