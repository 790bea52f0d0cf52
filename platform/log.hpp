#pragma once
// Logs: an event's name and its fields, as a line for people or as one JSON object (spdlog). Safe
// from several threads. Never pass a secret, a PIN or a whole card number: mask.hpp.
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace platform {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

struct LogOptions {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    std::string file;  ///< empty: standard error
};
/// Once, at the start of a program; before it, lines go to standard error as text.
/// False when the file cannot be opened: standard error is used then.
bool configure_log(const LogOptions& options);

struct LogField {
    std::string_view key;
    std::variant<std::string_view, std::int64_t, bool> value;
    LogField(std::string_view k, std::string_view v) : key{k}, value{v} {}
    LogField(std::string_view k, const char* v) : key{k}, value{std::string_view{v}} {}
    LogField(std::string_view k, const std::string& v) : key{k}, value{std::string_view{v}} {}
    LogField(std::string_view k, bool v) : key{k}, value{v} {}
    template <class Integer>
        requires std::is_integral_v<Integer>
    LogField(std::string_view k, Integer v) : key{k}, value{static_cast<std::int64_t>(v)} {}
};

/// `event` is snake_case and stable: people search for it. Control characters are escaped.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
inline void log_info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::info, event, fields);
}
inline void log_warning(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::warning, event, fields);
}
inline void log_error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    log(LogLevel::error, event, fields);
}
/// The line that log() would write, without the time. For tests and other sinks.
[[nodiscard]] std::string format_log_line(LogFormat format, LogLevel level, std::string_view event,
                                          std::initializer_list<LogField> fields);

}  // namespace platform
