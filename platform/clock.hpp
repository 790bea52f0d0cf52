#pragma once
// Wall clock, passed in to whoever needs the time. Stored times are UTC; cards, terminals and
// people see the city's local time, which in China is UTC+8 all year (GB/T 7408.1-2023).
#include <atomic>
#include <chrono>
#include <cstdint>

#include "protocol/date_time.hpp"

namespace platform {

constexpr std::int32_t china_standard_time_minutes = 8 * 60;

/// Milliseconds since 1970-01-01 00:00:00 UTC, as the city's local date and time.
/// Times before 1970 or after 9999 are our own bug: the nearest representable is answered.
[[nodiscard]] protocol::DateTime local_date_time(
    std::int64_t unix_ms, std::int32_t offset_minutes = china_standard_time_minutes);
/// And back, at the whole second.
[[nodiscard]] constexpr std::int64_t unix_ms_of(
    const protocol::DateTime& local, std::int32_t offset_minutes = china_standard_time_minutes) {
    return (protocol::seconds_since_epoch(local) - std::int64_t{offset_minutes} * 60) * 1000;
}

/// Safe from several threads. May step backwards: what must not, keeps its own last value.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual std::int64_t unix_ms() const = 0;
    /// The city's local date and time.
    [[nodiscard]] protocol::DateTime now() const {
        return local_date_time(unix_ms(), offset_minutes());
    }
    [[nodiscard]] virtual std::int32_t offset_minutes() const {
        return china_standard_time_minutes;
    }
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] std::int64_t unix_ms() const override {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
};

/// For tests, rehearsals and simulations: moves only when told.
class ManualClock final : public Clock {
public:
    explicit ManualClock(std::int64_t unix_ms) : unix_ms_{unix_ms} {}
    explicit ManualClock(const protocol::DateTime& local) : unix_ms_{unix_ms_of(local)} {}
    [[nodiscard]] std::int64_t unix_ms() const override { return unix_ms_; }
    void set(std::int64_t unix_ms) { unix_ms_ = unix_ms; }
    void advance_ms(std::int64_t ms) { unix_ms_ += ms; }

private:
    std::atomic<std::int64_t> unix_ms_;
};

}  // namespace platform
