// The HTTPS server and client against each other, and the server against people who mean no good:
// docs/platform.md, "HTTP".
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/http_client.hpp"
#include "platform/http_server.hpp"
#include "platform/tls_engine.hpp"
#include "tests/platform/test_pki.hpp"

using platform::HttpClient;
using platform::HttpMethod;
using platform::HttpRequest;
using platform::HttpResponse;
using platform::HttpServer;
using platform::NetError;
using platform::ServerEventKind;
using platform::TlsContext;
using platform::TlsRefusal;
using platform_test::City;
using platform_test::make_context;
using platform_test::make_unit;
using platform_test::terminal_subject;
using namespace std::literals;

namespace {

class Events {
public:
    void add(const platform::ServerEvent& event) {
        const std::lock_guard lock{mutex_};
        seen_.push_back(event);
        changed_.notify_all();
    }
    /// Waits for it; a test that waits in vain fails, it does not hang.
    [[nodiscard]] bool saw(ServerEventKind kind, TlsRefusal refusal = TlsRefusal::none) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, 20s, [&] {
            return std::ranges::any_of(seen_, [&](const auto& event) {
                return event.kind == kind && event.refusal == refusal;
            });
        });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<platform::ServerEvent> seen_;
};

std::atomic<int> slow_entered{0};

HttpResponse answer(const HttpRequest& request) {
    if (request.target == "/throw") throw std::runtime_error{"a bug"};
    if (request.target == "/slow") {
        ++slow_entered;
        std::this_thread::sleep_for(300ms);
    }
    if (request.target == "/large") return HttpResponse{200, {}, std::string(300'000, 'x')};
    HttpResponse response{200,
                          {},
                          request.identity.unit + " " + name(request.method) + " " +
                              request.target + " " + std::to_string(request.body.size())};
    response.headers.set("X-Echo", request.headers.get("x-say"));
    return response;
}

struct Fixture {
    City city;
    Events events;
    std::unique_ptr<HttpServer> server;

    explicit Fixture(platform::HttpServerLimits limits = {}) {
        platform::HttpServerOptions options;
        options.limits = limits;
        server = HttpServer::start(options, city.host, answer, [this](const auto& event) {
                     events.add(event);
                 }).value();
    }
    [[nodiscard]] platform::HttpClientOptions to_server() const {
        platform::HttpClientOptions options;
        options.host = "127.0.0.1";
        options.port = server->port();
        options.peer_organisation = "3100";
        return options;
    }
    [[nodiscard]] HttpClient client() const { return {to_server(), city.terminal}; }
    [[nodiscard]] HttpClient client(const platform::TlsMaterial& material) const {
        return {to_server(), make_context(TlsContext::Side::client, material)};
    }
    /// The server still works after what was done to it.
    void still_serves() const {
        HttpClient good = client();
        const auto response = good.call({HttpMethod::get, "/", {}, "", {}});
        REQUIRE(response.has_value());
        CHECK(response->status == 200);
    }
};

/// A client without manners.
class RawSocket {
public:
    explicit RawSocket(std::uint16_t port) : socket_{::socket(AF_INET, SOCK_STREAM, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
    }
    ~RawSocket() { ::close(socket_); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;
    void send(protocol::Bytes bytes) const {
        (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    /// 0: the other side closed.
    [[nodiscard]] std::vector<std::uint8_t> receive() const {
        std::vector<std::uint8_t> bytes(32 * 1024);
        const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
        bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return bytes;
    }
    void wait_for_close() const {
        while (!receive().empty()) {
        }
    }

private:
    int socket_;
};

/// A client with a good certificate and bad HTTP.
class RawTls {
public:
    RawTls(const RawSocket& socket, const TlsContext& context) : socket_{socket}, engine_{context} {
        while (engine_.handshake() == platform::TlsEngine::Progress::need_input) exchange();
        flush();
    }
    void send(std::string_view text) {
        while (!text.empty()) {
            std::size_t count = 0;
            REQUIRE(engine_.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
                                  count) == platform::TlsEngine::Progress::done);
            flush();
            text.remove_prefix(count);
        }
    }
    /// What the server says until it closes.
    [[nodiscard]] std::string receive_all() {
        std::string text;
        for (;;) {
            std::array<std::uint8_t, 4096> part{};
            std::size_t count = 0;
            const auto progress = engine_.read(part, count);
            text.append(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count));
            if (progress == platform::TlsEngine::Progress::need_input) {
                const auto bytes = socket_.receive();
                if (bytes.empty()) return text;
                engine_.input(bytes);
            } else if (progress != platform::TlsEngine::Progress::done) {
                return text;
            }
        }
    }

private:
    void flush() {
        socket_.send(engine_.output());
        engine_.output_sent();
    }
    void exchange() {
        flush();
        engine_.input(socket_.receive());
    }
    const RawSocket& socket_;
    platform::TlsEngine engine_;
};

}  // namespace

TEST_CASE("HTTP: a request arrives with its body, its headers and its sender's identity") {
    const Fixture fixture;
    HttpClient client = fixture.client();
    HttpRequest request{HttpMethod::post, "/v1/batches?x=1", {}, std::string(200'000, 'b'), {}};
    request.headers.set("X-Say", "hello");
    for (int i = 0; i < 3; ++i) {  // the connection is used again
        const auto response = client.call(request);
        REQUIRE(response.has_value());
        CHECK(response->status == 200);
        CHECK(response->body == "0000000031000101 POST /v1/batches?x=1 200000");
        CHECK(response->headers.get("x-echo") == "hello");
    }
    CHECK(fixture.server->connection_count() == 1);
}

TEST_CASE("HTTP: what a client cannot reach has a name") {
    const City city;
    platform::HttpClientOptions options;
    options.host = "127.0.0.1";
    options.port = 1;  // nobody listens there
    HttpClient nobody{options, city.terminal};
    const auto response = nobody.call({HttpMethod::get, "/", {}, "", {}});
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().error == NetError::refused);
    CHECK(response.error().detail.starts_with("127.0.0.1:1: "));

    options.host = "no-such-host.invalid";  // RFC 6761, 6.4
    HttpClient unnamed{options, city.terminal};
    CHECK(unnamed.call({HttpMethod::get, "/", {}, "", {}}).error().error ==
          NetError::name_unresolved);
}

TEST_CASE("HTTP: a client that the server does not trust is refused and told") {
    Fixture fixture;
    const City foreign;
    auto material = make_unit(foreign.root, foreign.authority, terminal_subject);
    material.trusted_pem = fixture.city.root.certificate;
    HttpClient client = fixture.client(material);
    const auto response = client.call({HttpMethod::get, "/", {}, "", {}});
    REQUIRE_FALSE(response.has_value());
    CHECK(response.error().error == NetError::tls_rejected);
    CHECK(
        fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::certificate_untrusted));
    fixture.still_serves();
}

TEST_CASE("HTTP: an expired client is refused and told") {
    Fixture fixture;
    HttpClient client = fixture.client(
        make_unit(fixture.city.root, fixture.city.authority, terminal_subject, {-9, -2}));
    CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).error().error == NetError::tls_rejected);
    CHECK(fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::certificate_expired));
    fixture.still_serves();
}

