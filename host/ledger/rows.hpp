#pragma once
// What the ledger needs of a store. After a failure of the store every read answers nothing and
// every write does nothing; only the transaction's end tells (host/store/store.hpp, S1).
#include <functional>
#include <optional>

#include "host/ledger/entry.hpp"

namespace host::ledger {

struct ChainEnd {
    std::int64_t number = 0;  ///< of the last entry; 0: none yet
    ChainDigest digest{};
};
struct StoredEntry {
    std::int64_t number = 0;
    Entry entry;
    ChainDigest digest{};
};
struct DayTotals {
    Account account;
    Totals totals;
};

class LedgerRows {
public:
    virtual ~LedgerRows() = default;
    [[nodiscard]] virtual ChainEnd chain_end() = 0;
    virtual void insert_entry(const StoredEntry& entry) = 0;
    /// Zero when the account is new.
    [[nodiscard]] virtual Totals totals(const Account& account) = 0;
    virtual void put_totals(const Account& account, const Totals& totals) = 0;
    virtual void add_day_totals(const protocol::Date& date, EntryClass entry_class,
                                const Account& account, const Totals& added) = 0;
    [[nodiscard]] virtual std::vector<DayTotals> day_totals(const protocol::Date& date,
                                                            EntryClass entry_class) = 0;
    [[nodiscard]] virtual TotalsByAccount all_totals() = 0;
    /// In order, one at a time, from the first. Stops when `visit` answers false.
    virtual void each_entry(const std::function<bool(const StoredEntry&)>& visit) = 0;
};

}  // namespace host::ledger
