#pragma once
// What our ledger says about other cities on a day, signed; and whether two such sheets agree.
// docs/day.md, 3.
#include "host/day/day.hpp"

namespace host::day {

/// "20260105".
[[nodiscard]] std::string platform_date(const Date& date);

/// One line for every peer. Inside a transaction; nothing when it cannot be signed.
[[nodiscard]] std::optional<store::FileBytes> make_statement(store::Store& store, const City& city,
                                                             const Keys& keys, const Date& date);
/// Why a statement that parsed is not one of city `from` to us: mark, city, signature.
[[nodiscard]] std::optional<std::string> statement_defect(const City& city, protocol::CityCode from,
                                                          const protocol::StatementView& view);
/// What a says it owes b is what b says a owes it, and the other way round, sums and counts.
[[nodiscard]] bool pair_agrees(const protocol::StatementView& a, const protocol::StatementView& b);

[[nodiscard]] std::optional<store::FileBytes> statement_of(store::Store& store, const Date& date,
                                                           protocol::CityCode city);
/// Every debt between any two cities, from all cities' statements. Refuses unless every one is
/// there and all pairs agree. Inside a transaction.
[[nodiscard]] DayResult<std::vector<netting::Debt>> debts_of(store::Store& store, const City& city,
                                                             const Date& date);

}  // namespace host::day
