#pragma once
// What was issued, told to the city's host: POST /v1/register with the issuer's certificate. The
// registry in the state store is the outbox: sent in order, at least once; the host takes a line
// that it has as unchanged. docs/keys.md, 5.
#include <memory>

#include "host/keys/issue_store.hpp"
#include "platform/http.hpp"

namespace host::keys {

class HostFeed {
public:
    /// `channel` empty: nobody is told, somebody imports the registry file.
    HostFeed(IssueStore& state, std::unique_ptr<platform::HttpChannel> channel)
        : state_{state}, channel_{std::move(channel)} {}
    /// Everything the host has not confirmed yet. A host that does not answer is logged once and
    /// asked again at the next call that comes a second later.
    void send();

private:
    /// False when there was nothing to send, or it could not be sent.
    [[nodiscard]] bool send_some();
    void failed(const std::string& why);

    IssueStore& state_;
    std::unique_ptr<platform::HttpChannel> channel_;
    std::string last_failure_;
    std::chrono::steady_clock::time_point not_before_;
};

}  // namespace host::keys
