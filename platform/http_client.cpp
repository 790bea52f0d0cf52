#include "platform/http_client.hpp"

#include <atomic>
#include <mutex>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "platform/tls_stream.hpp"

namespace platform {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t header_size_max = 16 * 1024;
constexpr std::chrono::seconds goodbye_time{1};

using Answer = std::expected<HttpResponse, NetFailure>;

auto into(error_code& error) {
    return asio::redirect_error(asio::use_awaitable, error);
}

NetError error_of(const error_code& error) {
    if (error == boost::beast::error::timeout || error == asio::error::timed_out) {
        return NetError::timeout;
    }
    if (error == asio::error::connection_refused) return NetError::refused;
    if (error == asio::error::host_unreachable || error == asio::error::network_unreachable ||
        error == asio::error::network_down) {
        return NetError::unreachable;
    }
    if (error == http::error::body_limit || error == http::error::header_limit ||
        error == http::error::buffer_overflow) {
        return NetError::too_large;
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message) {
        return NetError::closed;
    }
    if (error.category() == http::make_error_code(http::error::bad_version).category()) {
        return NetError::malformed;
    }
    return NetError::closed;
}

NetError error_of(TlsRefusal refusal) {
    switch (refusal) {
        case TlsRefusal::certificate_missing:
        case TlsRefusal::certificate_untrusted:
        case TlsRefusal::certificate_expired:
        case TlsRefusal::certificate_future:
        case TlsRefusal::certificate_revoked:
        case TlsRefusal::authority_revoked:
        case TlsRefusal::revocation_list_untrusted:
        case TlsRefusal::revocation_list_stale:
        case TlsRefusal::revocation_list_future:
        case TlsRefusal::certificate_unsuitable:
        case TlsRefusal::identity_malformed:
        case TlsRefusal::authority_mismatch: return NetError::tls_untrusted;
        case TlsRefusal::rejected_by_peer: return NetError::tls_rejected;
        case TlsRefusal::timeout: return NetError::timeout;
        case TlsRefusal::closed: return NetError::closed;
        case TlsRefusal::none:
        case TlsRefusal::no_common_suite:
        case TlsRefusal::not_tls:
        case TlsRefusal::failed: return NetError::tls_failed;
    }
    return NetError::tls_failed;
}

http::verb verb_of(HttpMethod method) {
    switch (method) {
        case HttpMethod::get: return http::verb::get;
        case HttpMethod::post: return http::verb::post;
        case HttpMethod::put: return http::verb::put;
        case HttpMethod::remove: return http::verb::delete_;
    }
    return http::verb::get;
}

HttpResponse response_of(http::response<http::string_body>&& message) {
    HttpResponse response;
    response.status = message.result_int();
    for (const auto& field : message) {
        const auto key = field.name_string();
        const auto value = field.value();
        response.headers.set({key.data(), key.size()}, {value.data(), value.size()});
    }
    response.body = std::move(message.body());
    return response;
}

}  // namespace

struct HttpClient::State {
    State(HttpClientOptions options_, TlsContext context_)
        : options{std::move(options_)}, context{std::move(context_)} {}

    [[nodiscard]] NetFailure failure(NetError error, std::string_view text) const {
        return {cancelled ? NetError::cancelled : error,
                options.host + ":" + std::to_string(options.port) + ": " + std::string{text}};
    }
    asio::awaitable<std::optional<NetFailure>> connect();
    asio::awaitable<std::expected<tcp::resolver::results_type, NetFailure>> resolve();
    asio::awaitable<Answer> exchange(const HttpRequest& request);
    Answer run(const HttpRequest& request);
    void drop() {
        stream.reset();
        buffer.clear();
    }

    HttpClientOptions options;
    TlsContext context;
    asio::io_context io{1};
    std::optional<TlsStream> stream;
    boost::beast::flat_buffer buffer;
    std::atomic<bool> cancelled{false};
};

asio::awaitable<std::expected<tcp::resolver::results_type, NetFailure>>
HttpClient::State::resolve() {
    tcp::resolver resolver{io};
    asio::steady_timer limit{io, options.connect_timeout};
    bool late = false;
    limit.async_wait([&](const error_code& stopped) {
        if (stopped) return;
        late = true;
        resolver.cancel();
    });
    error_code error;
    auto found =
        co_await resolver.async_resolve(options.host, std::to_string(options.port), into(error));
    limit.cancel();
    // The timer's handler has seen `late` by reference: let it run before that goes away.
    co_await asio::post(io, asio::use_awaitable);
    if (late) co_return std::unexpected{failure(NetError::timeout, "name resolution")};
    if (error) co_return std::unexpected{failure(NetError::name_unresolved, error.message())};
    co_return found;
}