TEST_CASE("HTTP: a server that the client does not trust, or did not mean, is not spoken to") {
    const Fixture fixture;
    SUBCASE("foreign") {
        const City foreign;
        HttpClient client{fixture.to_server(), foreign.terminal};
        CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).error().error ==
              NetError::tls_untrusted);
    }
    SUBCASE("another city's") {
        auto options = fixture.to_server();
        options.peer_organisation = "4401";
        HttpClient client{options, fixture.city.terminal};
        CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).error().error ==
              NetError::wrong_peer);
    }
    SUBCASE("another role") {
        auto options = fixture.to_server();
        options.peer_role = platform::PeerRole::issuer;
        HttpClient client{options, fixture.city.terminal};
        CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).error().error ==
              NetError::wrong_peer);
    }
}

TEST_CASE("HTTP: garbage instead of TLS costs one connection") {
    Fixture fixture;
    const RawSocket socket{fixture.server->port()};
    const std::string_view text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    socket.send({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    socket.wait_for_close();
    CHECK(fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::not_tls));
    fixture.still_serves();
}

TEST_CASE("HTTP: half a handshake, then silence, ends at the deadline") {
    platform::HttpServerLimits limits;
    limits.handshake_timeout = 200ms;
    Fixture fixture{limits};
    platform::TlsEngine engine{fixture.city.terminal};
    (void)engine.handshake();
    const RawSocket silent{fixture.server->port()};
    silent.send(engine.output().first(20));
    silent.wait_for_close();
    CHECK(fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::timeout));
    fixture.still_serves();
}

TEST_CASE("HTTP: half a handshake, then gone") {
    Fixture fixture;
    platform::TlsEngine engine{fixture.city.terminal};
    (void)engine.handshake();
    {
        const RawSocket gone{fixture.server->port()};
        gone.send(engine.output().first(20));
    }
    CHECK(fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::closed));
    fixture.still_serves();
}

