// onecard-host serve as a process, on its real TLS listener, with keys that onecard-keys founded:
// who is refused at the door and in the log, and what a SIGKILL may not take. docs/host.md, H1-H3;
// docs/online_messages.md, "Who is speaking"; docs/platform.md, "HTTP".
#include <atomic>
#include <thread>

#include <arpa/inet.h>
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/core/sm3.hpp"
#include "crypto/random/system_random.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"
#include "tests/host/support/processes.hpp"

using namespace host_test;
using namespace std::literals;
using platform::HttpClient;
using platform::HttpMethod;
using platform::HttpRequest;
using platform::NetError;

namespace {

crypto::SystemRandom& test_random() {
    static crypto::SystemRandom random = crypto::SystemRandom::open().value();
    return random;
}

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "onecard-serve-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
};

platform::TlsContext client_context(const platform::TlsMaterial& material) {
    return platform::TlsContext::make(platform::TlsContext::Side::client, material, test_random())
        .value();
}

HttpRequest post(std::string target, Bytes body) {
    HttpRequest out;
    out.method = HttpMethod::post;
    out.target = std::move(target);
    out.body.assign(body.begin(), body.end());
    return out;
}
HttpRequest get(std::string target) {
    HttpRequest out;
    out.target = std::move(target);
    return out;
}

/// A connection without manners.
class Socket {
public:
    explicit Socket(std::uint16_t port)
        : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
                0);
    }
    ~Socket() { ::close(socket_); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    void send(std::string_view bytes) const {
        (void)::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    void wait_for_close() const {
        std::array<char, 4096> part{};
        while (::recv(socket_, part.data(), part.size(), 0) > 0) {
        }
    }

private:
    int socket_;
};

/// One city with a running host and a registered gate.
struct OneHost {
    Directory directory;
    Nation nation{directory.path / "nation-a"};
    TestDevice gate{1, operator_id(3101), CityCode{0x3100}};
    std::unique_ptr<HostProcess> host;
    platform::TlsMaterial gate_material;

    OneHost() {
        nation.found_city(3100);
        nation.deploy_host(3100);
        gate_material = material_of(nation.deploy_terminal(gate));
        host = std::make_unique<HostProcess>(nation, std::uint16_t{3100});
        host->configure({});
        host->register_device(gate);
        host->start();
    }
    /// The host has lived through what was done to it, and serves the gate.
    void still_serves() {
        CHECK(host->runs());
        HttpClient good{host->address(), client_context(gate_material)};
        const auto answer = good.call(get("/v1/unresolved"));
        REQUIRE(answer.has_value());
        CHECK(answer->status == 200);
        CHECK(answer->body == "[]");
    }
};

}  // namespace

TEST_CASE("serve: strangers are refused and logged, and the gate is served all the while") {
    OneHost scene;
    HostProcess& host = *scene.host;
    // Slow ones first: their deadline comes while the others try.
    const Socket silent{host.port()};
    const Socket slow{host.port()};
    slow.send("\x16\x03\x01");  // the beginning of a TLS record, and no more
    scene.still_serves();

    SUBCASE("no certificate") {
        // OpenSSL's client: ours would not even start without one.
        (void)run_program({"/bin/sh", "-c",
                           fmt::format("openssl s_client -connect 127.0.0.1:{} -tls1_2 </dev/null "
                                       ">/dev/null 2>&1 || true",
                                       host.port())});
        CHECK(host.logs({"handshake_refused", "refusal=certificate_missing"}));
    }
    SUBCASE("the same names under another nation's root") {
        const Nation foreign{scene.directory.path / "nation-b", 2};
        foreign.found_city(3100);
        auto material = material_of(foreign.deploy_terminal(scene.gate));
        material.trusted_pem = scene.gate_material.trusted_pem;  // it trusts us
        HttpClient stranger{host.address(), client_context(material)};
        const auto answer = stranger.call(get("/v1/unresolved"));
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().error == NetError::tls_rejected);
        CHECK(host.logs({"handshake_refused", "refusal=certificate_untrusted"}));
    }
    SUBCASE("bytes that are no TLS") {
        std::string noise(100'000, '\0');
        crypto::SeededRandom{7, "noise"}.fill(
            {reinterpret_cast<std::uint8_t*>(noise.data()), noise.size()});
        noise[0] = '\x42';
        for (const std::string& bytes :
             {noise, std::string{"POST /v1/batches HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"}}) {
            const Socket garbage{host.port()};
            garbage.send(bytes);
            garbage.wait_for_close();
        }
        CHECK(host.logs({"handshake_refused", "refusal=not_tls"}));
    }
    SUBCASE("a right certificate of a role that may not call this") {
        HttpClient desk{host.address(),
                        client_context(material_of(scene.nation.deploy_desk(3100)))};
        const auto answer = desk.call(post("/v1/batches", {}));
        REQUIRE(answer.has_value());
        CHECK(answer->status == 403);
        CHECK(host.logs({"request_refused", "role=desk", "role_not_allowed"}));
    }
    SUBCASE("a right certificate and bytes that are no batch") {
        HttpClient gate{host.address(), client_context(scene.gate_material)};
        std::vector<std::uint8_t> noise(5'000);
        crypto::SeededRandom{8, "noise"}.fill(noise);
        const auto answer = gate.call(post("/v1/batches", noise));
        REQUIRE(answer.has_value());
        CHECK(answer->status == 400);
        CHECK(host.logs({"request_refused", "batch_malformed", "organisation=0000000000003101"}));
    }
    SUBCASE("too slow a handshake ends at the deadline") {
        silent.wait_for_close();
        slow.wait_for_close();
        CHECK(host.logs({"handshake_refused", "refusal=timeout"}));
    }
    scene.still_serves();
    host.stop();
}

TEST_CASE(
    "serve: a revoked gate is cut off while the host runs, and a broken list changes nothing") {
    OneHost scene;
    const auto lists = scene.nation.at("host-3100") / platform::revoked_file_name;
    HttpClient gate{scene.host->address(), client_context(scene.gate_material)};
    REQUIRE(gate.call(get("/v1/unresolved")).has_value());
    const auto publish = [&](const std::string& text) {
        REQUIRE(platform::replace_file(lists, std::string_view{text}));
    };
    publish(revocation_list(scene.nation, 3100, 1, {}));
    CHECK(gate.call(get("/v1/unresolved")).has_value());
    CHECK(scene.host->logs({"revocation_loaded", "lists=1", "entries=0"}));

    publish(revocation_list(scene.nation, 3100, 2, {scene.gate_material.certificate_pem}));
    const auto answer = gate.call(get("/v1/unresolved"));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().error == NetError::tls_rejected);
    CHECK(scene.host->logs({"handshake_refused", "refusal=certificate_revoked"}));

    publish("half a fi");
    CHECK_FALSE(gate.call(get("/v1/unresolved")).has_value());
    CHECK(scene.host->logs({"revocation_refused", "refusal=revocation_unreadable"}));

    publish(revocation_list(scene.nation, 3100, 1, {}));
    CHECK_FALSE(gate.call(get("/v1/unresolved")).has_value());
    CHECK(scene.host->logs({"revocation_refused", "refusal=revocation_rolled_back"}));

    publish(revocation_list(scene.nation, 3100, 3, {}));
    scene.still_serves();
    scene.host->stop();
}

