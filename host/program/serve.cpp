// onecard-host serve: threads around the host object. One lock; the network is waited for outside
// it.
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "host/program/running.hpp"
#include "platform/command_line.hpp"
#include "platform/http_client.hpp"
#include "platform/http_server.hpp"
#include "platform/log.hpp"
#include "platform/process.hpp"

namespace host::program {
namespace {

using std::chrono::milliseconds;

void log_door(const platform::ServerEvent& event) {
    platform::log_warning(platform::name(event.kind), {{"peer", event.peer},
                                                       {"refusal", platform::name(event.refusal)},
                                                       {"detail", event.detail}});
}

class Service {
public:
    Service(const Identity& identity, Host& host) : identity_{identity}, host_{host} {}

    [[nodiscard]] platform::HttpResponse handle(const platform::HttpRequest& request) {
        platform::HttpResponse out;
        {
            const std::scoped_lock lock{mutex_};
            out = host_.handle(request);
        }
        if (out.status >= 400) {
            platform::log_warning("request_refused",
                                  {{"target", request.target},
                                   {"role", platform::name(request.identity.role)},
                                   {"organisation", request.identity.organisation},
                                   {"unit", request.identity.unit},
                                   {"status", out.status},
                                   {"answer", out.body.substr(0, 200)}});
        }
        if (request.method == platform::HttpMethod::post) wake();
        return out;
    }

    void start() {
        threads_.emplace_back([this] { work(); });
        for (const PeerAddress& peer : identity_.config.peers) {
            channels_.push_back(channel_to(identity_, peer));
            threads_.emplace_back(
                [this, peer, &channel = *channels_.back()] { mail(peer.city, channel); });
        }
    }
    void stop() {
        {
            const std::scoped_lock lock{mutex_};
            stopping_ = true;
        }
        changed_.notify_all();
        // A call that waits for a silent peer ends now.
        for (const auto& channel : channels_) channel->cancel();
        for (std::thread& thread : threads_) thread.join();
    }

private:
    void wake() {
        {
            const std::scoped_lock lock{mutex_};
            ++news_;
        }
        changed_.notify_all();
    }
    /// Until there is news, the time is over, or everything ends. Answers false at the end.
    [[nodiscard]] bool wait(std::unique_lock<std::mutex>& lock, std::uint64_t seen,
                            milliseconds limit) {
        changed_.wait_for(lock, limit, [&] { return stopping_ || news_ != seen; });
        return !stopping_;
    }

    void work() {
        std::unique_lock lock{mutex_};
        while (!stopping_) {
            const std::uint64_t seen = news_;
            const auto& cut_off = identity_.config.cut_off;
            if ((cut_off && host_.close_when_due(*cut_off)) || host_.work()) {
                ++news_;
                changed_.notify_all();
                // Requests come between two pieces of work.
                lock.unlock();
                std::this_thread::yield();
                lock.lock();
                continue;
            }
            if (!wait(lock, seen, milliseconds{1000})) return;
        }
    }

    void mail(protocol::CityCode peer, platform::HttpClient& channel) {
        milliseconds pause = identity_.config.retry_min;
        std::unique_lock lock{mutex_};
        while (!stopping_) {
            const std::uint64_t seen = news_;
            const auto next = host_.next_mail(peer);
            if (!next) {
                if (!wait(lock, seen, milliseconds{1000})) return;
                continue;
            }
            lock.unlock();
            const auto answer = channel.call(next->request);
            lock.lock();
            if (stopping_) return;
            const MailResult result = host_.on_peer_answer(*next, answer);
            if (result == MailResult::skipped) continue;
            if (result == MailResult::done) {
                pause = identity_.config.retry_min;
                ++news_;
                changed_.notify_all();
                continue;
            }
            // News does not shorten this wait: a peer that is down is not asked more often.
            changed_.wait_for(lock, pause, [&] { return stopping_; });
            pause = std::min(pause * 2, identity_.config.retry_max);
        }
    }

    const Identity& identity_;
    Host& host_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t news_ = 0;
    bool stopping_ = false;
    std::vector<std::unique_ptr<platform::HttpClient>> channels_;  // outlive the threads
    std::vector<std::thread> threads_;
};

}  // namespace

int serve(const CommonOptions& options) {
    platform::StopSignal stop;  // before any thread
    const platform::SystemClock clock;
    auto identity = open_identity(options);
    if (!identity) return platform::complain(program_name, identity.error());
    auto open = open_host(*identity, clock);
    if (!open) return platform::complain(program_name, open.error());
    Service service{*identity, *open->host};
    platform::HttpServerOptions how;
    how.address = identity->config.listen_address;
    how.port = identity->config.listen_port;
    auto server = platform::HttpServer::start(
        how, *identity->server,
        [&](const platform::HttpRequest& request) { return service.handle(request); }, log_door);
    if (!server) return platform::complain(program_name, server.error().detail);
    service.start();
    platform::log_info("serving",
                       {{"city", fmt::format("{:04X}", identity->config.city.code.value())},
                        {"address", how.address},
                        {"port", (*server)->port()},
                        {"mark", options.rehearsal ? "rehearsal" : "live"},
                        {"peers", identity->config.peers.size()}});
    stop.wait();
    platform::log_info("stopping");
    (*server)->stop();
    service.stop();
    return platform::exit_status(platform::ExitCode::ok);
}

}  // namespace host::program
