#pragma once
// The repository of one city: what its decisions run against. SQLite implements it
// (sqlite_store.hpp); a server database can. The key of a debit begins with the issuing city.
// docs/host.md, 6.
//
// S1. Inside transact(), the first failure of the store makes every later read answer nothing and
//     every later write do nothing; the failure comes out of transact(), and nothing is kept.
// S2. Nobody acknowledges anything before transact() has answered.
// S3. When transact() has answered without a failure, everything is on the disk.
#include <expected>

#include "host/store/rows.hpp"

namespace host::store {

struct StoreFailure {
    std::string name;  ///< "disk_full", "input_output", "busy", "abandoned", ...
    std::string text;
};
/// What a unit of work wants done with its changes.
enum class End : std::uint8_t { commit, abandon };

class Store : public ledger::LedgerRows {
public:
    /// One transaction, never nested. An exception of `work` abandons it.
    [[nodiscard]] virtual std::expected<void, StoreFailure> transact(
        const std::function<End()>& work) = 0;

    // Settings that make the store this city's: written once, compared at every start.
    [[nodiscard]] virtual std::optional<std::string> setting(std::string_view key) = 0;
    virtual void put_setting(std::string_view key, std::string_view value) = 0;

    // Register
    virtual void put_operator(const OperatorRow& row) = 0;
    virtual void put_device(const DeviceRow& row) = 0;
    /// One binding. The same terminal and `from` again corrects it; a later `from` ends it, and it
    /// still stands for its own time.
    virtual void put_sam(const SamRow& row) = 0;
    [[nodiscard]] virtual std::vector<OperatorRow> operators() = 0;
    [[nodiscard]] virtual std::optional<DeviceRow> device(const DeviceId& id) = 0;
    /// The binding at that time.
    [[nodiscard]] virtual std::optional<SamRow> sam(const TerminalNumber& terminal,
                                                    const DateTime& when) = 0;

    // Cards
    /// False when the card is there already: its state is not touched.
    virtual bool insert_card(const CardRow& row) = 0;
    [[nodiscard]] virtual std::optional<CardState> card(const CardNumber& card) = 0;
    virtual void put_card(const CardNumber& card, const CardState& state) = 0;
    virtual void each_card(const std::function<void(const CardRow&)>& visit) = 0;

    // Debits and unresolved entries
    [[nodiscard]] virtual std::optional<ClaimRow> claim(const DebitKey& key) = 0;
    virtual void put_claim(const ClaimRow& row) = 0;
    [[nodiscard]] virtual std::optional<HeldRow> held(const DebitKey& key) = 0;
    [[nodiscard]] virtual std::vector<HeldRow> held_of(const CardNumber& card) = 0;
    [[nodiscard]] virtual std::vector<HeldRow> all_held() = 0;
    virtual void put_held(const HeldRow& row) = 0;
    virtual void remove_held(const DebitKey& key) = 0;
    /// Entries that this operator's own devices sent and nobody has resolved, whosever cards.
    [[nodiscard]] virtual std::vector<protocol::BatchRecord> unresolved_of(
        const OperatorId& operator_id) = 0;
    virtual void put_unresolved(const OperatorId& operator_id,
                                const protocol::BatchRecord& record) = 0;
    virtual void remove_unresolved(const protocol::BatchRecord& record) = 0;
    /// Every entry of the card of `record` up to its counter.
    virtual void remove_unresolved_up_to(const protocol::BatchRecord& record) = 0;

    // Batches
    [[nodiscard]] virtual BatchId insert_batch(const BatchRow& row, protocol::Bytes file) = 0;
    [[nodiscard]] virtual std::optional<BatchRow> batch(const DeviceId& device,
                                                        BatchSequence sequence) = 0;
    [[nodiscard]] virtual std::optional<BatchRow> batch(BatchId id) = 0;
    [[nodiscard]] virtual std::optional<BatchRow> oldest_stored_batch() = 0;
    [[nodiscard]] virtual FileBytes batch_file(BatchId id) = 0;
    virtual void put_batch_state(BatchId id, BatchState state, std::uint32_t pending_count) = 0;
    virtual void put_results(BatchId id, const std::vector<RecordOutcome>& results) = 0;
    [[nodiscard]] virtual std::vector<RecordOutcome> results(BatchId id) = 0;
    /// Entries whose source is this, in order.
    [[nodiscard]] virtual std::vector<ledger::StoredEntry> entries_of(std::string_view source) = 0;
    virtual void each_batch(const std::function<void(const BatchRow&)>& visit) = 0;
    [[nodiscard]] virtual std::int64_t unfinished_batches(const Date& up_to) = 0;

