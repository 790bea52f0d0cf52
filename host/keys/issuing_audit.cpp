#include "host/keys/issuing_audit.hpp"

#include <fstream>

#include <boost/json.hpp>

#include "host/keys/issue_rows.hpp"
#include "host/keys/issue_schema.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;
using crypto::keys::LogEntry;
using crypto::keys::LogFault;
using crypto::keys::LogFinding;
using crypto::keys::LogHead;

/// Where the chain stands.
struct Place {
    std::int64_t number = 0;
    LogHead head{};
};

Result<Place> place_of(sqlite::Database& database, const crypto::keys::StoreIdentity& owner) {
    ONECARD_TRY(who, plain(database.prepare("SELECT owner, key FROM audit_owner")));
    ONECARD_TRY(known, plain(who.step()));
    if (!known) {
        ONECARD_TRY(insert, plain(database.prepare("INSERT INTO audit_owner VALUES(1, ?1, ?2)")));
        ONECARD_CHECK(plain(insert.run(owner.id, owner.audit_key)));
        return Place{0, crypto::keys::first_head(owner.id)};
    }
    if (who.array<16>(0) != owner.id || who.array<64>(1) != owner.audit_key) {
        return refuse(RefusalKind::store_failed,
                      "the issue state's log was begun by another issuer's key store: open it with "
                      "that one");
    }
    ONECARD_TRY(
        last,
        plain(database.prepare("SELECT number, head FROM audit ORDER BY number DESC LIMIT 1")));
    ONECARD_TRY(row, plain(last.step()));
    if (!row) return Place{0, crypto::keys::first_head(owner.id)};
    const auto head = last.array<32>(1);
    if (!head) return refuse(RefusalKind::file_failed, "issue state: its log is damaged");
    return Place{last.integer(0), *head};
}

Result<std::int64_t> newest_event(sqlite::Database& database) {
    ONECARD_TRY(select, plain(database.prepare("SELECT coalesce(max(id), 0) FROM event")));
    ONECARD_CHECK(plain(select.step()));
    return select.integer(0);
}

std::string entry_line(std::int64_t number, std::int64_t at_ms, std::int64_t event,
                       std::string_view change) {
    const json::object line{{"at", utc_text(at_ms)},
                            {"event", event},
                            {"detail", json::parse({change.data(), change.size()})}};
    return crypto::keys::numbered(static_cast<std::uint64_t>(number)) +
           json::serialize(line).substr(1);
}

Result<void> append(sqlite::Database& database, const KeyStore& keys, std::int64_t at_ms,
                    std::string_view change) {
    ONECARD_TRY(place, place_of(database, keys.identity()));
    ONECARD_TRY(event, newest_event(database));
    const std::string line = entry_line(place.number + 1, at_ms, event, change);
    const LogHead head = crypto::keys::next_head(place.head, line);
    const auto signature = keys.attest(head);
    if (!signature) return store_refusal("audit entry", signature.error());
    ONECARD_TRY(insert, plain(database.prepare("INSERT INTO audit VALUES(?1, ?2, ?3, ?4, ?5)")));
    return plain(insert.run(place.number + 1, event, line, *signature, head));
}

/// The newest event when the entry was written: of its line, which is signed.
std::optional<std::int64_t> event_of(const LogEntry& entry) {
    boost::system::error_code error;
    const json::value line = json::parse(entry.line, error);
    const auto* object = error ? nullptr : line.if_object();
    const auto* event = object == nullptr ? nullptr : object->if_contains("event");
    if (event == nullptr || !event->is_int64()) return std::nullopt;
    return event->get_int64();
}

/// A row of line, signature, event, head: what stands beside the line must be what it says.
std::expected<void, LogFinding> follow_row(const sqlite::Statement& row, const LogEntry& entry,
                                           crypto::keys::LogVerifier& verifier) {
    crypto::keys::LogVerifier after = verifier;
    ONECARD_CHECK(after.next(entry));
    if (event_of(entry) != row.integer(2) || row.array<32>(3) != after.head()) {
        return std::unexpected{LogFinding{LogFault::entry_altered, after.count()}};
    }
    verifier = after;
    return {};
}

/// Follows the rows; the numbers in the lines say whether one is missing. Answers the last event
/// that an entry tells of.
Result<std::int64_t> follow(sqlite::Database& database, AuditReport& report,
                            const std::function<void(const LogEntry&)>& each) {
    const auto key = crypto::sm2::PublicKey::parse(report.audit.identity.audit_key);
    if (!key) return refuse(RefusalKind::file_failed, "issue state: its audit key is no key");
    crypto::keys::LogVerifier verifier{report.audit.identity.id, *key};
    ONECARD_TRY(
        select,
        plain(database.prepare("SELECT line, signature, event, head FROM audit ORDER BY number")));
    std::int64_t covered = 0;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) break;
        const auto signature = select.array<64>(1).value_or(crypto::sm2::Signature{});
        const LogEntry entry{std::string{select.text(0)}, signature};
        const auto followed = follow_row(select, entry, verifier);
        if (!followed) {
            report.audit.finding = followed.error();
            break;
        }
        covered = select.integer(2);
        each(entry);
    }
    report.audit.count = verifier.count();
    report.audit.head = verifier.head();
    return covered;
}

Result<AuditReport> read_owner(sqlite::Database& database, const std::filesystem::path& file) {
    AuditReport report;
    ONECARD_TRY(who, plain(database.prepare("SELECT owner, key FROM audit_owner")));
    ONECARD_TRY(known, plain(who.step()));
    if (!known) return refuse(RefusalKind::file_failed, file.string() + ": its log is not begun");
    report.audit.identity.id = who.array<16>(0).value_or(crypto::keys::LogOwner{});
    report.audit.identity.audit_key = who.array<64>(1).value_or(std::array<std::uint8_t, 64>{});
    return report;
}

}  // namespace

ChangeHook audit_hook(const KeyStore& keys, const platform::Clock& clock) {
    return [&keys, &clock](sqlite::Database& database, std::string_view change) {
        return append(database, keys, clock.unix_ms(), change);
    };
}

Result<AuditReport> audit_issuing_state(const std::filesystem::path& file,
                                        const AuditKnowledge& known,
                                        const std::function<void(const LogEntry&)>& each) {
    sqlite::Options options;
    options.application_id = issue_application_id;
    options.read_only = true;
    ONECARD_TRY(database, plain(sqlite::Database::open(file, options)));
    ONECARD_TRY(report, read_owner(database, file));
    HeadSearch search{known, report.audit.identity.id};
    ONECARD_TRY(covered, follow(database, report, [&](const LogEntry& entry) {
                    search.next(entry);
                    if (each) each(entry);
                }));
    // Every change has its event, and every entry says how far the events had come.
    ONECARD_TRY(newest, newest_event(database));
    report.audit.truncated = !report.audit.finding && covered != newest;
    report.audit.state_signed = true;  // each entry is
    report.audit.generation = report.audit.count;
    conclude(report, known, search.found());
    return report;
}

bool is_issuing_state(const std::filesystem::path& file) {
    constexpr std::string_view magic = "SQLite format 3";  // SQLite, "Database File Format", 1.3
    std::array<char, magic.size()> begin{};
    std::ifstream{file, std::ios::binary}.read(begin.data(), begin.size());
    return std::string_view{begin.data(), begin.size()} == magic;
}

}  // namespace host::keys
