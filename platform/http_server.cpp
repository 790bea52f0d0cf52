#include "platform/http_server.hpp"

#include <atomic>
#include <list>
#include <mutex>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
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
using Parser = http::request_parser<http::string_body>;

constexpr std::chrono::seconds goodbye_time{2};  // for a last response, an alert, a lingering close

auto into(error_code& error) {
    return asio::redirect_error(asio::use_awaitable, error);
}

std::string text_of(const tcp::endpoint& endpoint) {
    const std::string address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(endpoint.port());
}

std::optional<HttpMethod> method_of(http::verb verb) {
    switch (verb) {
        case http::verb::get: return HttpMethod::get;
        case http::verb::post: return HttpMethod::post;
        case http::verb::put: return HttpMethod::put;
        case http::verb::delete_: return HttpMethod::remove;
        default: return std::nullopt;
    }
}

HttpRequest request_of(HttpMethod method, http::request<http::string_body>&& message,
                       const PeerIdentity& identity) {
    HttpRequest request;
    request.method = method;
    request.target = std::string{message.target()};
    for (const auto& field : message) {
        const auto key = field.name_string();
        const auto value = field.value();
        request.headers.set({key.data(), key.size()}, {value.data(), value.size()});
    }
    request.body = std::move(message.body());
    request.identity = identity;
    return request;
}

http::response<http::string_body> message_of(HttpResponse&& response, unsigned version,
                                             bool keep_alive) {
    http::response<http::string_body> message{http::int_to_status(response.status), version};
    if (message.result() == http::status::unknown) message.result(response.status);
    for (const auto& [key, value] : response.headers.all()) message.insert(key, value);
    message.body() = std::move(response.body);
    message.keep_alive(keep_alive);
    message.prepare_payload();
    return message;
}

/// What is wrong with a request that cannot be read, and what the client hears; status 0: nothing.
struct ReadFault {
    ServerEventKind kind;
    unsigned status;
    const char* error;
    const char* text;
};
ReadFault fault_of(const error_code& error) {
    if (error == boost::beast::error::timeout) {
        return {ServerEventKind::request_timeout, 0, "", "the request did not come in time"};
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return {ServerEventKind::header_too_large, 431, "header_too_large",
                "the request's header is larger than this server reads"};
    }
    if (error == http::error::body_limit) {
        return {ServerEventKind::body_too_large, 413, "body_too_large",
                "the request's body is larger than this server reads"};
    }
    if (error == http::error::partial_message ||
        error.category() == asio::error::get_system_category() || error == asio::error::eof) {
        return {ServerEventKind::connection_broken, 0, "", "the connection ended in the request"};
    }
    return {ServerEventKind::request_malformed, 400, "request_malformed",
            "what came is not an HTTP/1.1 request"};
}

struct Stopper {  // one live connection, as stop() sees it
    TlsStream* stream;
    bool in_handler = false;
};

}  // namespace

const char* name(ServerEventKind kind) {
    switch (kind) {
        case ServerEventKind::connection_limit: return "connection_limit";
        case ServerEventKind::handshake_refused: return "handshake_refused";
        case ServerEventKind::header_too_large: return "header_too_large";
        case ServerEventKind::body_too_large: return "body_too_large";
        case ServerEventKind::request_malformed: return "request_malformed";
        case ServerEventKind::method_unknown: return "method_unknown";
        case ServerEventKind::request_timeout: return "request_timeout";
        case ServerEventKind::response_timeout: return "response_timeout";
        case ServerEventKind::connection_broken: return "connection_broken";
        case ServerEventKind::handler_threw: return "handler_threw";
        case ServerEventKind::accept_failed: return "accept_failed";
    }
    return "unknown";
}

struct HttpServer::State {
    State(const HttpServerOptions& options_, TlsContext context_, HttpHandler handler_,
          ServerObserver observer_)
        : limits{options_.limits},
          context{std::move(context_)},
          handler{std::move(handler_)},
          observer{std::move(observer_)},
          workers{std::max(options_.worker_count, 1U)} {}

    void report(ServerEventKind kind, const std::string& peer, std::string detail,
                TlsRefusal refusal = TlsRefusal::none) {
        if (!observer) return;
        const std::lock_guard lock{observer_mutex};
        observer(ServerEvent{kind, refusal, peer, std::move(detail)});
    }