    // Exchange
    [[nodiscard]] virtual MessageNumber next_number(CityCode peer) = 0;
    virtual void insert_outbox(const OutboxRow& row) = 0;
    [[nodiscard]] virtual std::optional<OutboxRow> oldest_unanswered(CityCode peer) = 0;
    [[nodiscard]] virtual std::optional<OutboxRow> outbox(CityCode peer, MessageNumber number) = 0;
    virtual void put_answered(CityCode peer, MessageNumber number, const Date& booked) = 0;
    [[nodiscard]] virtual std::int64_t unanswered_messages(const Date& up_to) = 0;
    [[nodiscard]] virtual std::optional<InboxRow> inbox(CityCode peer, MessageNumber number) = 0;
    [[nodiscard]] virtual MessageNumber last_received(CityCode peer) = 0;
    virtual void insert_inbox(const InboxRow& row) = 0;

    // Loads
    [[nodiscard]] virtual std::optional<LoadRow> load(const protocol::LoadKey& key) = 0;
    virtual void put_load(const LoadRow& row) = 0;
    virtual void each_load(const std::function<void(const LoadRow&)>& visit) = 0;
    /// Of one card, in the order of their keys.
    [[nodiscard]] virtual std::vector<LoadRow> loads_of(const CardNumber& card) = 0;

    // Hot list
    virtual void put_hot(const HotRow& row) = 0;
    [[nodiscard]] virtual std::optional<HotRow> hot(protocol::HotKind kind,
                                                    const std::array<std::uint8_t, 10>& number) = 0;
    virtual void remove_hot(protocol::HotKind kind, const std::array<std::uint8_t, 10>& number) = 0;
    /// The issuer's last word about a chip: applied once, however often it comes.
    [[nodiscard]] virtual std::optional<NoticeRow> notice(
        protocol::HotKind kind, const std::array<std::uint8_t, 10>& number) = 0;
    virtual void put_notice(const NoticeRow& row) = 0;
    [[nodiscard]] virtual bool unlisted_sam() = 0;  ///< a SAM's entry that no list has had
    [[nodiscard]] virtual std::vector<HotRow> all_hot() = 0;  ///< sorted by kind and number
    virtual void mark_listed(const DateTime& effective) = 0;
    virtual void insert_hot_list(const HotListRow& row) = 0;
    [[nodiscard]] virtual std::optional<HotListRow> newest_hot_list() = 0;

    // Days
    [[nodiscard]] virtual std::optional<DayRow> day(const Date& date) = 0;
    [[nodiscard]] virtual std::optional<DayRow> open_day() = 0;
    [[nodiscard]] virtual std::vector<DayRow> unsettled_days() = 0;  ///< oldest first
    [[nodiscard]] virtual std::vector<DayRow> all_days() = 0;        ///< oldest first
    virtual void put_day(const DayRow& row) = 0;
    virtual void put_statement(const Date& date, const StatementRow& row) = 0;
    [[nodiscard]] virtual std::vector<StatementRow> statements(const Date& date) = 0;
    virtual void put_settlement_lines(const Date& date,
                                      const std::vector<SettlementLineRow>& lines) = 0;
    [[nodiscard]] virtual std::vector<SettlementLineRow> settlement_lines(const Date& date) = 0;
    /// Accepted records between us and this city on this date: (ours at theirs, theirs at ours).
    virtual void add_peer_count(const Date& date, CityCode peer, bool owed_to,
                                std::uint32_t count) = 0;
    [[nodiscard]] virtual std::uint32_t peer_count(const Date& date, CityCode peer,
                                                   bool owed_to) = 0;

    // Exceptions
    virtual void add_exception(const ExceptionRow& row) = 0;
    [[nodiscard]] virtual std::vector<ExceptionRow> exceptions() = 0;
};

}  // namespace host::store
