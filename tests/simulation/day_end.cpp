// The end of a simulated day: everybody is well again, everything arrives, the cities settle.
#include <fmt/format.h>

#include "host/day/calendar.hpp"
#include "host/ledger/book.hpp"
#include "tests/simulation/day.hpp"

namespace simulation {

namespace {

constexpr int rounds_max = 200;
constexpr int storm_events = 12;

void demand(bool holds, const std::string& what) {
    if (!holds) throw Violation{what};
}

std::int64_t from_to(const std::vector<host::store::SettlementLineRow>& lines,
                     const host::ledger::Participant& from, const host::ledger::Participant& to) {
    std::int64_t sum = 0;
    for (const auto& line : lines) {
        if (line.from == from && line.to == to) sum += line.amount.value();
    }
    return sum;
}

}  // namespace

void Day::calm_network() {
    network_.set_faults({});
    for (City& city : cities_) {
        city.process->accepts_calls = true;
    }
    while (network_.deliver_late()) {
        check();
    }
}

void Day::calm() {
    calm_network();
    for (const auto& card : cards_) {
        demand(home_of(*card).kiosk->settle(card->chip, card->plan.number),
               "a load does not come to its end");
        see_load(*card);
        check();
    }
    settle_network();
}

void Day::settle_network() {
    for (int round = 0; round < rounds_max; ++round) {
        bool busy = false;
        clock_.advance_ms(60'000);
        for (City& city : cities_) {
            city.kiosk->retry();
            for (const auto& gate : city.gates) {
                gate->flush();
            }
            while (city.process->host().work()) {
                busy = true;
                check();
            }
            busy = send_mail(city) || busy;
            check();
        }
        if (!busy) return;
    }
    throw Violation{"the cities do not come to rest"};
}

// Each traveller with a torn tap comes to the gate that waits for him.
void Day::resolve_torn_taps() {
    for (const auto& card : cards_) {
        for (City& city : cities_) {
            for (const auto& gate : city.gates) {
                if (gate->journal().of(card->plan.number).empty()) continue;
                clock_.advance_ms(60'000);
                tap(*card, city, *gate, {});
                check();
            }
        }
    }
    settle_network();
}

// What happens to the cities while they close their day.
void Day::storm() {
    set_network_faults();
    for (int i = 0; i < storm_events; ++i) {
        clock_.advance_ms(1'000);
        const std::uint64_t dice = below(5);
        if (dice < 2) {
            work();
        } else if (dice < 4 || !plan_.faults.processes_killed) {
            exchange();
        } else {
            kill();
        }
        check();
    }
    calm_network();
}

// While gates are busy and messages are under way; the cities do not do it together.
void Day::close_first_day(City& city) {
    note(fmt::format("close {:04X}", city.plan.code.value()));
    demand(host::day::begin_close(city.process->store(), first_day_, first_day_).has_value(),
           "the first day does not close");
}

void Day::close() {
    const protocol::Date second_day = host::day::next_day(first_day_);
    for (City& city : cities_) {
        for (int twice = 0; twice < 2; ++twice) {  // the second time changes nothing
            const auto begun =
                host::day::begin_close(city.process->store(), second_day, second_day);
            demand(begun.has_value(), "the day does not close");
            storm();
        }
    }
    settle_network();
    for (City& city : cities_) {
        for (const auto& date : {first_day_, second_day, first_day_}) {
            const auto settled =
                host::day::settle(city.process->store(), city.process->city(), date);
            demand(settled.has_value(),
                   settled ? ""
                           : fmt::format("city {:04X} does not settle: {}", city.plan.code.value(),
                                         host::day::name(settled.error().why)));
        }
    }
    check();
}

// Both cities write the same lines between them for this date.
void Day::check_lines(const protocol::Date& date) {
    std::vector<std::vector<host::store::SettlementLineRow>> lines;
    for (City& city : cities_) {
        look(city.process->store(),
             [&] { lines.push_back(city.process->store().settlement_lines(date)); });
    }
    for (std::size_t a = 0; a < cities_.size(); ++a) {
        for (std::size_t b = 0; b < cities_.size(); ++b) {
            if (a == b) continue;
            const auto from = host::ledger::Participant::of(cities_[a].plan.code);
            const auto to = host::ledger::Participant::of(cities_[b].plan.code);
            const std::int64_t said_by_payer = from_to(lines[a], from, to);
            demand(said_by_payer == from_to(lines[b], from, to),
                   "two cities write different settlement lines");
            report_.settled_fen += said_by_payer;
        }
    }
}

void Day::check_end() {
    const Sums& sums = report_.sums;
    std::string open;
    for (City& city : cities_) open += open_debits_text(*city.process, cards_);
    demand(open.empty(),
           fmt::format("{} fen are in transit in the end: {}", sums.in_transit, open));
    demand(sums.load_pending == 0, "a load is pending in the end");
    demand(sums.disputed_in_error == 0, "a dispute about nothing is open in the end");
    for (City& city : cities_) {
        look(city.process->store(), [&] {
            demand(host::ledger::verify(city.process->store()).ok(), "a ledger does not verify");
        });
        for (const auto& gate : city.gates) {
            const auto counts = gate->journal().counts();
            demand(counts && counts->pending == 0 && counts->unbatched == 0 &&
                       counts->unacknowledged_batches == 0 && counts->incomplete_results == 0,
                   "a gate has entries that nobody decided");
        }
    }
    check_lines(first_day_);
    check_lines(host::day::next_day(first_day_));
}

}  // namespace simulation