TEST_CASE("HTTP: a header above the limit is answered 431") {
    Fixture fixture;
    const RawSocket socket{fixture.server->port()};
    RawTls client{socket, fixture.city.terminal};
    client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(20'000, 'a') + "\r\n\r\n");
    CHECK(client.receive_all().starts_with("HTTP/1.1 431 "));
    CHECK(fixture.events.saw(ServerEventKind::header_too_large));
    fixture.still_serves();
}

TEST_CASE("HTTP: a body above the limit is answered 413, announced or chunked") {
    platform::HttpServerLimits limits;
    limits.body_size_max = 1000;
    Fixture fixture{limits};
    SUBCASE("announced") {
        HttpClient client = fixture.client();
        const auto response =
            client.call({HttpMethod::post, "/", {}, std::string(500'000, 'b'), {}});
        REQUIRE(response.has_value());
        CHECK(response->status == 413);
        CHECK(response->body.find("body_too_large") != std::string::npos);
    }
    SUBCASE("chunked") {
        const RawSocket socket{fixture.server->port()};
        RawTls client{socket, fixture.city.terminal};
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send("7D0\r\n" + std::string(2000, 'b') + "\r\n0\r\n\r\n");
        CHECK(client.receive_all().starts_with("HTTP/1.1 413 "));
    }
    CHECK(fixture.events.saw(ServerEventKind::body_too_large));
    fixture.still_serves();
}

TEST_CASE("HTTP: requests that are none are answered 400 (RFC 9112, 2.2 and 6.3)") {
    Fixture fixture;
    for (const std::string_view text : {
             "this is not HTTP\r\n\r\n",
             "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
             "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
             "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
             "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
             "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n",
         }) {
        const RawSocket socket{fixture.server->port()};
        RawTls client{socket, fixture.city.terminal};
        client.send(text);
        const std::string response = client.receive_all();
        CHECK_MESSAGE(response.starts_with("HTTP/1.1 400 "), text, " -> ", response);
    }
    CHECK(fixture.events.saw(ServerEventKind::request_malformed));
    fixture.still_serves();
}

TEST_CASE("HTTP: an unknown method is answered 405") {
    Fixture fixture;
    const RawSocket socket{fixture.server->port()};
    RawTls client{socket, fixture.city.terminal};
    client.send("TRACE / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(client.receive_all().starts_with("HTTP/1.1 405 "));
    CHECK(fixture.events.saw(ServerEventKind::method_unknown));
}

TEST_CASE("HTTP: one byte at a time ends at the deadline, others are served meanwhile") {
    platform::HttpServerLimits limits;
    limits.request_timeout = 500ms;
    Fixture fixture{limits};
    const RawSocket socket{fixture.server->port()};
    RawTls slow{socket, fixture.city.terminal};
    for (int i = 0; i < 8; ++i) {
        slow.send("G");
        fixture.still_serves();
        std::this_thread::sleep_for(100ms);
    }
    CHECK(fixture.events.saw(ServerEventKind::request_timeout));
}

TEST_CASE("HTTP: idle connections are closed without a word") {
    platform::HttpServerLimits limits;
    limits.idle_timeout = 200ms;
    const Fixture fixture{limits};
    const RawSocket socket{fixture.server->port()};
    RawTls idle{socket, fixture.city.terminal};
    CHECK(idle.receive_all().empty());
}

TEST_CASE("HTTP: a kept connection that the server closed is made anew") {
    platform::HttpServerLimits limits;
    limits.idle_timeout = 100ms;
    const Fixture fixture{limits};
    HttpClient client = fixture.client();
    REQUIRE(client.call({HttpMethod::get, "/", {}, "", {}}).has_value());
    while (fixture.server->connection_count() > 0) std::this_thread::sleep_for(20ms);
    CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).has_value());
}

TEST_CASE("HTTP: a revocation reaches a connection that stands, at its next request") {
    Fixture fixture;
    auto material =
        make_unit(fixture.city.root, fixture.city.authority, platform_test::terminal_subject);
    HttpClient revoked = fixture.client(material);
    HttpClient other = fixture.client();
    const HttpRequest request{HttpMethod::get, "/", {}, "", {}};
    REQUIRE(revoked.call(request).has_value());
    REQUIRE(other.call(request).has_value());
    REQUIRE(fixture.city.host.reload_revoked(
        platform_test::revoke(fixture.city.authority, {material.certificate_pem})));
    const auto answer = revoked.call(request);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error == NetError::tls_rejected);
    CHECK(fixture.events.saw(ServerEventKind::handshake_refused, TlsRefusal::certificate_revoked));
    CHECK(other.call(request).has_value());  // on a new connection, without the caller's knowing
}

TEST_CASE("HTTP: a client with new lists leaves a revoked server that it was talking to") {
    Fixture fixture;
    const auto host =
        make_unit(fixture.city.root, fixture.city.authority, platform_test::host_subject);
    auto server = HttpServer::start({}, make_context(TlsContext::Side::server, host), answer);
    REQUIRE(server.has_value());
    auto options = fixture.to_server();
    options.port = (*server)->port();
    HttpClient client{options, fixture.city.terminal};
    const HttpRequest request{HttpMethod::get, "/", {}, "", {}};
    REQUIRE(client.call(request).has_value());
    REQUIRE(fixture.city.terminal.reload_revoked(
        platform_test::revoke(fixture.city.authority, {host.certificate_pem})));
    const auto answered = client.call(request);
    REQUIRE_FALSE(answered.has_value());
    CHECK(answered.error().error == NetError::tls_untrusted);
    CHECK(answered.error().detail.find("certificate_revoked") != std::string::npos);
}

TEST_CASE("HTTP: one connection too many is closed, the others live") {
    platform::HttpServerLimits limits;
    limits.connection_count_max = 2;
    Fixture fixture{limits};
    HttpClient first = fixture.client();
    HttpClient second = fixture.client();
    HttpClient third = fixture.client();
    const HttpRequest request{HttpMethod::get, "/", {}, "", {}};
    REQUIRE(first.call(request).has_value());
    REQUIRE(second.call(request).has_value());
    CHECK_FALSE(third.call(request).has_value());
    CHECK(fixture.events.saw(ServerEventKind::connection_limit));
    CHECK(first.call(request).has_value());
    first.close();
    while (fixture.server->connection_count() > 1) std::this_thread::sleep_for(10ms);
    CHECK(third.call(request).has_value());
}

TEST_CASE("HTTP: a handler that throws is answered 500, its text is not shown") {
    Fixture fixture;
    HttpClient client = fixture.client();
    const auto response = client.call({HttpMethod::get, "/throw", {}, "", {}});
    REQUIRE(response.has_value());
    CHECK(response->status == 500);
    CHECK(response->body.find("a bug") == std::string::npos);
    CHECK(fixture.events.saw(ServerEventKind::handler_threw));
    fixture.still_serves();
}

TEST_CASE("HTTP: a client's own limits") {
    const Fixture fixture;
    auto options = fixture.to_server();
    SUBCASE("an answer above its size") {
        options.response_size_max = 1000;
        HttpClient client{options, fixture.city.terminal};
        CHECK(client.call({HttpMethod::get, "/large", {}, "", {}}).error().error ==
              NetError::too_large);
    }
    SUBCASE("an answer after its deadline") {
        options.call_timeout = 50ms;
        HttpClient client{options, fixture.city.terminal};
        CHECK(client.call({HttpMethod::get, "/slow", {}, "", {}}).error().error ==
              NetError::timeout);
        CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).error().error == NetError::timeout);
        std::this_thread::sleep_for(400ms);  // the one worker is free again
        CHECK(client.call({HttpMethod::get, "/", {}, "", {}}).has_value());
    }
    SUBCASE("cancelled from another thread") {
        HttpClient client{options, fixture.city.terminal};
        std::thread canceller{[&] {
            std::this_thread::sleep_for(100ms);
            client.cancel();
        }};
        const auto response = client.call({HttpMethod::get, "/slow", {}, "", {}});
        canceller.join();
        REQUIRE_FALSE(response.has_value());
        CHECK(response.error().error == NetError::cancelled);
    }
}

