#pragma once
// What the city's books say, as JSON. docs/host.md, 5.
#include <map>
#include <string>

#include "host/clearing/issuer.hpp"

namespace host {

/// One card's sums, from the ledger's postings alone.
struct CardSums {
    protocol::Fen loaded;
    protocol::Fen spent;
    protocol::Fen disputed;
    friend bool operator==(const CardSums&, const CardSums&) = default;
};
/// Inside a transaction.
[[nodiscard]] std::map<protocol::CardNumber, CardSums> card_sums(store::Store& store);

struct ReportOptions {
    bool full_numbers = false;  ///< card numbers whole: only for a match with the cards themselves
};
/// Inside a transaction.
[[nodiscard]] std::string report_json(store::Store& store, const City& city,
                                      const ReportOptions& options);
[[nodiscard]] std::string day_json(store::Store& store, const City& city, const store::DayRow& day);
/// Chain, totals, and the cards' rows against the postings.
struct VerifyAnswer {
    bool ok = false;
    std::string json;
};
[[nodiscard]] VerifyAnswer verify_json(store::Store& store);
/// From the record to the settlement line. Nothing when this city never decided such a debit.
[[nodiscard]] std::optional<std::string> trace_json(store::Store& store, const City& city,
                                                    const clearing::DebitKey& key);

}  // namespace host
