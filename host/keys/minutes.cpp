#include "host/keys/minutes.hpp"

#include <boost/json.hpp>

#include "crypto/keys/sealed_file.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::LogEntry;
using crypto::keys::LogHead;

constexpr std::string_view title = "MINUTES OF A KEY CEREMONY";
constexpr std::string_view rehearsal_line =
    "*** REHEARSAL *** REHEARSAL *** REHEARSAL *** REHEARSAL ***";
constexpr std::string_view signature_word = "signature: ";
constexpr std::size_t minutes_size_max = 64 * 1024;

struct Pair {
    std::string name;
    std::string value;
};
/// The entry `found-nation` of a ceremony's nation.
struct FoundingEntry {
    std::string at;
    std::string ceremony;
    std::int64_t quorum = 0;
    std::vector<Pair> participants;  ///< who, when
    std::vector<Pair> keys;          ///< name, check value
    std::uint64_t number = 0;
    LogHead head{};  ///< after it
};

/// A line's text in the page: nothing that could make up another line.
bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= 128 &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<std::string> text_member(const json::value& value, std::string_view key) {
    const json::object* object = value.if_object();
    const json::value* member = object != nullptr ? object->if_contains(key) : nullptr;
    if (member == nullptr || !member->is_string()) return std::nullopt;
    std::string text{member->get_string()};
    if (!is_plain(text)) return std::nullopt;
    return text;
}

/// The objects of a list that have both members.
std::vector<Pair> pairs(const json::object& object, std::string_view list, std::string_view name,
                        std::string_view value) {
    std::vector<Pair> out;
    const json::value* found = object.if_contains(list);
    if (found == nullptr || !found->is_array()) return out;
    for (const json::value& item : found->get_array()) {
        auto first = text_member(item, name);
        auto second = text_member(item, value);
        if (first && second) out.push_back({*std::move(first), *std::move(second)});
    }
    return out;
}

std::optional<FoundingEntry> parse_founding(const LogEntry& entry) {
    boost::system::error_code error;
    const json::value line = json::parse(entry.line, error);
    if (error || text_member(line, "command") != "found-nation") return std::nullopt;
    const json::object& members = line.get_object();
    const json::value* detail = members.if_contains("detail");
    if (detail == nullptr || text_member(*detail, "roots") != ceremony_roots) return std::nullopt;
    const json::value* quorum = detail->get_object().if_contains("quorum");
    const auto at = text_member(line, "at");
    const auto ceremony = text_member(*detail, "ceremony");
    if (!at || !ceremony || quorum == nullptr || !quorum->is_int64()) return std::nullopt;
    return FoundingEntry{*at,
                         *ceremony,
                         quorum->get_int64(),
                         pairs(detail->get_object(), "participants", "custodian", "at"),
                         pairs(members, "changes", "key", "check"),
                         0,
                         {}};
}

std::optional<FoundingEntry> find_founding(const crypto::keys::StoreIdentity& identity,
                                           std::span<const LogEntry> log) {
    LogHead head = crypto::keys::first_head(identity.id);
    std::uint64_t number = 0;
    for (const LogEntry& entry : log) {
        head = crypto::keys::next_head(head, entry.line);
        ++number;
        auto founding = parse_founding(entry);
        if (!founding) continue;
        founding->number = number;
        founding->head = head;
        return founding;
    }
    return std::nullopt;
}

std::string columns(const std::vector<Pair>& pairs, std::string_view before_value) {
    constexpr std::size_t width = 44;
    std::string out;
    for (const Pair& pair : pairs) {
        std::string line = "  " + pair.name;
        line.resize(std::max(width, line.size() + 1), ' ');
        out += line;
        out += before_value;
        out += pair.value + "\n";
    }
    return out;
}

std::string places_to_sign(const std::vector<Pair>& participants) {
    std::vector<Pair> lines;
    for (const Pair& each : participants) lines.push_back({each.name, std::string(36, '_')});
    return columns(lines, "");
}

/// The public side of a nation, read without opening it.
struct PublicNation {
    crypto::keys::LogAudit audit;
    std::vector<LogEntry> log;
};
Result<PublicNation> read_public(const std::filesystem::path& directory) {
    PublicNation nation;
    const auto file = directory / store_file;
    const auto audit = crypto::keys::audit_sealed_file(
        file, [&](const LogEntry& entry) { nation.log.push_back(entry); });
    if (!audit) return store_refusal(file.string(), audit.error());
    nation.audit = *audit;
    return nation;
}

/// Without what does not count: see verify_minutes. Nothing when a character is none of ours.
std::optional<std::vector<std::string>> lines_of(std::string_view file) {
    std::vector<std::string> lines;
    while (!file.empty()) {
        const auto end = file.find('\n');
        std::string_view line = file.substr(0, end);
        file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
        const auto last = line.find_last_not_of(" \t\r");
        line = line.substr(0, last == std::string_view::npos ? 0 : last + 1);
        const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
        if (!std::ranges::all_of(line, printable)) return std::nullopt;
        lines.emplace_back(line);
    }
    while (!lines.empty() && lines.back().empty()) lines.pop_back();
    return lines;
}

