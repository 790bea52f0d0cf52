#include "host/exchange/exchange.hpp"

#include <map>

#include <fmt/format.h>

#include "crypto/core/sm3.hpp"
#include "host/day/calendar.hpp"
#include "host/ledger/book.hpp"
#include "host/store/decide.hpp"

namespace host::exchange {
namespace {

using clearing::Submitted;
using protocol::CityCode;
using protocol::ClearingOutcome;
using protocol::Date;
using protocol::ExchangeHeader;
using protocol::ForwardedRecordsView;
using protocol::MessageNumber;
using protocol::OutcomesView;
using protocol::RecordOutcome;
using store::FileBytes;
using store::Store;

std::unexpected<Refused> refuse(PeerRefusal why, std::string detail) {
    return std::unexpected{Refused{why, std::move(detail)}};
}

template <class T, class Decide>
std::expected<T, Refused> in_transaction(Store& store, const Decide& decide) {
    return store::decide_in_transaction<T, Refused>(store, PeerRefusal::store_failed, decide);
}

std::expected<void, Refused> check_header(const City& city, CityCode from,
                                          const ExchangeHeader& header) {
    if (header.mark != city.mark) {
        return refuse(PeerRefusal::mark_mismatch, "rehearsal and live messages do not mix");
    }
    if (header.from != from || header.to != city.code || city.peer(from) == nullptr) {
        return refuse(PeerRefusal::city_mismatch,
                      fmt::format("from {:04X} to {:04X}, by the certificate of {:04X}",
                                  header.from.value(), header.to.value(), from.value()));
    }
    return {};
}

// Both cities book under the later of their open dates: docs/day.md, 2.
std::expected<Date, Refused> booking_date(Store& store, const Date& proposed) {
    const auto open = store.open_day();
    const Date ours = open ? open->date : proposed;
    if (protocol::days_since_epoch(proposed) >
        protocol::days_since_epoch(ours) + day::dates_apart_max) {
        return refuse(PeerRefusal::day_too_far, "look at both hosts' clocks and open days");
    }
    return std::max(proposed, ours);
}

std::vector<Submitted> submitted(const City& city, const Peer& peer,
                                 const ForwardedRecordsView& view) {
    const ledger::Account payee{ledger::Purpose::due_to, ledger::Participant::of(peer.city)};
    std::vector<Submitted> out;
    out.reserve(view.size());
    for (std::uint32_t i = 0; i < view.size(); ++i) {
        const auto forwarded = view.record(i);
        if (forwarded.record.issuer != city.issuer) continue;
        out.push_back(
            {.record = forwarded.record,
             .operator_id = forwarded.operator_id,
             .place = {peer.city, static_cast<std::int64_t>(view.header().number.value()), i},
             .payee = payee});
    }
    return out;
}

std::expected<FileBytes, Refused> book(Store& store, const City& city, const Peer& peer,
                                       const ForwardedRecordsView& view,
                                       std::span<const Submitted> records, const Date& date,
                                       const protocol::DateTime& now) {
    auto booked = clearing::decide_all(store, {city, now, date}, records);
    std::vector<RecordOutcome> outcomes(view.size(), {ClearingOutcome::issuer_unknown, {}});
    for (std::size_t i = 0; i < records.size(); ++i) {
        outcomes[records[i].place.index] = booked.outcomes[i];
    }
    if (!booked.postings.empty()) {
        const auto number = view.header().number.value();
        const auto posted =
            ledger::post(store, {ledger::EntryClass::clearing, date,
                                 fmt::format("peer/{:04X}/{}", peer.city.value(), number),
                                 std::move(booked.postings)});
        if (!posted) {
            return refuse(PeerRefusal::store_failed, std::string{ledger::name(posted.error())});
        }
    }
    const auto accepted =
        std::ranges::count(outcomes, ClearingOutcome::accepted, &RecordOutcome::outcome);
    store.add_peer_count(date, peer.city, true, static_cast<std::uint32_t>(accepted));
    ExchangeHeader header = view.header();
    header.magic = ExchangeHeader::outcomes_magic;
    header.from = city.code;
    header.to = peer.city;
    header.business_date = date;
    FileBytes answer;
    const auto append = [&](protocol::Bytes bytes) {
        answer.insert(answer.end(), bytes.begin(), bytes.end());
    };
    append(header.bytes());
    for (const RecordOutcome& outcome : outcomes) append(outcome.bytes());
    return answer;
}

// The place of the sender's own postings and amended results, batch by batch.
struct Applied {
    std::map<store::BatchId, std::vector<RecordOutcome>> results;
    std::map<store::BatchId, std::uint32_t> answered;
    std::vector<ledger::Posting> postings;
    std::uint32_t accepted = 0;
};

void claim_foreign(Store& store, const City& city, CityCode peer,
                   const protocol::BatchRecord& record, const store::BatchRecordPlace& place,
                   const RecordOutcome& outcome) {
    store.put_claim({{peer, record.terminal, record.terminal_sequence},
                     record.card,
                     {clearing::ClaimState::decided, clearing::content_of(record)},
                     outcome,
                     {city.code, place.batch.value(), place.index}});
}

// What the issuer has decided, no gate need ask the card about: the entry itself, and every earlier
// one of a card that has proven a later debit.
void unshare_decided(Store& store, const protocol::BatchRecord& record, ClearingOutcome outcome) {
    const bool entry = record.kind == protocol::RecordKind::unresolved;
    if (entry && outcome != ClearingOutcome::unresolved) store.remove_unresolved(record);
    if (outcome == ClearingOutcome::accepted) store.remove_unresolved_up_to(record);
}

std::expected<Applied, Refused> outcomes_of(Store& store, const City& city,
                                            const store::OutboxRow& row,
                                            const OutcomesView& answer) {
    const auto sent = ForwardedRecordsView::parse(row.body);
    if (!sent || sent->size() != row.places.size()) {
        return refuse(PeerRefusal::store_failed, "the outbox row is damaged");
    }
    Applied out;
    const ledger::Account owed{ledger::Purpose::due_from, ledger::Participant::of(row.peer)};
    for (std::uint32_t i = 0; i < answer.size(); ++i) {
        const store::BatchRecordPlace& place = row.places[i];
        const auto [results, fresh] = out.results.try_emplace(place.batch);
        if (fresh) results->second = store.results(place.batch);
        if (place.index >= results->second.size()) {
            return refuse(PeerRefusal::store_failed, "the batch's results are damaged");
        }
        const RecordOutcome outcome = answer.outcome(i);
        results->second[place.index] = outcome;
        ++out.answered[place.batch];
        const auto forwarded = sent->record(i);
        unshare_decided(store, forwarded.record, outcome.outcome);
        if (outcome.outcome != ClearingOutcome::accepted) continue;
        ++out.accepted;
        claim_foreign(store, city, row.peer, forwarded.record, place, outcome);
        if (forwarded.record.amount == protocol::Money{}) continue;
        const ledger::Account payable{ledger::Purpose::payable,
                                      ledger::Participant::of(forwarded.operator_id)};
        out.postings.push_back(
            {owed, payable, protocol::Fen{forwarded.record.amount}, i, forwarded.record.card});
    }
    return out;
}

std::expected<bool, Refused> apply(Store& store, const City& city, const store::OutboxRow& row,
                                   const OutcomesView& answer) {
    ONECARD_TRY(applied, outcomes_of(store, city, row, answer));
    const Date date = answer.header().business_date;
    for (const auto& [batch, results] : applied.results) {
        store.put_results(batch, results);
        const auto found = store.batch(batch);
        if (!found || found->pending_count < applied.answered[batch]) {
            return refuse(PeerRefusal::store_failed, "the batch's pending count is damaged");
        }
        const std::uint32_t pending = found->pending_count - applied.answered[batch];
        store.put_batch_state(
            batch, pending == 0 ? store::BatchState::complete : store::BatchState::verified,
            pending);
    }
    store.add_peer_count(date, row.peer, false, applied.accepted);
    store.put_answered(row.peer, row.number, date);
    if (applied.postings.empty()) return true;
    const auto posted =
        ledger::post(store, {ledger::EntryClass::clearing, date,
                             fmt::format("outbox/{:04X}/{}", row.peer.value(), row.number.value()),
                             std::move(applied.postings)});
    if (!posted) {
        return refuse(PeerRefusal::store_failed, std::string{ledger::name(posted.error())});
    }
    return true;
}

std::expected<void, Refused> check_answer(Store& store, const City& city,
                                          const store::OutboxRow& row, const OutcomesView& answer) {
    const ExchangeHeader& header = answer.header();
    if (header.mark != city.mark) return refuse(PeerRefusal::mark_mismatch, "answer");
    if (header.from != row.peer || header.to != city.code || header.number != row.number ||
        header.count != row.places.size() || header.business_date < row.business_date) {
        return refuse(PeerRefusal::message_malformed,
                      "the answer is not one to the message that was sent");
    }
    // The issuer chooses the date, but not one that our book could not close for years.
    ONECARD_CHECK(booking_date(store, header.business_date));
    return {};
}

}  // namespace

const char* name(PeerRefusal refusal) {
    switch (refusal) {
        case PeerRefusal::message_malformed: return "message_malformed";
        case PeerRefusal::mark_mismatch: return "mark_mismatch";
        case PeerRefusal::city_mismatch: return "city_mismatch";
        case PeerRefusal::id_reused: return "id_reused";
        case PeerRefusal::out_of_order: return "out_of_order";
        case PeerRefusal::day_too_far: return "day_too_far";
        case PeerRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::expected<FileBytes, Refused> receive(Store& store, const City& city, const Keys& keys,
                                          CityCode from, protocol::Bytes message,
                                          const protocol::DateTime& now) {
    const auto view = ForwardedRecordsView::parse(message);
    if (!view) return refuse(PeerRefusal::message_malformed, protocol::name(view.error()));
    ONECARD_CHECK(check_header(city, from, view->header()));
    const Peer& peer = *city.peer(from);
    auto records = submitted(city, peer, *view);
    clearing::check_tacs(keys, records, city.verify_threads);
    const auto digest = crypto::sm3(message);
    return in_transaction<FileBytes>(store, [&]() -> std::expected<FileBytes, Refused> {
        const MessageNumber number = view->header().number;
        if (const auto known = store.inbox(from, number)) {
            if (known->digest == digest) return known->answer;
            return refuse(PeerRefusal::id_reused, fmt::format("message {}", number.value()));
        }
        const std::uint64_t expected = store.last_received(from).value() + 1;
        if (number.value() != expected) {
            return refuse(PeerRefusal::out_of_order,
                          fmt::format("message {} came, {} is next", number.value(), expected));
        }
        ONECARD_TRY(date, booking_date(store, view->header().business_date));
        ONECARD_TRY(answer, book(store, city, peer, *view, records, date, now));
        store.insert_inbox({from, number, digest, answer});
        return answer;
    });
}

std::expected<void, Refused> apply_answer(Store& store, const City& city, CityCode peer,
                                          MessageNumber number, protocol::Bytes answer) {
    const auto view = OutcomesView::parse(answer);
    if (!view) return refuse(PeerRefusal::message_malformed, protocol::name(view.error()));
    const auto done = in_transaction<bool>(store, [&]() -> std::expected<bool, Refused> {
        const auto row = store.oldest_unanswered(peer);
        if (!row || row->number != number) return false;  // applied before
        ONECARD_CHECK(check_answer(store, city, *row, *view));
        return apply(store, city, *row, *view);
    });
    if (!done) return std::unexpected{done.error()};
    return {};
}

}  // namespace host::exchange
