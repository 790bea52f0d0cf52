#include "host/service/report.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/day/day.hpp"
#include "host/day/statements.hpp"
#include "host/ledger/book.hpp"
#include "platform/mask.hpp"

namespace host {
namespace {

namespace json = boost::json;
using clearing::CardState;
using ledger::EntryClass;
using ledger::Posting;
using ledger::Purpose;
using protocol::Fen;
using store::Store;

Fen plus(Fen a, Fen b) {
    return add(a, b).value();  // bounded by the accounts' own totals
}
Fen minus(Fen a, Fen b) {
    return subtract(a, b).value();
}

json::object positions_json(Store& store, const City& city, const protocol::Date& date) {
    json::object out;
    for (const auto& [who, amount] : day::positions(store, city, date)) {
        out[who.text()] = amount.value();
    }
    return out;
}

json::array lines_json(Store& store, const protocol::Date& date) {
    json::array out;
    for (const auto& line : store.settlement_lines(date)) {
        out.push_back(json::object{{"from", line.from.text()},
                                   {"to", line.to.text()},
                                   {"amount_fen", line.amount.value()}});
    }
    return out;
}

json::object day_object(Store& store, const City& city, const store::DayRow& day) {
    return {{"date", day::platform_date(day.date)},
            {"state", day::name(day.state)},
            {"positions", positions_json(store, city, day.date)},
            {"settlement", lines_json(store, day.date)},
            {"unfinished_batches", store.unfinished_batches(day.date)},
            {"unanswered_messages", store.unanswered_messages(day.date)}};
}

// Every record of every batch this city received, by outcome.
json::object outcomes_json(Store& store, json::object& batches) {
    std::map<std::string_view, std::int64_t> counts;
    std::map<std::string, std::int64_t> flags;
    std::vector<store::BatchRow> rows;
    store.each_batch([&](const store::BatchRow& row) { rows.push_back(row); });
    std::int64_t records = 0;
    for (const auto& row : rows) {
        auto results = store.results(row.id);
        results.resize(row.record_count);
        records += row.record_count;
        for (const auto& result : results) {
            ++counts[protocol::name(result.outcome)];
            if (result.flags.counter_gap) ++flags["counter_gap"];
            if (result.flags.balance_break) ++flags["balance_break"];
        }
    }
    json::object flag_counts;
    for (const auto& [name, count] : flags) flag_counts[name] = count;
    batches = {{"count", rows.size()}, {"records", records}, {"flags", std::move(flag_counts)}};
    json::object out;
    for (const auto& [name, count] : counts) out[name] = count;
    return out;
}

json::object accounts_json(Store& store) {
    json::object out;
    for (const auto& [account, totals] : store.all_totals()) {
        out[account.text()] = json::object{{"debits_fen", totals.debits.value()},
                                           {"credits_fen", totals.credits.value()},
                                           {"balance_fen", totals.balance().value()}};
    }
    return out;
}

struct CityTotals {
    Fen loaded, pending, spent, disputed, returned, held;
};

json::array cards_json(Store& store, const ReportOptions& options, CityTotals& totals) {
    const auto sums = card_sums(store);
    std::map<protocol::CardNumber, Fen> held;
    for (const auto& row : store.all_held()) {
        if (row.entry.state != clearing::ClaimState::held) continue;
        held[row.card] = plus(held[row.card], Fen{row.entry.amount});
    }
    json::array out;
    store.each_card([&](const store::CardRow& row) {
        const auto found = sums.find(row.card);
        const CardSums sum = found != sums.end() ? found->second : CardSums{};
        const auto newest = row.state.newest_balances();
        json::object card{{"number", options.full_numbers ? platform::to_hex(row.card.value())
                                                          : platform::mask(row.card)},
                          {"loaded_fen", sum.loaded.value()},
                          {"load_pending_fen", row.state.load_pending.value()},
                          {"spent_fen", sum.spent.value()},
                          {"disputed_fen", sum.disputed.value()},
                          {"returned_fen", row.state.returned.value()},
                          {"held_fen", held[row.card].value()},
                          {"missing_counters", row.state.counters.missing()}};
        card["last_balance_fen"] = newest ? json::value(newest->after.fen()) : json::value{};
        card["last_counter"] = newest ? json::value(newest->counter.value()) : json::value{};
        out.push_back(std::move(card));
        totals.loaded = plus(totals.loaded, sum.loaded);
        totals.pending = plus(totals.pending, row.state.load_pending);
        totals.spent = plus(totals.spent, sum.spent);
        totals.disputed = plus(totals.disputed, sum.disputed);
        totals.returned = plus(totals.returned, row.state.returned);
        totals.held = plus(totals.held, held[row.card]);
    });
    return out;
}

json::array exceptions_json(Store& store) {
    json::array out;
    for (const auto& row : store.exceptions()) {
        out.push_back(json::object{{"id", row.id},
                                   {"date", day::platform_date(row.business_date)},
                                   {"kind", row.kind},
                                   {"reference", row.reference},
                                   {"detail", row.detail}});
    }
    return out;
}

std::string stamp(const protocol::DateTime& when) {
    return platform::to_hex(when.bcd());
}

json::object record_json(const protocol::BatchRecord& record) {
    return {{"card", platform::mask(record.card)},
            {"counter", record.counter.value()},
            {"balance_before_fen", record.balance_before.fen()},
            {"amount_fen", record.amount.fen()},
            {"when", stamp(record.when)},
            {"tac", platform::to_hex(record.tac)},
            {"line", record.line.value()},
            {"station", record.station.value()}};
}

// The record itself, out of the evidence: our own batch, or the peer's message is elsewhere.
json::object evidence_json(Store& store, const City& city, const store::RecordPlace& place) {
    if (place.acquirer != city.code) {
        return {{"message", fmt::format("peer/{:04X}/{}", place.acquirer.value(), place.carrier)},
                {"index", place.index}};
    }
    const store::BatchId id{place.carrier};
    const auto batch = store.batch(id);
    if (!batch) return {};
    json::object out{{"batch", id.value()},
                     {"device", platform::to_hex(batch->device.value())},
                     {"sequence", batch->sequence.value()},
                     {"operator", platform::to_hex(batch->operator_id.value())},
                     {"index", place.index},
                     {"file_digest", platform::to_hex(batch->file_digest)}};
    const auto file = store.batch_file(id);
    const std::size_t offset =
        protocol::BatchHeader::size + std::size_t{place.index} * protocol::BatchRecord::size;
    if (offset + protocol::BatchRecord::size <= file.size()) {
        const auto record = protocol::BatchRecord::parse(
            protocol::Bytes{file}.subspan(offset, protocol::BatchRecord::size));
        if (record) out["record"] = record_json(*record);
    }
    return out;
}

std::vector<std::string> sources_of(const City& city, const store::RecordPlace& place) {
    if (place.acquirer != city.code) {
        return {fmt::format("peer/{:04X}/{}", place.acquirer.value(), place.carrier)};
    }
    return {fmt::format("batch/{}", place.carrier)};
}

json::array postings_json(Store& store, const City& city, const store::ClaimRow& claim,
                          std::vector<protocol::Date>& dates) {
    json::array out;
    const auto add_from = [&](const ledger::StoredEntry& stored) {
        for (const Posting& posting : stored.entry.postings) {
            if (posting.card != claim.card) continue;
            out.push_back(json::object{{"entry", stored.number},
                                       {"date", day::platform_date(stored.entry.business_date)},
                                       {"source", stored.entry.source},
                                       {"index", posting.index},
                                       {"debit", posting.debit.text()},
                                       {"credit", posting.credit.text()},
                                       {"amount_fen", posting.amount.value()},
                                       {"chain", platform::to_hex(stored.digest)}});
            dates.push_back(stored.entry.business_date);
        }
    };
    for (const auto& source : sources_of(city, claim.place)) {
        for (const auto& entry : store.entries_of(source)) add_from(entry);
    }
    if (!out.empty() || claim.key.issuer_city == city.code) return out;
    // Another city's card: its posting came with the answer to our message.
    store.each_entry([&](const ledger::StoredEntry& stored) {
        if (stored.entry.source.starts_with("outbox/")) add_from(stored);
        return true;
    });
    return out;
}

}  // namespace

std::map<protocol::CardNumber, CardSums> card_sums(Store& store) {
    std::map<protocol::CardNumber, CardSums> out;
    store.each_entry([&](const ledger::StoredEntry& stored) {
        for (const Posting& posting : stored.entry.postings) {
            if (posting.card == protocol::CardNumber{}) continue;
            const bool from_card = posting.debit.purpose == Purpose::stored_value;
            const bool to_card = posting.credit.purpose == Purpose::stored_value;
            if (!from_card && !to_card) continue;
            CardSums& sums = out[posting.card];
            if (stored.entry.entry_class == EntryClass::loading) {
                if (to_card) sums.loaded = plus(sums.loaded, posting.amount);
            } else if (to_card) {
                sums.disputed = minus(sums.disputed, posting.amount);
            } else {
                Fen& sum = posting.credit.purpose == Purpose::dispute ? sums.disputed : sums.spent;
                sum = plus(sum, posting.amount);
            }
        }
        return true;
    });
    return out;
}

std::string day_json(Store& store, const City& city, const store::DayRow& day) {
    return json::serialize(day_object(store, city, day));
}

std::string report_json(Store& store, const City& city, const ReportOptions& options) {
    json::array days;
    for (const auto& day : store.all_days()) days.push_back(day_object(store, city, day));
    json::object batches;
    json::object outcomes = outcomes_json(store, batches);
    CityTotals totals;
    json::array cards = cards_json(store, options, totals);
    return json::serialize(
        json::object{{"city", fmt::format("{:04X}", city.code.value())},
                     {"mark", city.mark == protocol::Mark::live ? "live" : "rehearsal"},
                     {"batches", std::move(batches)},
                     {"outcomes", std::move(outcomes)},
                     {"days", std::move(days)},
                     {"conservation", json::object{{"loaded_fen", totals.loaded.value()},
                                                   {"load_pending_fen", totals.pending.value()},
                                                   {"spent_fen", totals.spent.value()},
                                                   {"disputed_fen", totals.disputed.value()},
                                                   {"returned_fen", totals.returned.value()},
                                                   {"held_fen", totals.held.value()}}},
                     {"accounts", accounts_json(store)},
                     {"cards", std::move(cards)},
                     {"exceptions", exceptions_json(store)}});
}

VerifyAnswer verify_json(Store& store) {
    const auto report = ledger::verify(store);
    const auto sums = card_sums(store);
    json::array wrong_cards;
    store.each_card([&](const store::CardRow& row) {
        const auto found = sums.find(row.card);
        const CardSums posted = found != sums.end() ? found->second : CardSums{};
        if (posted == CardSums{row.state.loaded, row.state.spent, row.state.disputed}) return;
        wrong_cards.push_back(json::value(platform::mask(row.card)));
    });
    json::array wrong_totals;
    for (const auto& account : report.wrong_totals) wrong_totals.push_back(json::value(account));
    VerifyAnswer out;
    out.ok = report.ok() && wrong_cards.empty();
    out.json = json::serialize(json::object{{"ok", out.ok},
                                            {"entries", report.entries},
                                            {"postings", report.postings},
                                            {"chain_unbroken", report.chain_unbroken},
                                            {"first_broken_entry", report.first_broken_entry},
                                            {"wrong_totals", std::move(wrong_totals)},
                                            {"wrong_cards", std::move(wrong_cards)}});
    return out;
}

std::optional<std::string> trace_json(Store& store, const City& city,
                                      const clearing::DebitKey& key) {
    const auto claim = store.claim(key);
    if (!claim) return std::nullopt;
    std::vector<protocol::Date> dates;
    json::array postings = postings_json(store, city, *claim, dates);
    json::array settlement;
    std::ranges::sort(dates);
    dates.erase(std::ranges::unique(dates).begin(), dates.end());
    for (const auto& date : dates) {
        const auto day = store.day(date);
        settlement.push_back(json::object{{"date", day::platform_date(date)},
                                          {"state", day ? day::name(day->state) : "not_opened"},
                                          {"lines", lines_json(store, date)}});
    }
    return json::serialize(json::object{{"debit", clearing::text(key)},
                                        {"card", platform::mask(claim->card)},
                                        {"outcome", protocol::name(claim->outcome.outcome)},
                                        {"evidence", evidence_json(store, city, claim->place)},
                                        {"postings", std::move(postings)},
                                        {"settlement", std::move(settlement)}});
}

}  // namespace host
