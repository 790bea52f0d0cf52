#pragma once
// Entries of the ledger: what may be posted, and the chain that makes the past immutable.
// docs/ledger.md, 2 and 3. Pure: storage is host/store's.
#include <expected>
#include <map>
#include <string>
#include <vector>

#include "crypto/core/sm3.hpp"
#include "host/ledger/account.hpp"
#include "protocol/bytes.hpp"
#include "protocol/date_time.hpp"
#include "protocol/money.hpp"

namespace host::ledger {

using protocol::Fen;

/// Which part of the business an entry belongs to. In files: only add.
enum class EntryClass : std::uint8_t {
    loading = 1,     ///< cash becomes stored value
    clearing = 2,    ///< stored value becomes debts between participants: the day's positions
    settlement = 3,  ///< debts become money at the bank
};
[[nodiscard]] std::string_view name(EntryClass entry_class);

/// One amount from one account to another: both sides are equal by construction.
struct Posting {
    Account debit;
    Account credit;
    Fen amount;
    std::uint32_t index = 0;    ///< of the record in the entry's source
    protocol::CardNumber card;  ///< all zero when no card is concerned
    friend bool operator==(const Posting&, const Posting&) = default;
};

/// What one commit adds: postings with one cause.
struct Entry {
    EntryClass entry_class = EntryClass::clearing;
    protocol::Date business_date;
    std::string source;  ///< "batch/17", "peer/3200/5", "load/0000000000000001/3", "day/20260105"
    std::vector<Posting> postings;
};

enum class PostRefusal : std::uint8_t {  // In the order they are checked.
    entry_empty,
    amount_not_positive,
    accounts_equal,       ///< from an account to itself
    account_not_allowed,  ///< a purpose with the wrong kind of participant, or foreign to the class
    total_overflows,      ///< an account's turnover would pass 2^63 - 1 fen
    pending_exceeded,     ///< more would leave load_pending than ever came in
};
[[nodiscard]] std::string_view name(PostRefusal refusal);

/// An account's turnover. Balance on the credit side: credits - debits.
struct Totals {
    Fen debits;
    Fen credits;
    friend bool operator==(const Totals&, const Totals&) = default;
    [[nodiscard]] Fen balance() const { return *subtract(credits, debits); }  // both are >= 0
};
using TotalsByAccount = std::map<Account, Totals>;

/// What the entry adds to each account, or why it may not be posted. Nothing when it does not fit.
[[nodiscard]] std::expected<TotalsByAccount, PostRefusal> turnover(const Entry& entry);
/// `before` after `added`: refuses what would break an account.
[[nodiscard]] std::expected<Totals, PostRefusal> advance(const Account& account,
                                                         const Totals& before, const Totals& added);

using ChainDigest = crypto::Sm3Digest;
/// Of entry `number`, the first being 1, after the chain's digest so far (zeros before the first):
/// SM3(previous | number | class | date | source | postings). docs/ledger.md, 3.
[[nodiscard]] ChainDigest chain(const ChainDigest& previous, std::int64_t number,
                                const Entry& entry);

}  // namespace host::ledger
