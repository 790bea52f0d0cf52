#pragma once
// The manners of a process that holds keys, and how it is told to stop.
#include <chrono>
#include <cstdint>

namespace platform {

struct Hardening {
    bool memory_locked = false;   ///< mlockall(2): no page of ours goes to the swap
    bool core_dumps_off = false;  ///< setrlimit(2) RLIMIT_CORE 0
    bool not_dumpable = false;    ///< prctl(2) PR_SET_DUMPABLE 0: no ptrace by the same user
};
/// Best effort, first thing in main(); log what did not work. SIGPIPE is ignored from here on.
/// `lock_memory` false: a program with large caches and no master keys.
Hardening harden_process(bool lock_memory = true);

/// SIGINT and SIGTERM as a value. Make one before any thread is started: they inherit its mask.
class StopSignal {
public:
    StopSignal();
    ~StopSignal();
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;
    /// Blocks until someone asks to stop.
    void wait();
    /// The same with a limit; true when asked to stop.
    [[nodiscard]] bool wait_for(std::chrono::milliseconds limit);
    /// From any thread: as if a signal had come.
    void request();

private:
    int descriptor_ = -1;  // signalfd(2)
    int wake_ = -1;        // eventfd(2)
};

}  // namespace platform