    asio::awaitable<void> accept_loop();
    asio::awaitable<void> connection(tcp::socket socket);
    asio::awaitable<void> serve(TlsStream& stream, Stopper& stopper, const std::string& peer);
    asio::awaitable<bool> serve_one(TlsStream& stream, boost::beast::flat_buffer& buffer,
                                    Stopper& stopper, const std::string& peer);
    asio::awaitable<bool> read_request(TlsStream& stream, boost::beast::flat_buffer& buffer,
                                       Parser& parser, const std::string& peer);
    HttpResponse guarded(const HttpRequest& request, const std::string& peer);
    asio::awaitable<HttpResponse> run_handler(const HttpRequest& request, const std::string& peer);
    asio::awaitable<bool> respond(TlsStream& stream, HttpResponse response, unsigned version,
                                  bool keep_alive, std::chrono::milliseconds limit,
                                  const std::string& peer);

    HttpServerLimits limits;
    TlsContext context;
    HttpHandler handler;
    ServerObserver observer;
    std::mutex observer_mutex;
    asio::io_context io{1};
    tcp::acceptor acceptor{io};
    std::list<Stopper> live;  // the network thread's own
    std::atomic<std::size_t> live_count{0};
    bool stopping = false;  // the network thread's own
    asio::thread_pool workers;
    std::thread network;
};

asio::awaitable<void> HttpServer::State::accept_loop() {
    while (!stopping) {
        error_code error;
        tcp::socket socket = co_await acceptor.async_accept(into(error));
        if (stopping) co_return;
        if (error) {
            report(ServerEventKind::accept_failed, "", error.message());
            asio::steady_timer pause{io, std::chrono::milliseconds{100}};
            co_await pause.async_wait(into(error));
            continue;
        }
        if (live.size() >= limits.connection_count_max) {
            const tcp::endpoint peer = socket.remote_endpoint(error);
            report(ServerEventKind::connection_limit, text_of(peer), "closed");
            socket.close(error);
            continue;
        }
        asio::co_spawn(io, connection(std::move(socket)), asio::detached);
    }
}

asio::awaitable<void> HttpServer::State::connection(tcp::socket socket) {
    error_code error;
    const std::string peer = text_of(socket.remote_endpoint(error));
    socket.set_option(tcp::no_delay{true}, error);
    TlsStream stream{boost::beast::tcp_stream{std::move(socket)}, context};
    const auto self = live.insert(live.end(), Stopper{&stream});
    live_count = live.size();
    try {  // out of memory, or a bug: costs this connection, not the server
        co_await serve(stream, *self, peer);
    } catch (const std::exception& problem) {
        report(ServerEventKind::connection_broken, peer, problem.what());
    }
    live.erase(self);
    live_count = live.size();
}

asio::awaitable<void> HttpServer::State::serve(TlsStream& stream, Stopper& stopper,
                                               const std::string& peer) {
    stream.next_layer().expires_after(limits.handshake_timeout);
    const TlsRefusal refusal = co_await stream.handshake();
    if (refusal != TlsRefusal::none) {
        if (!stopping) {
            report(ServerEventKind::handshake_refused, peer, stream.engine().error_text(), refusal);
        }
        stream.next_layer().expires_after(goodbye_time);
        co_await stream.linger();
        co_return;
    }
    boost::beast::flat_buffer buffer{limits.header_size_max + 64 * 1024};
    while (!stopping && co_await serve_one(stream, buffer, stopper, peer)) {
    }
    stream.next_layer().expires_after(goodbye_time);
    co_await stream.shutdown();
}

/// True: the connection may carry another request.
asio::awaitable<bool> HttpServer::State::serve_one(TlsStream& stream,
                                                   boost::beast::flat_buffer& buffer,
                                                   Stopper& stopper, const std::string& peer) {
    if (buffer.size() == 0) {  // idle: silence is no offence here
        stream.next_layer().expires_after(limits.idle_timeout);
        error_code error;
        const std::size_t size = co_await stream.async_read_some(buffer.prepare(4096), into(error));
        if (error) co_return false;
        buffer.commit(size);
    }
    // The client asks again on a new connection, where it is judged by the lists of now.
    if (stream.engine().lists_changed()) co_return false;
    stream.next_layer().expires_after(limits.request_timeout);
    Parser parser;
    if (!co_await read_request(stream, buffer, parser, peer)) co_return false;
    const unsigned version = parser.get().version();
    const bool keep_alive = parser.get().keep_alive();
    const auto method = method_of(parser.get().method());
    if (!method || !parser.get().target().starts_with('/')) {
        report(ServerEventKind::method_unknown, peer, std::string{parser.get().method_string()});
        co_return co_await respond(
            stream,
            HttpResponse::refusal(405, "method_unknown", "GET, POST, PUT or DELETE of a path"),
            version, keep_alive, limits.response_timeout, peer);
    }
    stream.next_layer().expires_never();
    stopper.in_handler = true;
    HttpResponse response =
        co_await run_handler(request_of(*method, parser.release(), stream.engine().peer()), peer);
    stopper.in_handler = false;
    const auto limit = stopping ? goodbye_time : limits.response_timeout;
    co_return co_await respond(stream, std::move(response), version, keep_alive && !stopping, limit,
                               peer);
}

