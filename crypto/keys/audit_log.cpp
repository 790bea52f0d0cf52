#include "crypto/keys/audit_log.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace crypto::keys {
namespace {

constexpr std::string_view chain_text = "onecard audit log 1";
constexpr std::string_view number_opening = "{\"n\":";

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The number that `numbered` wrote, when the line is one of ours.
std::optional<std::uint64_t> number_of(std::string_view line) {
    const bool whole = line.starts_with(number_opening) && line.ends_with('}') &&
                       line.size() <= log_line_size_max &&
                       line.find('\n') == std::string_view::npos;
    if (!whole) return std::nullopt;
    std::uint64_t number = 0;
    const char* const begin = line.data() + number_opening.size();
    const auto [end, error] = std::from_chars(begin, line.data() + line.size(), number);
    if (error != std::errc{} || *end != ',') return std::nullopt;
    return line.starts_with(numbered(number)) ? std::optional{number} : std::nullopt;
}

}  // namespace

LogHead first_head(const LogOwner& owner) {
    return Sm3{}.update(bytes_of(chain_text)).update(owner).finish();
}

LogHead next_head(const LogHead& before, std::string_view line) {
    return Sm3{}.update(before).update(bytes_of(line)).finish();
}

std::string numbered(std::uint64_t number) {
    return std::string{number_opening} + std::to_string(number) + ",";
}

sm2::Result<LogEntry> append_entry(LogHead& head, std::string line, const sm2::PrivateKey& key,
                                   Random& random) {
    const LogHead next = next_head(head, line);
    ONECARD_TRY(signature, sm2::sign(key, sm2::default_id, next, random));
    head = next;
    return LogEntry{std::move(line), signature};
}

const char* name(LogFault fault) {
    switch (fault) {
        case LogFault::entry_malformed: return "entry_malformed";
        case LogFault::entry_missing: return "entry_missing";
        case LogFault::entry_out_of_place: return "entry_out_of_place";
        case LogFault::entry_altered: return "entry_altered";
    }
    return "unknown";
}

std::expected<void, LogFinding> LogVerifier::next(const LogEntry& entry) {
    const std::uint64_t place = count_ + 1;
    const auto found = [&](LogFault fault) { return std::unexpected{LogFinding{fault, place}}; };
    const auto number = number_of(entry.line);
    if (!number) return found(LogFault::entry_malformed);
    if (*number > place) return found(LogFault::entry_missing);
    if (*number < place) return found(LogFault::entry_out_of_place);
    const LogHead head = next_head(head_, entry.line);
    if (!sm2::verify(key_, sm2::default_id, head, entry.signature)) {
        return found(LogFault::entry_altered);
    }
    head_ = head;
    count_ = place;
    return {};
}

}  // namespace crypto::keys
