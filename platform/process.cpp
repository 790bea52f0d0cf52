#include "platform/process.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace platform {
namespace {

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

Hardening harden_process(bool lock_memory) {
    std::signal(SIGPIPE, SIG_IGN);  // a peer that left is an error code, not the end of us
    Hardening done;
    const rlimit none{0, 0};
    done.core_dumps_off = ::setrlimit(RLIMIT_CORE, &none) == 0;
    done.not_dumpable = ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    if (lock_memory) {
        // MCL_ONFAULT: lock what is touched, not every megabyte of address space reserved.
        done.memory_locked = ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
    }
    return done;
}

StopSignal::StopSignal() {
    const sigset_t set = stop_signals();
    descriptor_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC);
    if (descriptor_ < 0 || wake_ < 0 || pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) {
        std::abort();  // no descriptors at the start of a program: nothing works
    }
}

StopSignal::~StopSignal() {
    ::close(descriptor_);
    ::close(wake_);
    const sigset_t set = stop_signals();
    // The request has been heard: unblocked while still pending, it would kill us on the way out.
    const timespec at_once{};
    while (sigtimedwait(&set, nullptr, &at_once) > 0) {
    }
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void StopSignal::wait() {
    while (!wait_for(std::chrono::hours{1})) {
    }
}

bool StopSignal::wait_for(std::chrono::milliseconds limit) {
    std::array<pollfd, 2> watched{pollfd{descriptor_, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
    return ::poll(watched.data(), watched.size(), static_cast<int>(limit.count())) > 0;
}

void StopSignal::request() {
    const std::uint64_t one = 1;
    // The counter is never read back, so a full one is as good as a first one.
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

}  // namespace platform
