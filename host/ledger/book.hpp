#pragma once
// The book: posts entries inside the store's open transaction, and recomputes everything from them.
#include "host/ledger/rows.hpp"

namespace host::ledger {

/// Posts the entry: postings, totals and chain, all in the caller's transaction. A refusal has
/// written nothing; it is our own bug or a damaged store, so the caller abandons the transaction.
[[nodiscard]] std::expected<std::int64_t, PostRefusal> post(LedgerRows& rows, const Entry& entry);

struct VerifyReport {
    std::int64_t entries = 0;
    std::int64_t postings = 0;
    bool chain_unbroken = true;
    std::int64_t first_broken_entry = 0;    ///< 0: none
    std::vector<std::string> wrong_totals;  ///< accounts whose totals differ from their postings
    [[nodiscard]] bool ok() const { return chain_unbroken && wrong_totals.empty(); }
};
/// Everything again from the postings alone: chain and totals.
[[nodiscard]] VerifyReport verify(LedgerRows& rows);

}  // namespace host::ledger
