#pragma once
// A blocking HTTPS client for one peer, with our certificate, a deadline for each call and one
// connection that is used again while it lives.
#include "platform/http.hpp"
#include "platform/tls.hpp"

namespace platform {

struct HttpClientOptions {
    std::string host;
    std::uint16_t port = 0;
    /// Whom we mean to reach: the certificate must say so, else `wrong_peer`.
    PeerRole peer_role = PeerRole::city_host;
    std::string peer_organisation;                     ///< empty: any
    std::chrono::milliseconds connect_timeout{5'000};  ///< with the TLS handshake
    std::chrono::milliseconds call_timeout{30'000};    ///< request and response together
    std::size_t response_size_max = 64 * 1024 * 1024;
};

/// For one thread at a time; cancel() from any.
class HttpClient final : public HttpChannel {
public:
    HttpClient(HttpClientOptions options, TlsContext context);
    ~HttpClient() override;
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Connects when needed. A call on a kept connection that the peer has closed meanwhile is sent
    /// once more on a new one: every message of ours may be repeated (docs/online_messages.md).
    [[nodiscard]] std::expected<HttpResponse, NetFailure> call(const HttpRequest& request) override;
    /// The running call, if any, and all later ones answer `cancelled`.
    void cancel();
    void close();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace platform
