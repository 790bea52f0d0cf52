#pragma once
// The rows of a city's store, as the host's decisions see them.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/clearing/decide.hpp"
#include "host/ledger/rows.hpp"
#include "protocol/city_exchange.hpp"
#include "protocol/hot_list.hpp"
#include "protocol/load.hpp"

namespace host::store {

using clearing::CardState;
using clearing::Claim;
using clearing::ClaimState;
using clearing::DebitKey;
using protocol::BatchSequence;
using protocol::CardNumber;
using protocol::CityCode;
using protocol::ClearingOutcome;
using protocol::Date;
using protocol::DateTime;
using protocol::DeviceId;
using protocol::Digest;
using protocol::MessageNumber;
using protocol::OperatorId;
using protocol::RecordOutcome;
using protocol::TerminalNumber;

using BatchId = protocol::Strong<std::int64_t, struct BatchIdName>;
using FileBytes = std::vector<std::uint8_t>;

// ---- Register: who may send what ----
struct OperatorRow {
    OperatorId id;
    std::string display_name;
};
struct DeviceRow {
    DeviceId id;
    OperatorId operator_id;
    std::array<std::uint8_t, 64> public_key{};  ///< SM2, x | y: signs its batches
};
struct SamRow {
    TerminalNumber terminal;
    protocol::SamNumber number;
    OperatorId operator_id;
    DateTime from;                  ///< bound to the operator from here
    std::optional<DateTime> until;  ///< to here, or to the next binding's `from`
};

// ---- Cards and debits of this city's issue ----
struct CardRow {
    CardNumber card;
    protocol::IssuerId issuer;
    CardState state;
};
/// Where a record came from: one of our batches, or a message of a peer.
struct RecordPlace {
    CityCode acquirer;         ///< our own city for our own batches
    std::int64_t carrier = 0;  ///< batch id, or the peer's message number
    std::uint32_t index = 0;
};
struct ClaimRow {
    DebitKey key;
    CardNumber card;
    Claim claim;
    RecordOutcome outcome;
    RecordPlace place;
};
struct HeldRow {
    DebitKey key;
    CardNumber card;
    clearing::HeldEntry entry;
    OperatorId operator_id;
    RecordPlace place;
    protocol::BatchRecord record;
};

// ---- Batches: evidence and results ----
enum class BatchState : std::uint8_t {
    stored = 1,    ///< durable and acknowledged; not looked into yet
    verified = 2,  ///< own cards decided, others on their way to their issuers
    complete = 3,  ///< every record has its outcome
};
struct BatchRow {
    BatchId id;
    DeviceId device;
    BatchSequence sequence;
    OperatorId operator_id;
    Date business_date;
    std::int64_t received_ms = 0;
    Digest file_digest{};  ///< SM3 of the whole file
    std::uint32_t record_count = 0;
    std::uint32_t pending_count = 0;
    BatchState state = BatchState::stored;
};

// ---- Messages between cities ----
struct BatchRecordPlace {
    BatchId batch;
    std::uint32_t index = 0;
};
struct OutboxRow {
    CityCode peer;
    MessageNumber number;
    Date business_date;  ///< proposed
    std::vector<BatchRecordPlace> places;
    FileBytes body;
};
struct InboxRow {
    CityCode peer;
    MessageNumber number;
    Digest digest{};  ///< of the message: another content under its number is refused
    FileBytes answer;
};

// ---- Loads ----
enum class LoadState : std::uint8_t {
    pending = 1,
    confirmed = 2,
    reversed = 3,
    confirmed_after_reversal = 4,  ///< the card has it, the cash was given back: a person's work
    refused = 5,
};
struct LoadRow {
    protocol::LoadRequest request;
    OperatorId operator_id;
    protocol::LoadAnswer answer;
    LoadState state = LoadState::pending;
};

// ---- Hot list ----
struct HotRow {
    protocol::HotEntry entry;
    std::optional<DateTime> listed_from;  ///< effective time of the first list that had it
    [[nodiscard]] std::optional<DateTime> in_force_from() const {
        if (!listed_from) return std::nullopt;
        return entry.since < *listed_from ? *listed_from : entry.since;
    }
};
/// What an issuer said about a chip with its registry's line `line`. docs/issuing.md, 2.
struct NoticeRow {
    protocol::HotKind kind = protocol::HotKind::card;
    std::array<std::uint8_t, 10> number{};
    std::optional<protocol::HotEntry> entry;  ///< as the issuer listed it; nothing: taken back
    std::int64_t line = 0;
};
struct HotListRow {
    protocol::ListSequence sequence;
    FileBytes file;
};

// ---- Business days ----
enum class DayState : std::uint8_t {
    open = 1,      ///< batches and loads of this day arrive
    closing = 2,   ///< the next day is open; what belongs to this one is being finished
    verified = 3,  ///< nothing is pending: the totals are final; statements go out
    netted = 4,    ///< both sides of every debt agree; settlement lines are written
    settled = 5,   ///< paid
};
struct DayRow {
    Date date;
    DayState state = DayState::open;
};
struct StatementRow {
    CityCode city;  ///< whose
    FileBytes file;
};
struct SettlementLineRow {
    ledger::Participant from;
    ledger::Participant to;
    protocol::Fen amount;
    friend auto operator<=>(const SettlementLineRow&, const SettlementLineRow&) = default;
};

/// Something a person must look at. docs/outcomes.md, 4.
struct ExceptionRow {
    std::int64_t id = 0;
    Date business_date;
    std::string kind;       ///< the outcome's or flag's name
    std::string reference;  ///< of the debit, batch, load or day
    std::string detail;     ///< no full card number
};

}  // namespace host::store