asio::awaitable<std::optional<NetFailure>> HttpClient::State::connect() {
    drop();
    auto found = co_await resolve();
    if (!found) co_return found.error();
    boost::beast::tcp_stream socket{io};
    socket.expires_after(options.connect_timeout);
    error_code error;
    co_await socket.async_connect(*found, into(error));
    if (error) co_return failure(error_of(error), error.message());
    socket.socket().set_option(tcp::no_delay{true}, error);
    stream.emplace(std::move(socket), context);
    const TlsRefusal refusal = co_await stream->handshake();
    if (refusal != TlsRefusal::none) {
        auto failed = failure(error_of(refusal),
                              std::string{name(refusal)} + ": " + stream->engine().error_text());
        drop();
        co_return failed;
    }
    const PeerIdentity& peer = stream->engine().peer();
    if (peer.role != options.peer_role ||
        (!options.peer_organisation.empty() && peer.organisation != options.peer_organisation)) {
        auto failed = failure(NetError::wrong_peer,
                              std::string{"is "} + name(peer.role) + " of " + peer.organisation);
        drop();
        co_return failed;
    }
    co_return std::nullopt;
}

asio::awaitable<Answer> HttpClient::State::exchange(const HttpRequest& request) {
    http::request<http::string_body> message{verb_of(request.method), request.target, 11};
    message.set(http::field::host, options.host);
    for (const auto& [key, value] : request.headers.all()) message.insert(key, value);
    message.body() = request.body;
    message.prepare_payload();
    stream->next_layer().expires_after(options.call_timeout);
    error_code error;
    co_await http::async_write(*stream, message, into(error));
    http::response_parser<http::string_body> parser;
    parser.header_limit(header_size_max);
    parser.body_limit(options.response_size_max);
    error_code read_error;
    // A server may refuse before it has read everything: its answer counts, not the broken pipe.
    co_await http::async_read(*stream, buffer, parser, into(read_error));
    if (read_error) {
        const error_code& first = error ? error : read_error;
        auto failed = failure(error_of(first), first.message());
        drop();
        co_return std::unexpected{std::move(failed)};
    }
    const bool keep_alive = parser.get().keep_alive() && !error;
    auto response = response_of(parser.release());
    if (!keep_alive) drop();
    co_return response;
}

Answer HttpClient::State::run(const HttpRequest& request) {
    std::optional<Answer> answer;
    io.restart();
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            if (stream && stream->engine().lists_changed()) drop();
            const bool kept = stream.has_value();
            if (!kept) {
                if (auto failed = co_await connect()) {
                    answer = std::unexpected{*std::move(failed)};
                    co_return;
                }
            }
            answer = co_await exchange(request);
            if (!kept || *answer || answer->error().error != NetError::closed) co_return;
            if (auto failed = co_await connect()) {
                answer = std::unexpected{*std::move(failed)};
                co_return;
            }
            answer = co_await exchange(request);
        },
        asio::detached);
    io.run();
    return answer ? *std::move(answer) : std::unexpected{failure(NetError::closed, "stopped")};
}

HttpClient::HttpClient(HttpClientOptions options, TlsContext context)
    : state_{std::make_unique<State>(std::move(options), std::move(context))} {}
HttpClient::~HttpClient() = default;

Answer HttpClient::call(const HttpRequest& request) {
    if (state_->cancelled) return std::unexpected{state_->failure(NetError::cancelled, "stopped")};
    return state_->run(request);
}

void HttpClient::cancel() {
    state_->cancelled = true;
    asio::post(state_->io, [state = state_.get()] {
        if (state->stream) state->stream->next_layer().close();
    });
}

void HttpClient::close() {
    if (!state_->stream) return;
    state_->io.restart();
    asio::co_spawn(
        state_->io,
        [state = state_.get()]() -> asio::awaitable<void> {
            state->stream->next_layer().expires_after(goodbye_time);
            co_await state->stream->shutdown();
        },
        asio::detached);
    state_->io.run();
    state_->drop();
}

}  // namespace platform
