#include <fstream>
#include <iostream>
#include <mutex>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/deployment.hpp"
#include "host/keys/issuing_service.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "host/keys/program/host_feed.hpp"
#include "platform/files.hpp"
#include "platform/http_client.hpp"
#include "platform/http_server.hpp"
#include "platform/log.hpp"
#include "platform/mask.hpp"
#include "platform/process.hpp"

namespace host::keys {
namespace {

constexpr std::size_t csv_size_max = 2ULL * 1024 * 1024 * 1024;
constexpr std::size_t small_file_max = 64 * 1024;

struct IssuingOptions {
    std::filesystem::path deployment;
    std::filesystem::path state;
    std::filesystem::path lines;
    std::filesystem::path registry;
    std::string address = "127.0.0.1";
    std::uint16_t port = 8444;
    std::string host_address;
    std::uint16_t host_port = 8443;
    std::string kind = "card";
    std::string number;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "Passphrase of the issuer's store: ",
                                          .confirm = false};
    bool json = false;
};

Result<Deployment> read_deployment(const std::filesystem::path& directory) {
    const auto path = directory / deployment_file;
    const auto text = platform::read_text_file(path, small_file_max);
    if (!text) return refuse(RefusalKind::file_failed, text.error().detail);
    ONECARD_TRY(deployment, parse_deployment(*text, path.string()));
    if (deployment.role != platform::PeerRole::issuer) {
        return refuse(
            RefusalKind::input_wrong,
            path.string() + ": is of a " + platform::name(deployment.role) + ", not of an issuer");
    }
    return deployment;
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t size_max) {
    auto text = platform::read_text_file(path, size_max);
    if (!text) return refuse(RefusalKind::file_failed, text.error().detail);
    return *std::move(text);
}

Result<void> run_import(const IssuingOptions& options) {
    ONECARD_TRY(deployment, read_deployment(options.deployment));
    ONECARD_TRY(csv, read_text(options.lines, csv_size_max));
    ONECARD_TRY(orders, parse_orders(csv, options.lines.string()));
    ONECARD_TRY(state, IssueStore::open(options.state, deployment.mark, deployment.city));
    ONECARD_TRY(added, state.import(orders));
    print(options.json,
          fmt::format("{} lines read, {} new, {} there already", orders.size(), added,
                      static_cast<std::int64_t>(orders.size()) - added),
          boost::json::serialize(boost::json::object{{"lines", orders.size()}, {"new", added}}));
    return {};
}

Result<void> run_status(const IssuingOptions& options) {
    ONECARD_TRY(deployment, read_deployment(options.deployment));
    ONECARD_TRY(state, IssueStore::open(options.state, deployment.mark, deployment.city));
    ONECARD_TRY(counts, state.counts());
    print(options.json,
          fmt::format("open {}, bound {}, issued {}", counts.open, counts.bound, counts.issued),
          boost::json::serialize(boost::json::object{
              {"open", counts.open}, {"bound", counts.bound}, {"issued", counts.issued}}));
    return {};
}

Result<void> write_registry(IssueStore& state, const std::filesystem::path& file) {
    std::string text;
    ONECARD_CHECK(state.registry(0, [&](const std::string& entry) { text += entry + "\n"; }));
    const auto written = platform::replace_file(file, std::string_view{text});
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return {};
}

Result<void> run_registry(const IssuingOptions& options) {
    ONECARD_TRY(deployment, read_deployment(options.deployment));
    ONECARD_TRY(state, IssueStore::open(options.state, deployment.mark, deployment.city));
    if (!options.registry.empty()) return write_registry(state, options.registry);
    ONECARD_CHECK(state.registry(0, [](const std::string& entry) { std::cout << entry << '\n'; }));
    return {};
}

Result<void> run_release(const IssuingOptions& options) {
    const auto number = platform::from_hex<10>(options.number);
    if (!number) return refuse(RefusalKind::input_wrong, "--number: 20 digits expected");
    ONECARD_TRY(deployment, read_deployment(options.deployment));
    ONECARD_TRY(state, IssueStore::open(options.state, deployment.mark, deployment.city));
    return state.release(options.kind == "card" ? ChipKind::card : ChipKind::sam, *number);
}

Result<platform::TlsContext> tls_context(const IssuingOptions& options, const KeyStore& store,
                                         platform::TlsContext::Side side, crypto::Random& random) {
    platform::TlsMaterial material;
    ONECARD_TRY(key, reveal_tls(store, crypto::keys::tls_identity()));
    material.private_key = std::move(key);
    ONECARD_TRY(certificate, read_text(options.deployment / certificate_file, small_file_max));
    material.certificate_pem = std::move(certificate);
    ONECARD_TRY(root, read_text(options.deployment / root_file, small_file_max));
    material.trusted_pem = std::move(root);
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
    const bool issued = event.kind == IssuingEvent::Kind::issued;
    platform::log(issued ? platform::LogLevel::info : platform::LogLevel::warning,
                  issued ? "chip_issued" : "issuing_refused",
                  {{"desk", event.desk}, {"number", event.number}, {"detail", event.detail}});
}

Result<void> run_serve(const IssuingOptions& options) {
    platform::StopSignal stop;  // before any thread
    ONECARD_TRY(deployment, read_deployment(options.deployment));
    ONECARD_TRY(random, system_random());
    ONECARD_TRY(words, passphrase(options.passphrase));
    ONECARD_TRY(store, open_store(options.deployment / store_file, words.bytes(), random));
    if (mark_of(*store) != deployment.mark) {
        return refuse(RefusalKind::mark_mismatch, "the key store and deployment.json disagree");
    }
    ONECARD_TRY(context, tls_context(options, *store, platform::TlsContext::Side::server, random));
    ONECARD_TRY(channel, channel_to_host(options, *store, deployment.city, random));
    ONECARD_TRY(state, IssueStore::open(options.state, deployment.mark, deployment.city));
    ONECARD_TRY(registry, RegistryFile::open(state, options.registry));
    HostFeed feed{state, std::move(channel)};
    std::mutex one_at_a_time;  // the server's thread and this one
    IssuingService service{*store,
                           state,
                           {deployment.city, deployment.issuer},
                           random,
                           [&](const IssuingEvent& event) {
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
        const std::scoped_lock lock{one_at_a_time};
        feed.send();
    } while (!stop.wait_for(std::chrono::seconds{1}));
    (*server)->stop();
    return {};
}

using Action = Result<void> (*)(const IssuingOptions&);

CLI::App* add_action(CLI::App& issuing, const std::shared_ptr<IssuingOptions>& options, Run& run,
                     const char* action_name, const char* help, Action action) {
    CLI::App* command = issuing.add_subcommand(action_name, help);
    command->add_option("--deployment", options->deployment, "The issuer's deployed directory")
        ->required();
    command->add_option("--state", options->state, "SQLite file with the lines and their chips")
        ->required();
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run, action] {
        run = [options, action] {
            const Result<void> done = action(*options);
            return done ? platform::exit_status(platform::ExitCode::ok) : complain(done.error());
        };
    });
    return command;
}

}  // namespace

