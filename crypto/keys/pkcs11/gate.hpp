#pragma once
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace crypto::keys::pkcs11 {

/// Many inside together, or one alone. Who waits to be alone goes before who comes later, so that a
/// busy crowd does not starve it: std::shared_mutex promises no such thing, and glibc's does not
/// keep it. A BasicLockable for std::unique_lock and std::shared_lock; not recursive.
class Gate {
public:
    void lock() {
        std::unique_lock guard{mutex_};
        ++alone_waiting_;
        changed_.wait(guard, [this] { return !alone_ && together_ == 0; });
        --alone_waiting_;
        alone_ = true;
    }
    void unlock() {
        const std::lock_guard guard{mutex_};
        alone_ = false;
        changed_.notify_all();
    }
    void lock_shared() {
        std::unique_lock guard{mutex_};
        changed_.wait(guard, [this] { return !alone_ && alone_waiting_ == 0; });
        ++together_;
    }
    void unlock_shared() {
        const std::lock_guard guard{mutex_};
        if (--together_ == 0) changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t together_ = 0;
    std::size_t alone_waiting_ = 0;
    bool alone_ = false;
};

}  // namespace crypto::keys::pkcs11
