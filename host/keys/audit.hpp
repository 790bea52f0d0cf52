#pragma once
// What an auditor is told of a log, in words. docs/audit.md.
#include <filesystem>
#include <optional>
#include <string>

#include "crypto/keys/sealed_file.hpp"
#include "host/keys/refusal.hpp"

namespace host::keys {

/// What the auditor knows from elsewhere; without it, a whole file put back, or one made anew with
/// another key, cannot be told from the right one.
struct AuditKnowledge {
    std::optional<std::array<std::uint8_t, 64>> audit_key;  ///< x | y: city.json, minutes
    std::optional<crypto::keys::LogHead> head;              ///< of an earlier audit or of minutes
};

enum class AuditVerdict : std::uint8_t {  // The first that applies.
    other_key,             ///< the store names another audit key than the one expected
    entry_fault,           ///< an entry is missing, out of place or altered: `entry` says which
    truncated,             ///< the log ends before the number of entries that the header promises
    custodians_malformed,  ///< the entries are right, but nobody can open the store
    state_unsigned,  ///< all entries are right, but something else in the file is not what was
                     ///< signed
    head_missing,    ///< the log never had the head written down elsewhere: put back or rewritten
    whole,
};
[[nodiscard]] const char* name(AuditVerdict verdict);

struct AuditReport {
    AuditVerdict verdict = AuditVerdict::whole;
    crypto::keys::LogAudit audit;
    std::uint64_t entry = 0;     ///< the one concerned
    std::string state_fault;     ///< of an issuing state: which row is not what the log says
    std::uint64_t known_at = 0;  ///< the entry whose head was written down elsewhere
    std::string text;            ///< one sentence: what was found, and what that means
};

/// Follows the chain and remembers where it had the head that somebody wrote down.
class HeadSearch {
public:
    HeadSearch(const AuditKnowledge& known, const crypto::keys::LogOwner& owner)
        : wanted_{known.head}, head_{crypto::keys::first_head(owner)} {}
    void next(const crypto::keys::LogEntry& entry);
    /// The entry's number; 0: nowhere.
    [[nodiscard]] std::uint64_t found() const { return found_; }

private:
    std::optional<crypto::keys::LogHead> wanted_;
    crypto::keys::LogHead head_;
    std::uint64_t place_ = 0;
    std::uint64_t found_ = 0;
};

/// Fills verdict, entry and text from `report.audit`.
void conclude(AuditReport& report, const AuditKnowledge& known, std::uint64_t known_at);

[[nodiscard]] Result<AuditReport> audit_store(const std::filesystem::path& file,
                                              const AuditKnowledge& known);

}  // namespace host::keys
