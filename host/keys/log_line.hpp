#pragma once
// A line of a log, taken apart: what every fold of one needs. docs/audit.md, 1.
#include <optional>
#include <string>

#include <boost/json.hpp>

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

}  // namespace host::keys
