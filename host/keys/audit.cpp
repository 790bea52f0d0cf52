#include "host/keys/audit.hpp"

#include "host/keys/stores.hpp"

namespace host::keys {
namespace {

using crypto::keys::LogAudit;
using crypto::keys::LogEntry;

std::string number(std::uint64_t value) {
    return std::to_string(value);
}

AuditVerdict verdict_of(const LogAudit& audit, const AuditKnowledge& known,
                        std::uint64_t known_at) {
    if (known.audit_key && *known.audit_key != audit.identity.audit_key) {
        return AuditVerdict::other_key;
    }
    if (audit.finding) return AuditVerdict::entry_fault;
    if (audit.truncated) return AuditVerdict::truncated;
    if (audit.custodians_malformed) return AuditVerdict::custodians_malformed;
    if (!audit.state_signed) return AuditVerdict::state_unsigned;
    if (known.head && known_at == 0) return AuditVerdict::head_missing;
    return AuditVerdict::whole;
}

std::string text_of(const AuditReport& report) {
    const LogAudit& audit = report.audit;
    switch (report.verdict) {
        case AuditVerdict::other_key:
            return "the store names another audit key than the one given: it is another store, or "
                   "was made anew";
        case AuditVerdict::entry_fault:
            return "entry " + number(report.entry) + ": " + name(audit.finding->fault) +
                   "; the entries before it are whole";
        case AuditVerdict::truncated:
            return "the log ends behind entry " + number(audit.count) +
                   "; the entries that follow were cut off";
        case AuditVerdict::custodians_malformed:
            return number(audit.count) +
                   " entries are whole, but the part that names the custodians was changed: it "
                   "breaks its format, and nobody can open the store. Put the newest good copy "
                   "back and verify it with the head of this one";
        case AuditVerdict::state_unsigned:
            if (!report.state_fault.empty()) {
                return number(audit.count) + " entries are whole, but " + report.state_fault;
            }
            return number(audit.count) +
                   " entries are whole, but the file is not the one that was signed: entries "
                   "behind entry " +
                   number(audit.count) + " may be missing, or other parts were changed";
        case AuditVerdict::head_missing:
            return number(audit.count) +
                   " entries are whole, but the log never had the head that was written down: an "
                   "older file was put back, or the log was written anew";
        case AuditVerdict::whole: break;
    }
    return number(audit.count) + " entries, whole and signed; state " + number(audit.generation);
}

}  // namespace

const char* name(AuditVerdict verdict) {
    switch (verdict) {
        case AuditVerdict::other_key: return "other_key";
        case AuditVerdict::entry_fault: return "entry_fault";
        case AuditVerdict::truncated: return "truncated";
        case AuditVerdict::custodians_malformed: return "custodians_malformed";
        case AuditVerdict::state_unsigned: return "state_unsigned";
        case AuditVerdict::head_missing: return "head_missing";
        case AuditVerdict::whole: return "whole";
    }
    return "unknown";
}

void HeadSearch::next(const LogEntry& entry) {
    head_ = crypto::keys::next_head(head_, entry.line);
    ++place_;
    if (head_ == wanted_) found_ = place_;
}

void conclude(AuditReport& report, const AuditKnowledge& known, std::uint64_t known_at) {
    report.known_at = known_at;
    report.verdict = verdict_of(report.audit, known, known_at);
    report.entry = report.audit.finding ? report.audit.finding->number : report.audit.count;
    report.text = text_of(report);
}

Result<AuditReport> audit_store(const std::filesystem::path& file, const AuditKnowledge& known) {
    std::vector<LogEntry>
        early;  // the store's id, where the chain begins, is known at the end only
    auto audit = crypto::keys::audit_sealed_file(file, [&](const LogEntry& entry) {
        if (known.head) early.push_back(entry);
    });
    if (!audit) return store_refusal(file.string(), audit.error());
    AuditReport report;
    report.audit = *std::move(audit);
    HeadSearch search{known, report.audit.identity.id};
    for (const LogEntry& entry : early) search.next(entry);
    conclude(report, known, search.found());
    return report;
}

}  // namespace host::keys