void add_issuing_commands(CLI::App& app, Run& run) {
    const auto options = std::make_shared<IssuingOptions>();
    CLI::App* issuing = app.add_subcommand("issuing", "Issue cards and SAMs (docs/keys.md, 5)");
    issuing->require_subcommand(1);
    add_action(*issuing, options, run, "import", "Take issue lines from a CSV file", run_import)
        ->add_option("--lines", options->lines, "CSV file, columns in docs/keys.md, 5")
        ->required();
    add_action(*issuing, options, run, "status", "Count the lines", run_status);
    add_action(*issuing, options, run, "registry", "Print what was issued, for onecard-host",
               run_registry)
        ->add_option("--out", options->registry, "Write this file instead of printing");
    CLI::App* release = add_action(*issuing, options, run, "release",
                                   "Give a line whose chip is scrap to another chip", run_release);
    release->add_option("--kind", options->kind, "card or sam")
        ->check(CLI::IsMember({"card", "sam"}));
    release->add_option("--number", options->number, "The line's number, 20 digits")->required();
    CLI::App* serve =
        add_action(*issuing, options, run, "serve", "Answer desks until SIGTERM", run_serve);
    serve->add_option("--listen", options->address, "Address");
    serve->add_option("--port", options->port, "Port; 0: the system chooses, the output tells");
    serve->add_option("--registry", options->registry, "Keep this registry file up to date");
    serve->add_option("--host", options->host_address,
                      "Address of the city's host: it is told of each card and SAM at once");
    serve->add_option("--host-port", options->host_port, "Its port");
    platform::add_passphrase_options(*serve, options->passphrase);
}

}  // namespace host::keys