namespace {

/// A gate that uploads batch after batch of one card's rides, each until it is acknowledged.
class Uploading {
public:
    Uploading(const TestDevice& gate, TestCard card, const HostProcess& host,
              platform::TlsMaterial material)
        : gate_{gate}, card_{std::move(card)}, client_{host.address(), client_context(material)} {}

    void start() {
        thread_ = std::thread{[this] {
            while (!stopping_) upload_one();
        }};
    }
    void finish() {
        stopping_ = true;
        thread_.join();
    }
    [[nodiscard]] std::size_t acknowledged() const { return acknowledged_; }

    /// The answer to a call, however often the host dies meanwhile.
    [[nodiscard]] platform::HttpResponse ask(const HttpRequest& request) {
        const auto until = std::chrono::steady_clock::now() + 120s;
        while (std::chrono::steady_clock::now() < until) {
            auto answer = client_.call(request);
            if (answer && answer->status < 500) return std::move(*answer);
            std::this_thread::sleep_for(5ms);
        }
        return {};
    }
    /// The batch of this number has exactly these outcomes when it is complete.
    [[nodiscard]] bool all_accepted(std::uint32_t sequence) {
        const auto target =
            fmt::format("/v1/batches/{}/{}/result", platform::to_hex(gate_.id.value()), sequence);
        for (int tries = 0; tries < 2'000; ++tries) {
            const auto value = boost::json::parse(ask(get(target)).body);
            if (!value.at("complete").as_bool()) {
                std::this_thread::sleep_for(10ms);
                continue;
            }
            const auto& records = value.at("records").as_array();
            return records.size() == rides_per_batch &&
                   std::ranges::all_of(records, [](const boost::json::value& record) {
                       return record.at("outcome").as_string() == "accepted";
                   });
        }
        return false;
    }

    static constexpr std::size_t rides_per_batch = 5;
    static constexpr std::uint32_t fare_fen = 3;
    /// By sequence - 1. Read after finish().
    std::vector<std::vector<std::uint8_t>> files;
    std::vector<std::string> receipts;

private:
    void upload_one() {
        std::vector<BatchRecord> rides;
        for (std::size_t i = 0; i < rides_per_batch; ++i) {
            rides.push_back(card_.debit(gate_.terminal, ++last_ride_, fare_fen, now()));
        }
        files.push_back(gate_.batch(rides, static_cast<std::uint32_t>(files.size() + 1)));
        receipts.push_back(ask(post("/v1/batches", files.back())).body);
        ++acknowledged_;
    }
    const TestDevice& gate_;
    TestCard card_;
    HttpClient client_;
    std::uint32_t last_ride_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::size_t> acknowledged_ = 0;
    std::thread thread_;
};

/// Two cities; a card of the first rides at home, another one in the second city.
struct TwoHosts {
    Directory directory;
    Nation nation{directory.path / "nation"};
    TestDevice gate_a{1, operator_id(3101), CityCode{0x3100}};
    TestDevice gate_b{2, operator_id(3201), CityCode{0x3200}};
    std::unique_ptr<HostProcess> a;
    std::unique_ptr<HostProcess> b;
    std::unique_ptr<host::Keys> keys;
    std::unique_ptr<Uploading> home;
    std::unique_ptr<Uploading> away;