/// False: it could not be read; the client has been told, if it can be.
asio::awaitable<bool> HttpServer::State::read_request(TlsStream& stream,
                                                      boost::beast::flat_buffer& buffer,
                                                      Parser& parser, const std::string& peer) {
    parser.header_limit(static_cast<std::uint32_t>(limits.header_size_max));
    parser.body_limit(limits.body_size_max);
    error_code error;
    co_await http::async_read_header(stream, buffer, parser, into(error));
    if (!error && boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        // RFC 9110, 10.1.1: the client waits for this before it sends the body.
        http::response<http::empty_body> go_on{http::status::continue_, 11};
        co_await http::async_write(stream, go_on, into(error));
    }
    if (!error) co_await http::async_read(stream, buffer, parser, into(error));
    if (!error) co_return true;
    if (stopping) co_return false;
    const ReadFault fault = fault_of(error);
    report(fault.kind, peer, error.message());
    if (fault.status != 0) {
        co_await respond(stream, HttpResponse::refusal(fault.status, fault.error, fault.text), 11,
                         false, goodbye_time, peer);
    }
    co_return false;
}

/// On a worker's thread.
HttpResponse HttpServer::State::guarded(const HttpRequest& request, const std::string& peer) {
    std::string problem = "not a std::exception";
    try {
        return handler(request);
    } catch (const std::exception& thrown) {
        problem = thrown.what();
    } catch (...) {
    }
    report(ServerEventKind::handler_threw, peer, problem);
    return HttpResponse::refusal(500, "internal_error", "the server's log has the reason");
}

/// Suspends on the network thread, computes on a worker, resumes on the network thread.
asio::awaitable<HttpResponse> HttpServer::State::run_handler(const HttpRequest& request,
                                                             const std::string& peer) {
    HttpResponse response;
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [&](auto resume) {
            asio::post(workers, [this, &request, &peer, &response, resume = std::move(resume),
                                 busy = asio::make_work_guard(io)]() mutable {
                response = guarded(request, peer);
                asio::post(io, std::move(resume));
            });
        },
        asio::use_awaitable);
    co_return response;
}

/// True: sent, and the connection stays.
asio::awaitable<bool> HttpServer::State::respond(TlsStream& stream, HttpResponse response,
                                                 unsigned version, bool keep_alive,
                                                 std::chrono::milliseconds limit,
                                                 const std::string& peer) {
    auto message = message_of(std::move(response), version, keep_alive);
    stream.next_layer().expires_after(limit);
    error_code error;
    co_await http::async_write(stream, message, into(error));
    if (!error) co_return keep_alive;
    report(error == boost::beast::error::timeout ? ServerEventKind::response_timeout
                                                 : ServerEventKind::connection_broken,
           peer, error.message());
    co_return false;
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_{std::move(state)} {}
HttpServer::~HttpServer() {
    stop();
}

std::expected<std::unique_ptr<HttpServer>, NetFailure> HttpServer::start(
    const HttpServerOptions& options, TlsContext context, HttpHandler handler,
    ServerObserver observer) {
    auto state = std::make_unique<State>(options, std::move(context), std::move(handler),
                                         std::move(observer));
    error_code error;
    const auto failed = [&](NetError kind) {
        return std::unexpected{NetFailure{
            kind, options.address + ":" + std::to_string(options.port) + ": " + error.message()}};
    };
    const asio::ip::address address = asio::ip::make_address(options.address, error);
    if (error) return failed(NetError::name_unresolved);
    const tcp::endpoint endpoint{address, options.port};
    state->acceptor.open(endpoint.protocol(), error);
    if (!error) state->acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
    if (!error) state->acceptor.bind(endpoint, error);
    if (!error) state->acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return failed(NetError::refused);
    asio::co_spawn(state->io, state->accept_loop(), asio::detached);
    State* running = state.get();
    state->network = std::thread{[running] { running->io.run(); }};
    return std::unique_ptr<HttpServer>{new HttpServer{std::move(state)}};
}

std::uint16_t HttpServer::port() const {
    error_code error;
    return state_->acceptor.local_endpoint(error).port();
}

std::size_t HttpServer::connection_count() const {
    return state_->live_count;
}

void HttpServer::stop() {
    if (!state_->network.joinable()) return;
    asio::post(state_->io, [state = state_.get()] {
        state->stopping = true;
        error_code ignored;
        state->acceptor.close(ignored);
        for (const Stopper& connection : state->live) {
            if (!connection.in_handler) connection.stream->next_layer().close();
        }
    });
    state_->network.join();  // run() returns when the last connection has ended
    state_->workers.join();
}

}  // namespace platform
