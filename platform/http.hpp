#pragma once
// HTTP as values: a request goes in, a response comes out. Servers and clients of the real network
// are in http_server.hpp and http_client.hpp; a simulation connects a Handler to a Channel itself.
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/peer_identity.hpp"
#include "protocol/bytes.hpp"

namespace platform {

enum class HttpMethod : std::uint8_t { get, post, put, remove };
/// "GET", "POST", "PUT", "DELETE".
[[nodiscard]] const char* name(HttpMethod method);

/// In order of arrival. Names compare without case. RFC 9110, 5.1.
class HttpHeaders {
public:
    /// Empty when absent; the first when repeated.
    [[nodiscard]] std::string_view get(std::string_view header) const;
    void set(std::string_view header, std::string_view value);
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const {
        return all_;
    }

private:
    std::vector<std::pair<std::string, std::string>> all_;
};

struct HttpRequest {
    HttpMethod method = HttpMethod::get;
    std::string target;  ///< origin form: path and query. RFC 9112, 3.2.1
    HttpHeaders headers;
    std::string body;       ///< bytes; `body_bytes` shows them as such
    PeerIdentity identity;  ///< filled by the server from the certificate; ignored by the client
    [[nodiscard]] protocol::Bytes body_bytes() const {
        return {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    }
};

struct HttpResponse {
    unsigned status = 200;
    HttpHeaders headers;
    std::string body;
    [[nodiscard]] protocol::Bytes body_bytes() const {
        return {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()};
    }

    [[nodiscard]] static HttpResponse json(unsigned status, std::string body);
    [[nodiscard]] static HttpResponse bytes(unsigned status, protocol::Bytes body);
    /// `{"error": error, "detail": detail}`: how every refusal looks (docs/online_messages.md).
    [[nodiscard]] static HttpResponse refusal(unsigned status, std::string_view error,
                                              std::string_view detail);
};

/// The path of a target in pieces, query dropped: "/v1/batches/00/7" is {"v1","batches","00","7"}.
/// Views into `target`.
[[nodiscard]] std::vector<std::string_view> path_segments(std::string_view target);
/// The raw value of one query parameter; empty when absent.
[[nodiscard]] std::string_view query_value(std::string_view target, std::string_view parameter);

/// Answers one request. Must not throw: what does is answered as 500 `internal_error` and logged.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// Why no response came. Whether the request was carried out is unknown after `timeout`, `closed`,
/// `malformed` and `too_large`: ask again with the same key.
enum class NetError : std::uint8_t {
    name_unresolved,  ///< no address for the host's name
    refused,          ///< nothing listens there
    unreachable,      ///< no route, network down
    timeout,          ///< the deadline passed
    tls_untrusted,    ///< the peer's certificate is foreign, expired, revoked or not a peer's
    tls_rejected,     ///< the peer refused ours
    tls_failed,       ///< no TLS there, or broken
    wrong_peer,       ///< a good certificate, of someone else than expected
    closed,           ///< the connection ended before the response did
    malformed,        ///< the answer is not HTTP
    too_large,        ///< the answer exceeds the limit
    cancelled,        ///< stopped from our side
};
[[nodiscard]] const char* name(NetError error);
struct NetFailure {
    NetError error;
    std::string detail;  ///< host, port, and what the system or TLS said
};

/// One peer, seen from the asking side. The real one is HttpClient; a simulation brings its own.
class HttpChannel {
public:
    virtual ~HttpChannel() = default;
    [[nodiscard]] virtual std::expected<HttpResponse, NetFailure> call(
        const HttpRequest& request) = 0;
};

}  // namespace platform
