#include "host/keys/issuing_audit.hpp"

#include <fstream>

#include <boost/json.hpp>

#include "host/keys/issue_check.hpp"
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

/// A log begins with the first import, before which there was nothing: a log that was taken out
/// of a state is not begun again.
Result<Place> begin_log(sqlite::Database& database, const crypto::keys::StoreIdentity& owner) {
    ONECARD_TRY(empty, plain(database.prepare(
                           "SELECT (SELECT count(*) FROM audit) = 0 AND (SELECT count(*) FROM "
                           "event) = 1 AND (SELECT count(*) FROM line) = (SELECT detail ->> "
                           "'$.new' FROM event WHERE id = 1 AND step = 1)")));
    ONECARD_CHECK(plain(empty.step()));
    if (empty.integer(0) != 1) {
        return refuse(RefusalKind::file_failed,
                      "the issue state has lines or events, and its log is gone: nothing is "
                      "changed in it any more; bring back a copy with its log");
    }
    ONECARD_TRY(insert, plain(database.prepare("INSERT INTO audit_owner VALUES(1, ?1, ?2)")));
    ONECARD_CHECK(plain(insert.run(owner.id, owner.audit_key)));
    return Place{0, crypto::keys::first_head(owner.id)};
}

Result<Place> place_of(sqlite::Database& database, const crypto::keys::StoreIdentity& owner) {
    ONECARD_TRY(who, plain(database.prepare("SELECT owner, key FROM audit_owner")));
    ONECARD_TRY(known, plain(who.step()));
    if (!known) return begin_log(database, owner);
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

/// Entry n tells event n: what it wrote, the line's row after it, what was asked.
Result<std::string> entry_line(sqlite::Database& database, std::int64_t number, std::int64_t at_ms,
                               std::string_view change) {
    ONECARD_TRY(printer, Printer::make(database));
    ONECARD_TRY(event, printer.event(number));
    ONECARD_TRY(about, plain(database.prepare("SELECT line FROM event WHERE id = ?1")));
    ONECARD_CHECK(plain(about.first(number)));
    json::object line{{"at", utc_text(at_ms)}, {"event", platform::to_hex(event)}};
    if (!about.is_null(0)) {
        ONECARD_TRY(row, printer.line(about.integer(0)));
        line["row"] = platform::to_hex(row);
    }
    line["detail"] = json::parse({change.data(), change.size()});
    return crypto::keys::numbered(static_cast<std::uint64_t>(number)) +
           json::serialize(line).substr(1);
}

Result<void> append(sqlite::Database& database, const KeyStore& keys, std::int64_t at_ms,
                    std::string_view change) {
    ONECARD_TRY(place, place_of(database, keys.identity()));
    ONECARD_TRY(event, newest_event(database));
    if (event != place.number + 1) {
        return refuse(RefusalKind::file_failed,
                      "the issue state's log ends at entry " + std::to_string(place.number) +
                          ", and its events at " + std::to_string(event - 1) +
                          ": nothing is changed in it any more (`audit verify`)");
    }
    ONECARD_TRY(line, entry_line(database, event, at_ms, change));
    const LogHead head = crypto::keys::next_head(place.head, line);
    const auto signature = keys.attest(head);
    if (!signature) return store_refusal("audit entry", signature.error());
    ONECARD_TRY(insert, plain(database.prepare("INSERT INTO audit VALUES(?1, ?2, ?3, ?4)")));
    return plain(insert.run(event, line, *signature, head));
}

/// Follows the rows; the numbers in the lines say whether one is missing.
Result<void> follow(sqlite::Database& database, AuditReport& report,
                    const std::function<Result<void>(const LogEntry&)>& each) {
    const auto key = crypto::sm2::PublicKey::parse(report.audit.identity.audit_key);
    if (!key) return refuse(RefusalKind::file_failed, "issue state: its audit key is no key");
    crypto::keys::LogVerifier verifier{report.audit.identity.id, *key};
    ONECARD_TRY(select,
                plain(database.prepare("SELECT line, signature, head FROM audit ORDER BY number")));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) break;
        const auto signature = select.array<64>(1).value_or(crypto::sm2::Signature{});
        const LogEntry entry{std::string{select.text(0)}, signature};
        crypto::keys::LogVerifier after = verifier;
        auto followed = after.next(entry);
        // The head beside the line is where the next change goes on: it must be the line's own.
        if (followed && select.array<32>(2) != after.head()) {
            followed = std::unexpected{LogFinding{LogFault::entry_altered, after.count()}};
        }
        if (!followed) {
            report.audit.finding = followed.error();
            break;
        }
        verifier = after;
        ONECARD_CHECK(each(entry));
    }
    report.audit.count = verifier.count();
    report.audit.head = verifier.head();
    return {};
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
    ONECARD_CHECK(plain(database.execute("BEGIN")));
    return audit_issuing_state(database, file, known, each);
}

Result<AuditReport> audit_issuing_state(sqlite::Database& database,
                                        const std::filesystem::path& file,
                                        const AuditKnowledge& known,
                                        const std::function<void(const LogEntry&)>& each) {
    AuditReport report;
    ONECARD_TRY(owner, issuing_state_owner(database, file));
    report.audit.identity = std::move(owner);
    ONECARD_TRY(check, StateCheck::make(database));
    HeadSearch search{known, report.audit.identity.id};
    ONECARD_CHECK(follow(database, report, [&](const LogEntry& entry) {
        search.next(entry);
        if (each) each(entry);
        return check.take(entry.line);
    }));
    ONECARD_TRY(newest, newest_event(database));
    report.audit.truncated =
        !report.audit.finding && newest > static_cast<std::int64_t>(report.audit.count);
    if (!report.audit.finding && !report.audit.truncated) {
        ONECARD_TRY(fault, check.conclude());
        report.state_fault = std::move(fault).value_or("");
    }
    report.audit.state_signed = report.state_fault.empty();
    report.audit.generation = report.audit.count;
    conclude(report, known, search.found());
    return report;
}

Result<crypto::keys::StoreIdentity> issuing_state_owner(sqlite::Database& database,
                                                        const std::filesystem::path& file) {
    ONECARD_TRY(who, plain(database.prepare("SELECT owner, key FROM audit_owner")));
    ONECARD_TRY(known, plain(who.step()));
    if (!known) return refuse(RefusalKind::file_failed, file.string() + ": its log is not begun");
    crypto::keys::StoreIdentity owner;
    owner.id = who.array<16>(0).value_or(owner.id);
    owner.audit_key = who.array<64>(1).value_or(owner.audit_key);
    return owner;
}

bool is_issuing_state(const std::filesystem::path& file) {
    constexpr std::string_view magic = "SQLite format 3";  // SQLite, "Database File Format", 1.3
    std::array<char, magic.size()> begin{};
    std::ifstream{file, std::ios::binary}.read(begin.data(), begin.size());
    return std::string_view{begin.data(), begin.size()} == magic;
}

}  // namespace host::keys
