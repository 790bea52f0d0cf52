#pragma once
// A line of a log, taken apart: what every fold of one needs. docs/audit.md, 1.
#include <optional>
#include <span>
#include <string>

#include <boost/json.hpp>

#include "crypto/keys/audit_log.hpp"
#include "host/keys/refusal.hpp"

namespace host::keys {

/// Nothing when it is no JSON object.
[[nodiscard]] inline std::optional<boost::json::object> parse_line(std::string_view line) {
    boost::system::error_code error;
    boost::json::value parsed = boost::json::parse(line, error);
    if (error || !parsed.is_object()) return std::nullopt;
    return std::move(parsed.get_object());
}
/// A member that is a text, and not an empty one.
[[nodiscard]] inline std::optional<std::string> text_of(const boost::json::object& object,
                                                        std::string_view member) {
    const boost::json::value* value = object.if_contains(member);
    if (value == nullptr || !value->is_string() || value->get_string().empty()) return std::nullopt;
    return std::string{value->get_string()};
}

/// Every line through `fold.take`, which answers what it lacks or nothing; then what came of it.
/// `log_malformed`, with the number of the first that lacks something.
template <class Fold>
[[nodiscard]] auto fold_lines(std::span<const crypto::keys::LogEntry> log, Fold fold)
    -> Result<decltype(fold.finish())> {
    for (std::size_t i = 0; i < log.size(); ++i) {
        const auto line = parse_line(log[i].line);
        const char* what = line ? fold.take(*line) : "anything: it is no JSON object";
        if (what == nullptr) continue;
        return refuse(RefusalKind::log_malformed,
                      "entry " + std::to_string(i + 1) + " of the log does not say " + what);
    }
    return fold.finish();
}

}  // namespace host::keys
