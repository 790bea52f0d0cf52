#pragma once
// Card after card through one reader, until told to stop. What every role does around its engine.
#include <atomic>
#include <functional>
#include <thread>

#include "platform/process.hpp"
#include "terminal/program/events.hpp"
#include "terminal/reader/pcsc.hpp"

namespace terminal {

class CardLoop {
public:
    struct Work {
        std::function<void()> serve;                ///< a card is here, held by a transaction
        std::function<void()> idle = [] {};         ///< twice a second while nobody is here
        std::function<void()> reader_lost = [] {};  ///< reader or service are away
    };
    /// Make it before any other thread: it takes SIGINT and SIGTERM.
    CardLoop(std::string reader_name, Events& events)
        : reader_{std::move(reader_name)}, events_{events} {}

    [[nodiscard]] PcscReader& reader() { return reader_; }
    /// From any thread.
    void stop();
    [[nodiscard]] bool stopping() const { return stop_; }
    /// Until stop(), a signal, or `cards` cards (0: no limit) were served.
    void run(const Work& work, std::int64_t cards);
    /// Lines on standard input go to `obey` from a thread of their own, "quit" to stop(). The end
    /// of the input is no order.
    void take_orders(std::function<void(const std::string&)> obey);

private:
    [[nodiscard]] bool serve_one(const Work& work);
    void lost(WaitResult result, const Work& work);

    platform::StopSignal signal_;
    PcscReader reader_;
    Events& events_;
    std::atomic<bool> stop_{false};
    std::string last_state_;
};

/// Ends the process without unwinding: the thread that reads standard input cannot be joined, and
/// what matters is in the journal.
[[noreturn]] void leave(int status);

}  // namespace terminal