TEST_CASE("HTTP: a server that stops finishes what it is doing") {
    Fixture fixture;
    std::optional<std::expected<HttpResponse, platform::NetFailure>> response;
    const int before = slow_entered;
    std::thread caller{[&] {
        HttpClient client = fixture.client();
        response = client.call({HttpMethod::get, "/slow", {}, "", {}});
    }};
    while (slow_entered == before) std::this_thread::sleep_for(5ms);
    fixture.server->stop();
    caller.join();
    REQUIRE(response.has_value());
    REQUIRE(response->has_value());
    CHECK((*response)->status == 200);
}

TEST_CASE("HTTP: a port that is taken is refused") {
    const Fixture fixture;
    platform::HttpServerOptions options;
    options.port = fixture.server->port();
    const auto second = HttpServer::start(options, fixture.city.host, answer);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().error == NetError::refused);
    options.address = "not an address";
    CHECK_FALSE(HttpServer::start(options, fixture.city.host, answer).has_value());
}

TEST_CASE("HTTP: targets are taken apart") {
    using platform::path_segments;
    using platform::query_value;
    CHECK(path_segments("/v1/batches/00FF/7?x=1") ==
          std::vector<std::string_view>{"v1", "batches", "00FF", "7"});
    CHECK(path_segments("/") == std::vector<std::string_view>{""});
    CHECK(path_segments("") == std::vector<std::string_view>{});
    CHECK(path_segments("//") == std::vector<std::string_view>{"", ""});
    CHECK(query_value("/a?x=1&y=22&z", "y") == "22");
    CHECK(query_value("/a?x=1", "y") == "");
    CHECK(query_value("/a?x", "x") == "");
    CHECK(query_value("/a", "x") == "");
}
