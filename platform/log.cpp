#include "platform/log.hpp"

#include <array>
#include <memory>
#include <mutex>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace platform {
namespace {

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return spdlog::level::debug;
        case LogLevel::info: return spdlog::level::info;
        case LogLevel::warning: return spdlog::level::warn;
        case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}
const char* word(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return "debug";
        case LogLevel::info: return "info";
        case LogLevel::warning: return "warning";
        case LogLevel::error: return "error";
    }
    return "info";
}

struct Sink {
    std::mutex mutex;
    LogFormat format = LogFormat::text;
    std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>(
        "onecard", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    Sink() { set_pattern(); }
    void set_pattern() const {
        // JSON: our line is the object's inside; the time is its first member. RFC 3339, UTC.
        logger->set_pattern(format == LogFormat::json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}"
                                                      : "%Y-%m-%dT%H:%M:%S.%eZ %v",
                            spdlog::pattern_time_type::utc);
        logger->flush_on(spdlog::level::info);
    }
};
Sink& sink() {
    static Sink instance;
    return instance;
}

/// RFC 8259, 7. Also keeps text logs on one line: nobody forges an entry with a line's end.
void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || byte == 0x7F) {
            out += fmt::format("\\u{:04x}", byte);
        } else {
            out += c;
        }
    }
}

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, text);
    out += '"';
}

bool needs_quotes(std::string_view text) {
    return text.empty() || text.find_first_of(" \"\\=\t\r\n") != std::string_view::npos;
}

void append_value(std::string& out, LogFormat format, const LogField& field) {
    if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
        out += std::to_string(*number);
    } else if (const auto* flag = std::get_if<bool>(&field.value)) {
        out += *flag ? "true" : "false";
    } else {
        const auto text = std::get<std::string_view>(field.value);
        if (format == LogFormat::json || needs_quotes(text)) {
            append_quoted(out, text);
        } else {
            append_escaped(out, text);
        }
    }
}

}  // namespace

std::string format_log_line(LogFormat format, LogLevel level, std::string_view event,
                            std::initializer_list<LogField> fields) {
    std::string out;
    if (format == LogFormat::json) {
        out += fmt::format("\"level\":\"{}\",\"event\":", word(level));
        append_quoted(out, event);
        for (const LogField& field : fields) {
            out += ',';
            append_quoted(out, field.key);
            out += ':';
            append_value(out, format, field);
        }
        return out;
    }
    out += fmt::format("{:<7} ", word(level));
    append_escaped(out, event);
    for (const LogField& field : fields) {
        out += ' ';
        append_escaped(out, field.key);
        out += '=';
        append_value(out, format, field);
    }
    return out;
}

bool configure_log(const LogOptions& options) {
    Sink& shared = sink();
    const std::lock_guard lock{shared.mutex};
    bool opened = true;
    spdlog::sink_ptr target;
    try {  // spdlog's constructor is the only one here that throws
        if (!options.file.empty()) {
            target = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
        }
    } catch (const spdlog::spdlog_ex&) {
        opened = false;
    }
    if (!target) target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    shared.format = options.format;
    shared.logger = std::make_shared<spdlog::logger>("onecard", std::move(target));
    shared.logger->set_level(level_of(options.level));
    shared.set_pattern();
    return opened;
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    Sink& shared = sink();
    const std::lock_guard lock{shared.mutex};
    if (!shared.logger->should_log(level_of(level))) return;
    const std::string line = format_log_line(shared.format, level, event, fields);
    shared.logger->log(level_of(level), spdlog::string_view_t{line});
}

}  // namespace platform
