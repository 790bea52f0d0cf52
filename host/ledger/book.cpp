#include "host/ledger/book.hpp"

namespace host::ledger {

std::expected<std::int64_t, PostRefusal> post(LedgerRows& rows, const Entry& entry) {
    ONECARD_TRY(added, turnover(entry));
    TotalsByAccount after;
    for (const auto& [account, totals] : added) {
        ONECARD_TRY(next, advance(account, rows.totals(account), totals));
        after.emplace(account, next);
    }
    for (const auto& [account, totals] : after) rows.put_totals(account, totals);
    for (const auto& [account, totals] : added) {
        rows.add_day_totals(entry.business_date, entry.entry_class, account, totals);
    }
    const ChainEnd end = rows.chain_end();
    const std::int64_t number = end.number + 1;
    rows.insert_entry({number, entry, chain(end.digest, number, entry)});
    return number;
}

VerifyReport verify(LedgerRows& rows) {
    VerifyReport out;
    TotalsByAccount recomputed;
    ChainDigest previous{};
    rows.each_entry([&](const StoredEntry& stored) {
        ++out.entries;
        out.postings += static_cast<std::int64_t>(stored.entry.postings.size());
        const bool linked = stored.number == out.entries &&
                            stored.digest == chain(previous, stored.number, stored.entry);
        const auto added = turnover(stored.entry);
        if ((!linked || !added) && out.chain_unbroken) {
            out.chain_unbroken = false;
            out.first_broken_entry = out.entries;
        }
        previous = stored.digest;
        if (!added) return true;
        for (const auto& [account, totals] : *added) {
            if (const auto next = advance(account, recomputed[account], totals)) {
                recomputed[account] = *next;
            }
        }
        return true;
    });
    if (rows.chain_end().number != out.entries && out.chain_unbroken) {
        out.chain_unbroken = false;
        out.first_broken_entry = out.entries + 1;
    }
    TotalsByAccount stored = rows.all_totals();
    for (const auto& [account, totals] : recomputed) {
        const auto found = stored.find(account);
        if (found == stored.end() || found->second != totals) {
            out.wrong_totals.push_back(account.text());
        }
    }
    for (const auto& [account, totals] : stored) {
        if (!recomputed.contains(account)) out.wrong_totals.push_back(account.text());
    }
    return out;
}

}  // namespace host::ledger
