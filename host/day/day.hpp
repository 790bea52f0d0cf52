#pragma once
// The business day: its states, positions, statements and settlement. docs/day.md. Each step is one
// transaction and may be asked for again: a step that was done does nothing.
#include "host/netting/netting.hpp"
#include "host/service/city.hpp"
#include "host/store/store.hpp"

namespace host::day {

using protocol::Date;
using store::DayState;

[[nodiscard]] const char* name(DayState state);

enum class DayRefusal : std::uint8_t {  // In the order they are checked.
    day_unknown,                        ///< this city never opened it
    day_in_future,                      ///< a day after today is not over
    day_not_open,                       ///< only the open day can be closed
    day_not_closed,                     ///< statements and netting need a verified day
    statement_refused,   ///< malformed, of another city, day or mark, or its signature is wrong
    statements_missing,  ///< not every other city has sent its own
    statements_differ,   ///< two cities' books disagree: an exception was raised
    not_netted,          ///< only a netted day can be settled
    posting_refused,     ///< a broken invariant: run ledger verify
    key_failed,          ///< the statement could not be signed
    store_failed,
};
[[nodiscard]] const char* name(DayRefusal refusal);
struct Refused {
    DayRefusal why;
    std::string detail;
};
template <class T>
using DayResult = std::expected<T, Refused>;

/// The first day of an empty store. Does nothing in another.
[[nodiscard]] DayResult<void> open_first(store::Store& store, const Date& date);

/// open -> closing, and the next day is open. A day that is closing or later: nothing to do. An
/// open day after `today` is refused: `day_in_future`.
[[nodiscard]] DayResult<void> begin_close(store::Store& store, const Date& date, const Date& today);

/// closing -> verified when nothing of the day is pending any more, with our statement, signed.
/// Answers the state.
[[nodiscard]] DayResult<DayState> try_verify(store::Store& store, const City& city,
                                             const Keys& keys, const Date& date);

/// A statement from another city (or its answer to ours) is checked and kept. Answers our own: for
/// a day before our first one an empty one, signed now, so that an older neighbour's first days
/// net.
struct StatementAnswer {
    bool agree = false;  ///< what each says about the other matches
    store::FileBytes ours;
};
[[nodiscard]] DayResult<StatementAnswer> receive_statement(store::Store& store, const City& city,
                                                           const Keys& keys,
                                                           protocol::CityCode from,
                                                           protocol::Bytes statement);

/// verified -> netted when every city's statement is there and all pairs agree: settlement lines
/// between cities over the whole table, and from this city to its operators. Answers the state.
[[nodiscard]] DayResult<DayState> try_net(store::Store& store, const City& city, const Date& date);

/// netted -> settled: the lines that concern us are posted as paid.
[[nodiscard]] DayResult<void> settle(store::Store& store, const City& city, const Date& date);

/// What each participant is to receive (negative: to pay), from the ledger's clearing entries of
/// the date alone. Their sum is zero. Inside a transaction.
[[nodiscard]] netting::Positions positions(store::Store& store, const City& city, const Date& date);

}  // namespace host::day
