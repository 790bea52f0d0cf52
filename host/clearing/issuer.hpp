#pragma once
// The issuer at work: many records of our own cards against the store, inside its open transaction.
#include <span>

#include "host/ledger/entry.hpp"
#include "host/service/city.hpp"
#include "host/store/store.hpp"

namespace host::clearing {

struct Submitted {
    BatchRecord record;
    protocol::OperatorId operator_id;
    store::RecordPlace place;
    ledger::Account payee;   ///< who is credited when it is accepted
    bool key_known = false;  ///< check_tacs() fills these two
    bool tac_genuine = false;
};

/// Verifies every TAC at once (crypto/batch), outside the transaction.
void check_tacs(const Keys& keys, std::span<Submitted> records, unsigned threads);

struct Circumstances {
    const City& city;
    protocol::DateTime now;
    protocol::Date business_date;
};

struct Booked {
    std::vector<protocol::RecordOutcome> outcomes;  ///< one for each record, in order
    std::vector<ledger::Posting> postings;          ///< to be posted by the caller, as one entry
};

/// Decides the records in order. Writes cards, claims, held entries, amended results and
/// exceptions; the postings are the caller's.
[[nodiscard]] Booked decide_all(store::Store& store, const Circumstances& at,
                                std::span<const Submitted> records);

/// "3100-000000000011-0000002A": how a debit is called in exceptions and traces.
[[nodiscard]] std::string text(const DebitKey& key);

}  // namespace host::clearing