    TwoHosts() {
        for (const std::uint16_t code : {std::uint16_t{3100}, std::uint16_t{3200}}) {
            nation.found_city(code);
            nation.deploy_host(code);
        }
        a = std::make_unique<HostProcess>(nation, std::uint16_t{3100});
        b = std::make_unique<HostProcess>(nation, std::uint16_t{3200});
        a->configure({b.get()});
        b->configure({a.get()});
        keys = keys_of(nation.at("host-3100"), CityCode{0x3100});
        home = uploading(gate_a, 1, *a);
        away = uploading(gate_b, 2, *b);
        a->start();
        b->start();
    }
    std::unique_ptr<Uploading> uploading(const TestDevice& gate, std::uint32_t number,
                                         HostProcess& at_city) {
        TestCard card{.number = card_number(number), .city = CityCode{0x3100}, .keys = keys.get()};
        card.balance = 100'000;
        a->register_card(card);
        at_city.register_device(gate);
        return std::make_unique<Uploading>(gate, card, at_city,
                                           material_of(nation.deploy_terminal(gate)));
    }
};

std::int64_t account(const HostProcess& host, std::string_view name) {
    const auto report = boost::json::parse(host.command({"report"}));
    const auto* found = report.at("accounts").as_object().if_contains(name);
    return found == nullptr ? 0 : found->at("balance_fen").to_number<std::int64_t>();
}

}  // namespace

TEST_CASE(
    "serve: killed with SIGKILL in uploads, forwarding and close, nothing is lost or doubled") {
    TwoHosts scene;
    crypto::SeededRandom random{2026, "kills"};
    scene.home->start();
    scene.away->start();
    constexpr int kills = 16;
    for (int i = 0; i < kills; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{random.below(120)});
        HostProcess& victim = random.below(2) == 0 ? *scene.a : *scene.b;
        CHECK(victim.runs());
        victim.kill();
        victim.start();
    }
    scene.home->finish();
    scene.away->finish();
    MESSAGE(scene.home->acknowledged(), " and ", scene.away->acknowledged(),
            " batches acknowledged over ", kills, " kills");

    // What was acknowledged is there, once, under its receipt.
    for (Uploading* const gate : {scene.home.get(), scene.away.get()}) {
        REQUIRE(gate->acknowledged() > 0);
        for (std::uint32_t i = 0; i < gate->files.size(); ++i) {
            CHECK(gate->receipts[i].find(platform::to_hex(crypto::sm3(gate->files[i]))) !=
                  std::string::npos);
            CHECK(gate->all_accepted(i + 1));
            CHECK(gate->ask(post("/v1/batches", gate->files[i])).body == gate->receipts[i]);
        }
    }
    const auto earned = [](const Uploading& gate) {
        return static_cast<std::int64_t>(gate.acknowledged() * Uploading::rides_per_batch *
                                         Uploading::fare_fen);
    };
    const std::int64_t at_home = earned(*scene.home);
    const std::int64_t abroad = earned(*scene.away);
    CHECK(account(*scene.a, "payable:operator/0000000000003101") == at_home);
    CHECK(account(*scene.a, "due_to:city/3200") == abroad);
    CHECK(account(*scene.a, "stored_value:city/3100") == -at_home - abroad);
    CHECK(account(*scene.b, "payable:operator/0000000000003201") == abroad);
    CHECK(account(*scene.b, "due_from:city/3100") == -abroad);

    // The day ends, in spite of kills in between.
    std::string date;
    for (HostProcess* const host : {scene.a.get(), scene.b.get()}) {
        const auto closed = boost::json::parse(host->command({"day", "close"}));
        date = closed.at("date").as_string();
        std::this_thread::sleep_for(std::chrono::milliseconds{random.below(40)});
        host->kill();
        host->start();
    }
    for (HostProcess* const host : {scene.a.get(), scene.b.get()}) {
        const auto day = boost::json::parse(
            host->command({"day", "net", "--date", date, "--wait", "60", "--settle"}));
        CHECK(day.at("state").as_string() == "settled");
        const auto& lines = day.at("settlement").as_array();
        const bool between = std::ranges::any_of(lines, [&](const boost::json::value& line) {
            return line.at("from").as_string() == "city/3100" &&
                   line.at("to").as_string() == "city/3200" &&
                   line.at("amount_fen").to_number<std::int64_t>() == abroad;
        });
        CHECK(between);
        (void)host->command({"ledger", "verify"});
        CHECK(account(*host, "netting:city/3100") == 0);
        host->stop();
    }
}
