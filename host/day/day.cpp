#include "host/day/day.hpp"

#include <cassert>

#include <fmt/format.h>

#include "host/day/calendar.hpp"
#include "host/day/statements.hpp"
#include "host/ledger/book.hpp"
#include "host/store/decide.hpp"

namespace host::day {
namespace {

using ledger::Account;
using ledger::EntryClass;
using ledger::Participant;
using ledger::Purpose;
using netting::Debt;
using protocol::CityCode;
using protocol::Fen;
using store::SettlementLineRow;
using store::Store;

std::unexpected<Refused> refuse(DayRefusal why, std::string detail = {}) {
    return std::unexpected{Refused{why, std::move(detail)}};
}

template <class T, class Decide>
DayResult<T> in_transaction(Store& store, const Decide& decide) {
    return store::decide_in_transaction<T, Refused>(store, DayRefusal::store_failed, decide);
}

// Between cities: everyone's statements are netted together, so that every city computes the same
// payments. To operators: each city pays its own.
DayResult<std::vector<SettlementLineRow>> lines_of(Store& store, const City& city,
                                                   const Date& date) {
    ONECARD_TRY(debts, debts_of(store, city, date));
    const auto city_positions = netting::positions_of(debts);
    if (!city_positions) {
        return refuse(DayRefusal::posting_refused, netting::name(city_positions.error()));
    }
    const auto netted = netting::net(*city_positions);
    if (!netted) return refuse(DayRefusal::posting_refused, netting::name(netted.error()));
    std::vector<SettlementLineRow> out;
    for (const Debt& debt : *netted) {
        const bool ours = debt.from == city.participant() || debt.to == city.participant();
        if (ours) out.push_back({debt.from, debt.to, debt.amount});
    }
    for (const auto& [who, amount] : positions(store, city, date)) {
        if (who.is_city() || amount == Fen{0}) continue;
        if (amount > Fen{0}) {
            out.push_back({city.participant(), who, amount});
        } else {
            out.push_back({who, city.participant(), Fen{-amount.value()}});
        }
    }
    return out;
}

void post_pair(std::vector<ledger::Posting>& out, const Account& debit, const Account& credit,
               Fen amount) {
    if (amount != Fen{0}) out.push_back({debit, credit, amount, 0, {}});
}

// Bilateral debts become net ones, then payments: docs/ledger.md, 2.
std::vector<ledger::Posting> settlement_postings(Store& store, const City& city, const Date& date) {
    std::vector<ledger::Posting> out;
    const Account net{Purpose::netting, city.participant()};
    const Account bank{Purpose::bank, city.participant()};
    for (const auto& [account, totals] : store.day_totals(date, EntryClass::clearing)) {
        const Fen balance = totals.balance();
        if (account.purpose == Purpose::due_to) post_pair(out, account, net, balance);
        if (account.purpose == Purpose::due_from) {
            post_pair(out, net, account, Fen{-balance.value()});
        }
    }
    for (const SettlementLineRow& line : store.settlement_lines(date)) {
        const bool pay = line.from == city.participant();
        const Participant other = pay ? line.to : line.from;
        const Account owed = other.is_city() ? net : Account{Purpose::payable, other};
        if (pay) {
            post_pair(out, owed, bank, line.amount);
        } else {
            post_pair(out, bank, owed, line.amount);
        }
    }
    return out;
}

// A day that ended before this city began: nothing can have been booked on it. Signed once, so that
// the same statement gets the same answer.
DayResult<void> state_nothing(Store& store, const City& city, const Keys& keys, const Date& date) {
    if (statement_of(store, date, city.code)) return {};
    const auto statement = make_statement(store, city, keys, date);
    if (!statement) return refuse(DayRefusal::key_failed, "SM2 signature");
    store.put_statement(date, {city.code, *statement});
    return {};
}

bool before_first_day(Store& store, const Date& date) {
    const auto days = store.all_days();
    return !days.empty() && date < days.front().date;
}

DayResult<store::DayRow> find_day(Store& store, const Date& date) {
    const auto row = store.day(date);
    if (!row) return refuse(DayRefusal::day_unknown, "this city never opened that day");
    return *row;
}

}  // namespace

const char* name(DayState state) {
    switch (state) {
        case DayState::open: return "open";
        case DayState::closing: return "closing";
        case DayState::verified: return "verified";
        case DayState::netted: return "netted";
        case DayState::settled: return "settled";
    }
    return "unknown";
}

const char* name(DayRefusal refusal) {
    switch (refusal) {
        case DayRefusal::day_unknown: return "day_unknown";
        case DayRefusal::day_in_future: return "day_in_future";
        case DayRefusal::day_not_open: return "day_not_open";
        case DayRefusal::day_not_closed: return "day_not_closed";
        case DayRefusal::statement_refused: return "statement_refused";
        case DayRefusal::statements_missing: return "statements_missing";
        case DayRefusal::statements_differ: return "statements_differ";
        case DayRefusal::not_netted: return "not_netted";
        case DayRefusal::posting_refused: return "posting_refused";
        case DayRefusal::key_failed: return "key_failed";
        case DayRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

DayResult<void> open_first(Store& store, const Date& date) {
    const auto done = in_transaction<bool>(store, [&]() -> DayResult<bool> {
        if (!store.open_day()) store.put_day({date, DayState::open});
        return true;
    });
    if (!done) return std::unexpected{done.error()};
    return {};
}

DayResult<void> begin_close(Store& store, const Date& date, const Date& today) {
    const auto done = in_transaction<bool>(store, [&]() -> DayResult<bool> {
        ONECARD_TRY(row, find_day(store, date));
        if (row.state != DayState::open) return false;
        if (date > today) {
            return refuse(DayRefusal::day_in_future,
                          fmt::format("{} is open, but today is {}: the day before it is closed "
                                      "already",
                                      platform_date(date), platform_date(today)));
        }
        store.put_day({date, DayState::closing});
        store.put_day({next_day(date), DayState::open});
        return true;
    });
    if (!done) return std::unexpected{done.error()};
    return {};
}

DayResult<DayState> try_verify(Store& store, const City& city, const Keys& keys, const Date& date) {
    return in_transaction<DayState>(store, [&]() -> DayResult<DayState> {
        ONECARD_TRY(row, find_day(store, date));
        if (row.state != DayState::closing) return row.state;
        if (store.unfinished_batches(date) != 0 || store.unanswered_messages(date) != 0) {
            return row.state;
        }
        const auto statement = make_statement(store, city, keys, date);
        if (!statement) return refuse(DayRefusal::key_failed, "SM2 signature");
        store.put_statement(date, {city.code, *statement});
        store.put_day({date, DayState::verified});
        return DayState::verified;
    });
}

DayResult<StatementAnswer> receive_statement(Store& store, const City& city, const Keys& keys,
                                             CityCode from, protocol::Bytes statement) {
    const auto view = protocol::StatementView::parse(statement);
    if (!view) return refuse(DayRefusal::statement_refused, protocol::name(view.error()));
    if (const auto why = statement_defect(city, from, *view)) {
        return refuse(DayRefusal::statement_refused, *why);
    }
    const Date date = view->header().business_date;
    return in_transaction<StatementAnswer>(store, [&]() -> DayResult<StatementAnswer> {
        const bool before = before_first_day(store, date);
        DayState state = DayState::verified;
        if (before) {
            ONECARD_CHECK(state_nothing(store, city, keys, date));
        } else {
            ONECARD_TRY(row, find_day(store, date));
            state = row.state;
        }
        if (state == DayState::open || state == DayState::closing) {
            return refuse(DayRefusal::day_not_closed, name(state));
        }
        // Once netted, the statements that were netted are the evidence: they stay.
        if (state == DayState::verified) {
            store.put_statement(date, {from, {statement.begin(), statement.end()}});
        }
        const auto ours = statement_of(store, date, city.code);
        if (!ours) return refuse(DayRefusal::store_failed, "our own statement is missing");
        const auto own_view = protocol::StatementView::parse(*ours);
        return StatementAnswer{own_view && pair_agrees(*own_view, *view), *ours};
    });
}

DayResult<DayState> try_net(Store& store, const City& city, const Date& date) {
    return in_transaction<DayState>(store, [&]() -> DayResult<DayState> {
        ONECARD_TRY(row, find_day(store, date));
        if (row.state == DayState::netted || row.state == DayState::settled) return row.state;
        if (row.state != DayState::verified) {
            return refuse(DayRefusal::day_not_closed, name(row.state));
        }
        ONECARD_TRY(lines, lines_of(store, city, date));
        store.put_settlement_lines(date, lines);
        store.put_day({date, DayState::netted});
        return DayState::netted;
    });
}

DayResult<void> settle(Store& store, const City& city, const Date& date) {
    const auto done = in_transaction<bool>(store, [&]() -> DayResult<bool> {
        ONECARD_TRY(row, find_day(store, date));
        if (row.state == DayState::settled) return false;
        if (row.state != DayState::netted) return refuse(DayRefusal::not_netted, name(row.state));
        ledger::Entry entry{EntryClass::settlement, date,
                            fmt::format("day/{}", platform_date(date)),
                            settlement_postings(store, city, date)};
        if (!entry.postings.empty()) {
            const auto posted = ledger::post(store, entry);
            if (!posted) {
                return refuse(DayRefusal::posting_refused,
                              std::string{ledger::name(posted.error())});
            }
        }
        store.put_day({date, DayState::settled});
        return true;
    });
    if (!done) return std::unexpected{done.error()};
    return {};
}

netting::Positions positions(Store& store, const City& city, const Date& date) {
    netting::Positions out{{city.participant(), Fen{0}}};
    for (const auto& [account, totals] : store.day_totals(date, EntryClass::clearing)) {
        // stored_value and dispute are the issuer's own: what left its cards is what it owes.
        const bool own =
            account.purpose == Purpose::stored_value || account.purpose == Purpose::dispute;
        Fen& position = out[own ? city.participant() : account.participant];
        const auto sum = add(position, totals.balance());
        assert(sum);  // bounded by the accounts' own totals
        position = *sum;
    }
    return out;
}

}  // namespace host::day