/// What was signed, and by what.
struct SignedPage {
    std::string text;
    std::optional<crypto::sm2::Signature> signature;
};
std::optional<SignedPage> read_page(std::string_view file) {
    if (file.size() > minutes_size_max) return std::nullopt;
    auto lines = lines_of(file);
    if (!lines || lines->empty() || lines->front() != title) return std::nullopt;
    SignedPage page;
    const std::string& last = lines->back();
    if (last.starts_with(signature_word)) {
        page.signature = platform::from_hex<crypto::sm2::signature_size>(
            std::string_view{last}.substr(signature_word.size()));
        lines->pop_back();
    }
    for (const std::string& line : *lines) page.text += line + "\n";
    return page;
}

crypto::Bytes bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

MinutesVerdict verify_page(const std::optional<SignedPage>& page, const AuditKey& audit_key) {
    if (!page) return MinutesVerdict::not_minutes;
    if (!page->signature) return MinutesVerdict::signature_missing;
    const auto key = crypto::sm2::PublicKey::parse(audit_key);
    const bool fits = key && crypto::sm2::verify(*key, crypto::sm2::default_id,
                                                 bytes_of(page->text), *page->signature);
    return fits ? MinutesVerdict::valid : MinutesVerdict::signature_wrong;
}

}  // namespace

Result<std::string> minutes_text(const crypto::keys::StoreIdentity& identity, Mark mark,
                                 std::span<const LogEntry> log) {
    const auto founding = find_founding(identity, log);
    if (!founding) {
        return refuse(RefusalKind::ceremony_unknown,
                      "the log of this store tells of no ceremony: its roots were drawn at once");
    }
    const auto hex = [](crypto::Bytes bytes) { return platform::to_hex(bytes); };
    const crypto::Bytes key{identity.audit_key};
    const std::string count = std::to_string(founding->participants.size());
    std::string out{title};
    out += "\n\n";
    if (mark == Mark::rehearsal) out += std::string{rehearsal_line} + "\n\n";
    out += "The roots of a nation's keys were made by adding (XOR) the components of\n" + count +
           " custodians. The nation's store was founded with them.\n\n";
    out += std::string{"mark:      "} + word(mark) + "\n";
    out += "ceremony:  " + founding->ceremony + "\n";
    out += "store:     " + hex(identity.id) + "\n";
    out += "founded:   " + founding->at + "\n";
    out += "opened by: " + std::to_string(founding->quorum) + " of these " + count +
           " custodians together\n\n";
    out += "Custodians, and when each gave components\n" + columns(founding->participants, "");
    out += "\nKeys, and their check values\n" + columns(founding->keys, "");
    out += "\nPublic key of the store's log (SM2), x and y, and its fingerprint (SM3)\n  " +
           hex(key.first(32)) + "\n  " + hex(key.last(32)) + "\n  " + hex(crypto::sm3(key)) + "\n";
    out += "\nLog up to the founding: " + std::to_string(founding->number) +
           " entries, head (SM3)\n  " + hex(founding->head) + "\n";
    if (mark == Mark::rehearsal) out += "\n" + std::string{rehearsal_line} + "\n";
    out += "\nWe were present, and it was so. Date and signature:\n\n" +
           places_to_sign(founding->participants) + "\n";
    return out;
}

Result<std::string> sign_minutes(const KeyStore& nation) {
    ONECARD_TRY(text, minutes_text(nation.identity(), mark_of(nation), nation.log()));
    const auto signature = nation.attest(bytes_of(text));
    if (!signature) return store_refusal("minutes", signature.error());
    return text + std::string{signature_word} + platform::to_hex(*signature) + "\n";
}

bool was_founded_by(const std::filesystem::path& directory, const Ceremony& ceremony) {
    const auto nation = read_public(directory);
    if (!nation) return false;
    const auto founding = find_founding(nation->audit.identity, nation->log);
    return founding && founding->ceremony == platform::to_hex(ceremony.id);
}

const char* name(MinutesVerdict verdict) {
    switch (verdict) {
        case MinutesVerdict::not_minutes: return "not_minutes";
        case MinutesVerdict::signature_missing: return "signature_missing";
        case MinutesVerdict::signature_wrong: return "signature_wrong";
        case MinutesVerdict::log_differs: return "log_differs";
        case MinutesVerdict::valid: return "valid";
    }
    return "unknown";
}

const char* advice(MinutesVerdict verdict) {
    switch (verdict) {
        case MinutesVerdict::not_minutes: return "the file is no minutes of a ceremony";
        case MinutesVerdict::signature_missing:
            return "the last line is not the signature: the file was cut, or lines were added";
        case MinutesVerdict::signature_wrong:
            return "a line was changed, or another key signed them";
        case MinutesVerdict::log_differs:
            return "the lines are signed, but they are not what the nation's log says";
        case MinutesVerdict::valid: return "every line is what the key signed";
    }
    return "unknown";
}

MinutesVerdict verify_minutes(std::string_view file, const AuditKey& key) {
    return verify_page(read_page(file), key);
}

Result<MinutesVerdict> verify_minutes(std::string_view file,
                                      const std::filesystem::path& directory) {
    ONECARD_TRY(nation, read_public(directory));
    const auto page = read_page(file);
    const auto verdict = verify_page(page, nation.audit.identity.audit_key);
    if (verdict != MinutesVerdict::valid) return verdict;
    const Mark mark = nation.audit.rehearsal ? Mark::rehearsal : Mark::live;
    const auto text = minutes_text(nation.audit.identity, mark, nation.log);
    return text && *text == page->text ? MinutesVerdict::valid : MinutesVerdict::log_differs;
}

}  // namespace host::keys
