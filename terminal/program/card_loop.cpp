#include "terminal/program/card_loop.hpp"

#include <cstdlib>
#include <iostream>

#include "platform/log.hpp"

namespace terminal {

using namespace std::chrono_literals;

void CardLoop::stop() {
    stop_ = true;
    reader_.wake();
}

void CardLoop::lost(WaitResult result, const Work& work) {
    if (last_state_ != name(result)) events_.state(name(result), reader_.reader_name());
    last_state_ = name(result);
    work.reader_lost();
    std::this_thread::sleep_for(200ms);
}

bool CardLoop::serve_one(const Work& work) {
    if (const auto begun = reader_.begin(); !begun) {
        // Between the reader's notice and ours the card left, or is not settled yet: look again.
        platform::log_warning("card_not_ready", {{"reason", name(begun.error())}});
        std::this_thread::sleep_for(100ms);
        return false;
    }
    work.serve();
    reader_.end(false);
    return true;
}

void CardLoop::run(const Work& work, std::int64_t cards) {
    std::jthread stopper{[this] {
        while (!stop_) {
            if (signal_.wait_for(200ms)) stop();
        }
    }};
    std::int64_t served = 0;
    while (!stop_) {
        const WaitResult waited = reader_.wait_for_card(500ms);
        if (waited == WaitResult::timeout || waited == WaitResult::cancelled) {
            work.idle();
            continue;
        }
        if (waited != WaitResult::card_present) {
            lost(waited, work);
            continue;
        }
        if (!last_state_.empty()) events_.state("reader_back", reader_.reader_name());
        last_state_.clear();
        if (serve_one(work) && cards != 0 && ++served == cards) stop();
    }
}

void CardLoop::take_orders(std::function<void(const std::string&)> obey) {
    std::thread{[this, obey = std::move(obey)] {  // may sit in read(2) until the very end
        for (std::string line; std::getline(std::cin, line);) {
            if (line == "quit") {
                stop();
            } else if (!line.empty()) {
                obey(line);
            }
        }
    }}
        .detach();
}

void leave(int status) {
    std::cout.flush();
    std::_Exit(status);
}

}  // namespace terminal
