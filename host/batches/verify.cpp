#include "host/batches/verify.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "host/batches/batch_file.hpp"
#include "host/ledger/book.hpp"
#include "platform/mask.hpp"

namespace host::batches {
namespace {

using clearing::Submitted;
using protocol::BatchRecord;
using protocol::ClearingOutcome;
using protocol::RecordKind;
using protocol::RecordOutcome;
using store::BatchRow;
using store::Store;

struct Stored {
    BatchRow row;
    store::FileBytes file;
};

// A purchase; other transaction types have no business in a gate's batch.
bool is_purchase(const BatchRecord& record) {
    return record.type == protocol::TransactionType::purchase ||
           record.type == protocol::TransactionType::capp_purchase;
}

/// The acquirer's own questions about a record's SAM. docs/outcomes.md, 1.
class Sams {
public:
    explicit Sams(Store& store) : store_{store} {}
    [[nodiscard]] std::optional<ClearingOutcome> refusal(const Submitted& submitted) {
        const BatchRecord& record = submitted.record;
        const auto sam = store_.sam(record.terminal, record.when);
        if (!sam || sam->operator_id != submitted.operator_id) {
            return ClearingOutcome::operator_not_bound;
        }
        const auto since = hot_since(sam->number);
        if (since && *since <= record.when) return ClearingOutcome::sam_hot;
        return std::nullopt;
    }

private:
    // A batch is one gate's: it has one SAM, seldom two.
    const std::optional<protocol::DateTime>& hot_since(const protocol::SamNumber& number) {
        const auto [place, fresh] = since_.try_emplace(number);
        if (fresh) {
            if (const auto row = store_.hot(protocol::HotKind::sam, number.value())) {
                place->second = row->entry.since;
            }
        }
        return place->second;
    }
    Store& store_;
    std::map<protocol::SamNumber, std::optional<protocol::DateTime>> since_;
};

// The batch's records, sorted by what is to happen to them; results in the batch's order.
class Sorted {
public:
    Sorted(const City& city, const Stored& stored) : city_{city}, stored_{stored} {
        const auto file = BatchFile::parse(stored.file);
        if (!file) return;  // it was whole when it was stored: every record stays pending
        results_.resize(file->size());
        for (std::uint32_t i = 0; i < file->size(); ++i) place(i, file->record(i));
    }
    void check_tacs(const Keys& keys) { clearing::check_tacs(keys, own_, city_.verify_threads); }
    void refuse_by_sam(Store& store) {
        Sams sams{store};
        const auto refused = [&](const Submitted& submitted) {
            const auto why = sams.refusal(submitted);
            if (why) refuse(submitted.place.index, *why, submitted.record);
            return why.has_value();
        };
        std::erase_if(own_, refused);
        std::erase_if(foreign_, refused);
    }
    // Nobody checked these TACs, so that a person must: docs/outcomes.md, 4.
    void raise_refused(Store& store) const {
        for (const auto& [why, refused] : refused_) {
            const auto& [outcome, terminal] = why;
            store.add_exception({0, stored_.row.business_date, std::string{protocol::name(outcome)},
                                 fmt::format("batch/{}", stored_.row.id.value()),
                                 fmt::format("operator {} SAM {}: {} records, {} fen, first at {}",
                                             platform::to_hex(stored_.row.operator_id.value()),
                                             platform::to_hex(terminal.value()), refused.count,
                                             refused.sum.value(), refused.first)});
        }
    }
    [[nodiscard]] const std::vector<Submitted>& own() const { return own_; }
    [[nodiscard]] const std::vector<Submitted>& foreign() const { return foreign_; }
    [[nodiscard]] std::vector<RecordOutcome>& results() { return results_; }

private:
    void place(std::uint32_t index, const protocol::Parsed<BatchRecord>& record) {
        if (!record || !is_purchase(*record)) {
            refuse(index, ClearingOutcome::malformed, record.value_or(BatchRecord{}));
            return;
        }
        const BatchRow& row = stored_.row;
        const ledger::Account payee{ledger::Purpose::payable,
                                    ledger::Participant::of(row.operator_id)};
        const Submitted submitted{.record = *record,
                                  .operator_id = row.operator_id,
                                  .place = {city_.code, row.id.value(), index},
                                  .payee = payee};
        if (record->issuer == city_.issuer) {
            own_.push_back(submitted);
        } else if (city_.peer_of(record->issuer) != nullptr) {
            foreign_.push_back(submitted);
        } else {
            refuse(index, ClearingOutcome::issuer_unknown, *record);
        }
    }
    void refuse(std::uint32_t index, ClearingOutcome outcome, const BatchRecord& record) {
        results_[index] = {outcome, {}};
        auto [place, fresh] = refused_.try_emplace({outcome, record.terminal});
        Refused& refused = place->second;
        refused.first = fresh ? index : std::min(refused.first, index);
        ++refused.count;
        refused.sum = add(refused.sum, protocol::Fen{record.amount}).value();
    }
    // By what a person would look at: one exception each, however many records.
    struct Refused {
        std::uint32_t count = 0;
        std::uint32_t first = 0;
        protocol::Fen sum;
    };
    const City& city_;
    const Stored& stored_;
    std::vector<RecordOutcome> results_;
    std::vector<Submitted> own_;
    std::vector<Submitted> foreign_;
    std::map<std::pair<ClearingOutcome, protocol::TerminalNumber>, Refused> refused_;
};

// What this operator's gates may ask the card about (docs/online_messages.md, GET /v1/unresolved).
// Our own cards' entries: those that are still held. clearing/issuer.cpp removes them.
void share_own(Store& store, const City& city, const std::vector<Submitted>& records) {
    for (const Submitted& submitted : records) {
        const BatchRecord& record = submitted.record;
        if (record.kind != RecordKind::unresolved) continue;
        const auto held = store.held({city.code, record.terminal, record.terminal_sequence});
        if (held && held->entry.state == clearing::ClaimState::held && held->record == record) {
            store.put_unresolved(submitted.operator_id, record);
        }
    }
}
// Guests' entries: until their issuer has decided (exchange/exchange.cpp).
void share_foreign(Store& store, const std::vector<Submitted>& records) {
    for (const Submitted& submitted : records) {
        if (submitted.record.kind == RecordKind::unresolved) {
            store.put_unresolved(submitted.operator_id, submitted.record);
        } else {
            store.remove_unresolved(submitted.record);
        }
    }
}

void put_message(Store& store, const City& city, const BatchRow& batch, const Peer& peer,
                 std::span<const Submitted* const> records) {
    store::OutboxRow row{.peer = peer.city,
                         .number = store.next_number(peer.city),
                         .business_date = batch.business_date,
                         .places = {},
                         .body = {}};
    const protocol::ExchangeHeader header{.mark = city.mark,
                                          .from = city.code,
                                          .to = peer.city,
                                          .number = row.number,
                                          .business_date = batch.business_date,
                                          .count = static_cast<std::uint32_t>(records.size())};
    const auto append = [&](protocol::Bytes bytes) {
        row.body.insert(row.body.end(), bytes.begin(), bytes.end());
    };
    append(header.bytes());
    for (const Submitted* submitted : records) {
        const std::uint32_t index = submitted->place.index;
        append(protocol::ForwardedRecord{
            submitted->operator_id, {batch.device, batch.sequence, index}, submitted->record}
                   .bytes());
        row.places.push_back({batch.id, index});
    }
    store.insert_outbox(row);
}

void forward(Store& store, const City& city, const BatchRow& batch,
             const std::vector<Submitted>& records) {
    for (const Peer& peer : city.peers) {
        std::vector<const Submitted*> theirs;
        for (const Submitted& submitted : records) {
            if (submitted.record.issuer == peer.issuer) theirs.push_back(&submitted);
        }
        std::span<const Submitted* const> rest{theirs};
        while (!rest.empty()) {
            const auto count = std::min<std::size_t>(rest.size(), city.forward_records_max);
            put_message(store, city, batch, peer, rest.first(count));
            rest = rest.subspan(count);
        }
    }
}

store::End apply(Store& store, const City& city, const protocol::DateTime& now,
                 const BatchRow& batch, Sorted& sorted, Verified& out) {
    const auto current = store.batch(batch.id);
    if (!current || current->state != store::BatchState::stored) return store::End::abandon;
    sorted.refuse_by_sam(store);
    sorted.raise_refused(store);
    share_foreign(store, sorted.foreign());
    const auto pending = static_cast<std::uint32_t>(sorted.foreign().size());
    // First: a later record of this batch may amend the result of an earlier one.
    store.put_results(batch.id, sorted.results());
    auto booked = clearing::decide_all(store, {city, now, batch.business_date}, sorted.own());
    share_own(store, city, sorted.own());
    auto results = store.results(batch.id);
    if (results.size() != sorted.results().size()) return store::End::abandon;
    for (std::size_t i = 0; i < booked.outcomes.size(); ++i) {
        auto& result = results[sorted.own()[i].place.index];
        if (result.outcome == ClearingOutcome::pending) result = booked.outcomes[i];
    }
    store.put_results(batch.id, results);
    store.put_batch_state(batch.id,
                          pending == 0 ? store::BatchState::complete : store::BatchState::verified,
                          pending);
    forward(store, city, batch, sorted.foreign());
    if (!booked.postings.empty() &&
        !ledger::post(store,
                      {ledger::EntryClass::clearing, batch.business_date,
                       fmt::format("batch/{}", batch.id.value()), std::move(booked.postings)})) {
        return store::End::abandon;
    }
    out.batch = batch.id;
    out.forwarded = pending;
    out.accepted = static_cast<std::uint32_t>(
        std::ranges::count(results, ClearingOutcome::accepted, &RecordOutcome::outcome));
    out.refused = static_cast<std::uint32_t>(results.size()) - out.accepted - pending;
    return store::End::commit;
}

}  // namespace

std::expected<std::optional<Verified>, store::StoreFailure> verify_next(
    Store& store, const City& city, const Keys& keys, const protocol::DateTime& now) {
    std::optional<Stored> stored;
    ONECARD_CHECK(store.transact([&] {
        if (const auto row = store.oldest_stored_batch()) {
            stored = Stored{*row, store.batch_file(row->id)};
        }
        return store::End::commit;
    }));
    if (!stored) return std::nullopt;
    Sorted sorted{city, *stored};
    sorted.check_tacs(keys);
    Verified out;
    ONECARD_CHECK(
        store.transact([&] { return apply(store, city, now, stored->row, sorted, out); }));
    return out;
}

}  // namespace host::batches
