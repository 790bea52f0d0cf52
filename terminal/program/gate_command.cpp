// `onecard-terminal gate`: threads, readers and the network around the gate's engine.
#include <condition_variable>
#include <thread>

#include "platform/command_line.hpp"
#include "platform/http_client.hpp"
#include "platform/mask.hpp"
#include "platform/process.hpp"
#include "terminal/fares/fare_file.hpp"
#include "terminal/program/card_loop.hpp"
#include "terminal/program/commands.hpp"
#include "terminal/program/deployment.hpp"
#include "terminal/program/events.hpp"
#include "terminal/program/gate_config.hpp"

namespace terminal {

namespace {

using namespace std::chrono_literals;
constexpr const char* program = "onecard-terminal gate";

std::int64_t steady_microseconds() {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// Requests to the uploading thread.
class Flushes {
public:
    void request() {
        const std::lock_guard lock{mutex_};
        ++wanted_;
        changed_.notify_all();
    }
    /// Waits a second at most; true when a flush was asked for.
    [[nodiscard]] bool wait() {
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, 1s, [&] { return wanted_ > 0; });
        if (wanted_ == 0) return false;
        --wanted_;
        return true;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned wanted_ = 0;
};

/// The gate's parts, in the order in which they depend on each other.
class GateProgram {
public:
    GateProgram(const GateOptions& options, GateConfig config, FareTable fares,
                OpenDeployment deployment, crypto::sm2::PrivateKey key,
                std::unique_ptr<Journal> journal, crypto::Random& random)
        : options_{options},
          config_{std::move(config)},
          fares_{std::move(fares)},
          deployment_{std::move(deployment)},
          key_{std::move(key)},
          journal_{std::move(journal)},
          events_{options.json},
          loop_{config_.card_reader, events_},
          hot_lists_{{config_.profile.city, deployment_.who.mark, *deployment_.who.list_key},
                     *journal_,
                     clock_},
          signer_{key_, random},
          host_{client_options(), *deployment_.tls},
          uploader_{config_.upload,
                    {config_.profile.operator_id, config_.profile.device, config_.profile.city,
                     fares_.version()},
                    *journal_,
                    hot_lists_,
                    signer_,
                    host_,
                    clock_,
                    [this](const UploadEvent& event) {
                        // The call that stopping cancels is no news.
                        const bool ours = event.kind == UploadEvent::Kind::host_unreachable;
                        if (!ours || !loop_.stopping()) events_.upload(event);
                    }},
          sam_{config_.sam_reader},
          gate_{{config_.profile, fares_, hot_lists_, *journal_, clock_, sam_,
                 steady_microseconds}} {}

    int run();

private:
    [[nodiscard]] platform::HttpClientOptions client_options() const;
    [[nodiscard]] bool prepare();
    void serve();
    void announce();
    void upload_loop();
    void obey(const std::string& order);

    GateOptions options_;
    GateConfig config_;
    FareTable fares_;
    OpenDeployment deployment_;
    crypto::sm2::PrivateKey key_;
    std::unique_ptr<Journal> journal_;
    Events events_;
    CardLoop loop_;
    platform::SystemClock clock_;
    HotListKeeper hot_lists_;
    Sm2Signer signer_;
    platform::HttpClient host_;
    Uploader uploader_;
    PcscSam sam_;
    Gate gate_;
    Flushes flushes_;
};

platform::HttpClientOptions GateProgram::client_options() const {
    platform::HttpClientOptions options;
    options.host = config_.host.address;
    options.port = config_.host.port;
    options.peer_organisation =
        platform::to_hex(std::array{static_cast<std::uint8_t>(config_.profile.city.value() >> 8),
                                    static_cast<std::uint8_t>(config_.profile.city.value())});
    return options;
}

bool GateProgram::prepare() {
    const auto recovered = gate_.recover();
    const auto loaded = hot_lists_.load();
    if (!recovered || !loaded) {
        const auto& failure = recovered ? loaded.error() : recovered.error();
        platform::complain(program, config_.journal.string() + ": " + failure.text);
        return false;
    }
    if (*recovered > 0) {
        events_.say("entries_left_pending", {{"count", *recovered}});
    }
    return true;
}

void GateProgram::serve() {
    const TapReport report = gate_.touch(loop_.reader());
    events_.tap(report);
}

void GateProgram::upload_loop() {
    while (!loop_.stopping()) {
        if (!flushes_.wait()) {
            uploader_.step();
            continue;
        }
        uploader_.flush();
        if (const auto counts = journal_->counts()) events_.counts("flushed", *counts);
    }
}

void GateProgram::obey(const std::string& order) {
    if (order == "flush") {
        flushes_.request();
    } else if (order == "status") {
        if (const auto counts = journal_->counts()) events_.counts("status", *counts);
    } else {
        events_.state("order_unknown", order + ": flush, status or quit expected");
    }
}

void GateProgram::announce() {
    const auto sam = gate_.open_sam();
    if (!sam) events_.state("sam_unavailable", name(sam.error()));
    events_.say("ready", {{"device", platform::to_hex(config_.profile.device.value())},
                          {"reader", config_.card_reader},
                          {"sam_terminal", sam ? platform::to_hex(sam->terminal.value()) : ""},
                          {"hot_list", std::int64_t{hot_lists_.sequence_in_force().value()}},
                          {"fare_table", std::int64_t{fares_.version()}}});
}

int GateProgram::run() {
    if (!prepare()) return exit_status(platform::ExitCode::failed);
    uploader_.flush();  // a hot list before the first tap, when the host is there
    announce();
    std::jthread uploads{[this] { upload_loop(); }};
    loop_.take_orders([this](const std::string& order) { obey(order); });
    loop_.run({[this] { serve(); }, [] {}, [this] { gate_.forget_sam(); }}, options_.taps);
    host_.cancel();
    uploads.join();
    if (const auto counts = journal_->counts()) events_.counts("stopped", *counts);
    leave(exit_status(platform::ExitCode::ok));
}

std::expected<GateConfig, std::string> complete_profile(GateConfig config, const Deployment& who) {
    const auto device = platform::from_hex<8>(who.unit);
    const auto operator_id = platform::from_hex<8>(who.organisation);
    if (who.role != "terminal" || !device || !operator_id || !who.list_key) {
        return std::unexpected{config.deployment.string() +
                               ": not a terminal's deployment: role, organisation, unit and "
                               "list_key expected (docs/keys.md, 3)"};
    }
    config.profile.device = DeviceId{*device};
    config.profile.operator_id = OperatorId{*operator_id};
    config.profile.city = who.city;
    return config;
}

std::expected<int, std::string> start(const GateOptions& options, crypto::Random& random) {
    auto config = load_gate_config(options.config);
    if (!config) return std::unexpected{config.error().text()};
    auto fares = load_fare_file(config->fares);
    if (!fares) return std::unexpected{fares.error().text()};
    ONECARD_TRY(deployment, open_deployment(config->deployment, options.passphrase,
                                            options.rehearsal, random, config->stale_lists));
    ONECARD_TRY(complete, complete_profile(std::move(*config), deployment.who));
    ONECARD_TRY(key, batch_key(deployment, complete.profile.device, random));
    auto journal = Journal::open(complete.journal, {complete.profile.device, deployment.who.mark});
    if (!journal) {
        return std::unexpected{complete.journal.string() + ": " + name(journal.error().error) +
                               ": " + journal.error().text};
    }
    GateProgram gate{options,
                     std::move(complete),
                     std::move(*fares),
                     std::move(deployment),
                     std::move(key),
                     std::move(*journal),
                     random};
    return gate.run();
}

}  // namespace

int run_gate(const GateOptions& options) {
    platform::harden_process();
    auto random = crypto::SystemRandom::open();
    if (!random) return platform::complain(program, name(random.error()));
    const auto status = start(options, *random);
    return status ? *status : platform::complain(program, status.error());
}

}  // namespace terminal
