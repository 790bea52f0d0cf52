#pragma once
// An HTTPS server (Boost.Beast over mbedTLS) that asks every client for a certificate. It survives
// garbage, slow, silent and unknown clients: each costs one connection, for a bounded time.
#include "platform/http.hpp"
#include "platform/tls.hpp"

namespace platform {

struct HttpServerLimits {
    std::size_t header_size_max = 8 * 1024;
    std::size_t body_size_max = 64 * 1024 * 1024;
    std::size_t connection_count_max = 1024;
    std::chrono::milliseconds handshake_timeout{10'000};
    std::chrono::milliseconds request_timeout{30'000};  ///< first byte of a request to its last
    std::chrono::milliseconds response_timeout{30'000};
    std::chrono::milliseconds idle_timeout{60'000};  ///< between requests of one connection
};

struct HttpServerOptions {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: the system chooses; port() tells
    HttpServerLimits limits;
    /// Threads that run the handler. 1: the handler is never entered twice at once.
    unsigned worker_count = 1;
};

/// What happened at the door. `refusal` matters with handshake_refused only.
enum class ServerEventKind : std::uint8_t {
    connection_limit,   ///< closed at once: connection_count_max are open
    handshake_refused,  ///< `refusal` says why
    header_too_large,   ///< answered 431
    body_too_large,     ///< answered 413
    request_malformed,  ///< answered 400
    method_unknown,     ///< answered 405
    request_timeout,    ///< a client that sends too slowly; closed
    response_timeout,   ///< a client that does not read; closed
    connection_broken,  ///< reset in the middle of a request or response
    handler_threw,      ///< answered 500: a bug of ours
    accept_failed,      ///< no file descriptors, ...; retried
};
[[nodiscard]] const char* name(ServerEventKind kind);
struct ServerEvent {
    ServerEventKind kind;
    TlsRefusal refusal = TlsRefusal::none;
    std::string peer;    ///< address:port
    std::string detail;  ///< what the system or TLS said
};
/// Called from the server's threads, one at a time.
using ServerObserver = std::function<void(const ServerEvent&)>;

class HttpServer {
public:
    /// Listens when it returns. The failure says address, port and why.
    [[nodiscard]] static std::expected<std::unique_ptr<HttpServer>, NetFailure> start(
        const HttpServerOptions& options, TlsContext context, HttpHandler handler,
        ServerObserver observer = {});
    /// stop(), if nobody did.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::size_t connection_count() const;
    /// Accepts nothing more, lets running handlers finish, closes every connection, joins.
    void stop();

private:
    struct State;
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace platform
