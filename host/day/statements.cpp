#include "host/day/statements.hpp"

#include <fmt/format.h>

namespace host::day {
namespace {

using ledger::Participant;
using ledger::Purpose;
using protocol::CityCode;
using protocol::Fen;
using protocol::StatementHeader;
using protocol::StatementLine;
using protocol::StatementView;
using store::FileBytes;
using store::Store;

std::uint64_t balance_of(const std::vector<ledger::DayTotals>& totals, Purpose purpose,
                         CityCode city) {
    const ledger::Account wanted{purpose, Participant::of(city)};
    const auto found = std::ranges::find(totals, wanted, &ledger::DayTotals::account);
    if (found == totals.end()) return 0;
    const std::int64_t balance = found->totals.balance().value();
    return static_cast<std::uint64_t>(balance < 0 ? -balance : balance);
}

std::optional<StatementLine> line_about(const StatementView& view, CityCode other) {
    for (std::size_t i = 0; i < view.size(); ++i) {
        if (view.line(i).other == other) return view.line(i);
    }
    return std::nullopt;
}

}  // namespace

std::string platform_date(const Date& date) {
    return fmt::format("{:04}{:02}{:02}", date.year(), date.month(), date.day());
}

std::optional<FileBytes> make_statement(Store& store, const City& city, const Keys& keys,
                                        const Date& date) {
    const auto totals = store.day_totals(date, ledger::EntryClass::clearing);
    std::vector<StatementLine> lines;
    for (const Peer& peer : city.peers) {
        lines.push_back({peer.city, balance_of(totals, Purpose::due_to, peer.city),
                         balance_of(totals, Purpose::due_from, peer.city),
                         store.peer_count(date, peer.city, true),
                         store.peer_count(date, peer.city, false)});
    }
    std::ranges::sort(lines);
    FileBytes out;
    const auto append = [&](protocol::Bytes bytes) {
        out.insert(out.end(), bytes.begin(), bytes.end());
    };
    append(StatementHeader{city.mark, city.code, date, static_cast<std::uint16_t>(lines.size())}
               .bytes());
    for (const StatementLine& line : lines) append(line.bytes());
    const auto signature = keys.sign_statement(out);
    if (!signature) return std::nullopt;
    append(*signature);
    return out;
}

std::optional<std::string> statement_defect(const City& city, CityCode from,
                                            const StatementView& view) {
    const Peer* const peer = city.peer(from);
    if (peer == nullptr || view.header().city != from) {
        return fmt::format("city {:04X} speaks for {:04X}", from.value(),
                           view.header().city.value());
    }
    if (view.header().mark != city.mark) return "rehearsal and live statements do not mix";
    if (!signature_is_right(peer->public_key, view.signed_bytes(), view.signature())) {
        return fmt::format("not signed by the key we hold for city {:04X}", from.value());
    }
    return std::nullopt;
}

bool pair_agrees(const StatementView& a, const StatementView& b) {
    const auto by_a = line_about(a, b.header().city);
    const auto by_b = line_about(b, a.header().city);
    return by_a && by_b && by_a->owed_to_fen == by_b->owed_from_fen &&
           by_a->owed_from_fen == by_b->owed_to_fen &&
           by_a->owed_to_count == by_b->owed_from_count &&
           by_a->owed_from_count == by_b->owed_to_count;
}

std::optional<FileBytes> statement_of(Store& store, const Date& date, CityCode city) {
    for (auto& row : store.statements(date)) {
        if (row.city == city) return std::move(row.file);
    }
    return std::nullopt;
}

DayResult<std::vector<netting::Debt>> debts_of(Store& store, const City& city, const Date& date) {
    const auto rows = store.statements(date);
    if (rows.size() != city.peers.size() + 1) {
        return std::unexpected{Refused{DayRefusal::statements_missing,
                                       fmt::format("{} of {} cities' statements are here",
                                                   rows.size(), city.peers.size() + 1)}};
    }
    std::vector<StatementView> views;
    for (const auto& row : rows) {
        const auto view = StatementView::parse(row.file);
        if (!view) return std::unexpected{Refused{DayRefusal::store_failed, "statement"}};
        views.push_back(*view);
    }
    std::vector<netting::Debt> out;
    for (const StatementView& from : views) {
        for (const StatementView& to : views) {
            if (from.header().city == to.header().city) continue;
            if (!pair_agrees(from, to)) {
                return std::unexpected{
                    Refused{DayRefusal::statements_differ,
                            fmt::format("{:04X} and {:04X}", from.header().city.value(),
                                        to.header().city.value())}};
            }
            const auto owed = line_about(from, to.header().city)->owed_to_fen;
            if (owed == 0) continue;
            out.push_back({Participant::of(from.header().city), Participant::of(to.header().city),
                           Fen{static_cast<std::int64_t>(owed)}});
        }
    }
    return out;
}

}  // namespace host::day
