#pragma once
// The issuing state's own log: one chained, signed entry in the commit of every change.
// docs/audit.md, docs/issuing.md, 6.
#include "host/keys/audit.hpp"
#include "host/keys/issue_store.hpp"

namespace host::keys {

/// Signs with the audit key of the issuer's key store, which outlives the hook, as does the clock.
/// The log begins with an empty state only. Refuses a state whose log another store began, whose
/// log is gone, or has not an entry for each event.
[[nodiscard]] ChangeHook audit_hook(const KeyStore& keys, const platform::Clock& clock);

/// Everything in `file`, without changing it: the chain, and every row that it vouches for. `each`
/// gets every entry that is whole.
[[nodiscard]] Result<AuditReport> audit_issuing_state(
    const std::filesystem::path& file, const AuditKnowledge& known,
    const std::function<void(const crypto::keys::LogEntry&)>& each = {});
/// The same inside a transaction of `database`; `file` is its name in refusals.
[[nodiscard]] Result<AuditReport> audit_issuing_state(
    platform::sqlite::Database& database, const std::filesystem::path& file,
    const AuditKnowledge& known,
    const std::function<void(const crypto::keys::LogEntry&)>& each = {});
/// Whose log it says it is: id and audit key. A log that was not begun is `file_failed`.
[[nodiscard]] Result<crypto::keys::StoreIdentity> issuing_state_owner(
    platform::sqlite::Database& database, const std::filesystem::path& file);
/// True for an issuing state, by its first bytes; false for a key store and anything else.
[[nodiscard]] bool is_issuing_state(const std::filesystem::path& file);

}  // namespace host::keys
