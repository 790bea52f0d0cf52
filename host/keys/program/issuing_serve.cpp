// `onecard-keys issuing serve`: the issuer's service on its TLS listener, the registry file, the
// city's host.
#include <fstream>
#include <mutex>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/keys/tls_key.hpp"
#include "host/keys/issuing_audit.hpp"
#include "host/keys/issuing_service.hpp"
#include "host/keys/program/host_feed.hpp"
#include "host/keys/program/issuing_options.hpp"
#include "platform/http_client.hpp"
#include "platform/http_server.hpp"
#include "platform/log.hpp"
#include "platform/process.hpp"
#include "platform/revocation_log.hpp"

namespace host::keys {
namespace {

constexpr std::size_t pem_size_max = 64 * 1024;

Result<platform::TlsContext> tls_context(const IssuingOptions& options, const KeyStore& store,
                                         platform::TlsContext::Side side, crypto::Random& random) {
    platform::TlsMaterial material;
    ONECARD_TRY(certificate, read_text(options.deployment / certificate_file, pem_size_max));
    auto key = crypto::keys::reveal_tls_key(store, certificate);
    if (!key) {
        return refuse(RefusalKind::store_failed, options.deployment.string() + ": " +
                                                     crypto::keys::name(key.error()) + ": " +
                                                     crypto::keys::advice(key.error()));
    }
    material.private_key = *std::move(key);
    material.certificate_pem = std::move(certificate);
    ONECARD_TRY(root, read_text(options.deployment / root_file, pem_size_max));
    material.trusted_pem = std::move(root);
    material.revoked_file = options.deployment / platform::revoked_file_name;
    material.on_reload = platform::log_revocation;
    auto context = platform::TlsContext::make(side, material, random);
    if (!context) {
        return refuse(RefusalKind::certificate_refused, options.deployment.string() + ": " +
                                                            platform::name(context.error()) + ": " +
                                                            platform::advice(context.error()));
    }
    return *std::move(context);
}

void log_door(const platform::ServerEvent& event) {
    platform::log_warning(platform::name(event.kind), {{"peer", event.peer},
                                                       {"refusal", platform::name(event.refusal)},
                                                       {"detail", event.detail}});
}

/// Written anew at the start, then only added to. The state store stays the truth: what a crash
/// takes from this file, the next start brings back.
class RegistryFile {
public:
    [[nodiscard]] static Result<RegistryFile> open(IssueStore& state,
                                                   const std::filesystem::path& file) {
        RegistryFile registry{state};
        if (file.empty()) return registry;
        ONECARD_CHECK(write_registry(state, file));
        ONECARD_TRY(last, state.registry(0, [](const std::string&) {}));
        registry.last_ = last;
        registry.out_.open(file, std::ios::app);
        return registry;
    }
    void update() {
        if (!out_.is_open()) return;
        const auto last =
            state_.registry(last_, [this](const std::string& entry) { out_ << entry << '\n'; });
        last_ = last.value_or(last_);
        if (!out_.flush()) platform::log_error("registry_file_failed");
        out_.clear();
    }

private:
    explicit RegistryFile(IssueStore& state) : state_{state} {}
    IssueStore& state_;
    std::ofstream out_;
    std::int64_t last_ = 0;
};

/// To the city's own host, when --host names it.
Result<std::unique_ptr<platform::HttpChannel>> channel_to_host(const IssuingOptions& options,
                                                               const KeyStore& store, CityCode city,
                                                               crypto::Random& random) {
    if (options.host_address.empty()) return nullptr;
    ONECARD_TRY(context, tls_context(options, store, platform::TlsContext::Side::client, random));
    platform::HttpClientOptions client;
    client.host = options.host_address;
    client.port = options.host_port;
    client.peer_organisation = city_digits(city);
    client.connect_timeout = std::chrono::milliseconds{2000};
    client.call_timeout = std::chrono::milliseconds{5000};
    return std::make_unique<platform::HttpClient>(std::move(client), context);
}

void log_issuing(const IssuingEvent& event) {
    const bool refused = event.kind == IssuingEvent::Kind::refused;
    const char* const what = refused                                    ? "issuing_refused"
                             : event.kind == IssuingEvent::Kind::issued ? "chip_issued"
                                                                        : "chip_blocked";
    platform::log(refused ? platform::LogLevel::warning : platform::LogLevel::info, what,
                  {{"desk", event.desk}, {"number", event.number}, {"detail", event.detail}});
}

/// A row that the log does not vouch for is not made into a chip.
Result<void> check_state(IssueStore& state, const IssuingOptions& options, const Issuer& issuer) {
    const auto report =
        audit_issuing_state(options.state, {issuer.keys->identity().audit_key, std::nullopt});
    if (report && report->verdict == AuditVerdict::whole) return {};
    ONECARD_TRY(counts, state.counts());
    std::int64_t lines = 0;
    for (std::uint8_t number = 1; number <= chip_state_last; ++number) {
        lines += counts.of(static_cast<ChipState>(number));
    }
    if (!report && lines == 0) return {};  // nothing was imported yet
    return refuse(RefusalKind::file_failed, options.state.string() + ": " +
                                                (report ? report->text : report.error().detail) +
                                                " (`audit verify`)");
}

}  // namespace

Result<void> run_serve(const IssuingOptions& options) {
    platform::StopSignal stop;  // before any thread
    ONECARD_TRY(issuer, open_issuer(options));
    const Deployment& deployment = issuer.deployment;
    const KeyStore& store = *issuer.keys;
    crypto::Random& random = *issuer.random;
    ONECARD_TRY(context, tls_context(options, store, platform::TlsContext::Side::server, random));
    ONECARD_TRY(channel, channel_to_host(options, store, deployment.city, random));
    ONECARD_TRY(state, open_state(options, issuer));
    ONECARD_CHECK(check_state(state, options, issuer));
    ONECARD_TRY(registry, RegistryFile::open(state, options.registry));
    HostFeed feed{state, std::move(channel)};
    std::mutex one_at_a_time;  // the server's thread and this one
    IssuingService service{
        store, state, {deployment.city, deployment.issuer}, random, [&](const IssuingEvent& event) {
            log_issuing(event);
            if (event.kind != IssuingEvent::Kind::issued) return;
            registry.update();
            feed.send();  // before the desk hears "done" and loads the card
        }};
    platform::HttpServerOptions server_options;
    server_options.address = options.address;
    server_options.port = options.port;
    server_options.limits.body_size_max = 1024 * 1024;
    const auto server = platform::HttpServer::start(
        server_options, context,
        [&](const platform::HttpRequest& request) {
            const std::scoped_lock lock{one_at_a_time};
            return service.handle(request);
        },
        log_door);
    if (!server) {
        return refuse(RefusalKind::file_failed, std::string{platform::name(server.error().error)} +
                                                    ": " + server.error().detail);
    }
    print(options.json,
          fmt::format("issuing for city {} ({}) on {}:{}", city_digits(deployment.city),
                      word(deployment.mark), options.address, (*server)->port()),
          boost::json::serialize(boost::json::object{{"listening", (*server)->port()},
                                                     {"mark", word(deployment.mark)}}));
    do {
        // Other programs add lines too: lost and found chips.
        const std::scoped_lock lock{one_at_a_time};
        registry.update();
        feed.send();
    } while (!stop.wait_for(std::chrono::seconds{1}));
    (*server)->stop();
    return {};
}

}  // namespace host::keys
