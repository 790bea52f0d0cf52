#pragma once
// The SQLite store's class. Its members are in sqlite_register.cpp (register, cards, debits),
// sqlite_batches.cpp (batches, exchange), sqlite_money.cpp (ledger, loads) and sqlite_days.cpp (hot
// list, days).
#include <map>

#include "host/store/sqlite_columns.hpp"

namespace host::store {

class SqliteStore final : public Store {
public:
    SqliteStore(platform::sqlite::Database database, std::function<void(CommitPoint)> at_commit)
        : session_{std::move(database), std::move(at_commit)} {}

    [[nodiscard]] std::expected<void, StoreFailure> transact(
        const std::function<End()>& work) override {
        return session_.transact(work);
    }

    // Settings that make the store this city's: written once, compared at every start.
    [[nodiscard]] std::optional<std::string> setting(std::string_view key) override;
    void put_setting(std::string_view key, std::string_view value) override;

    // Register
    void put_operator(const OperatorRow& row) override;
    void put_device(const DeviceRow& row) override;
    void put_sam(const SamRow& row) override;
    [[nodiscard]] std::vector<OperatorRow> operators() override;
    [[nodiscard]] std::optional<DeviceRow> device(const DeviceId& id) override;
    [[nodiscard]] std::optional<SamRow> sam(const TerminalNumber& terminal,
                                            const DateTime& when) override;

    // Cards
    bool insert_card(const CardRow& row) override;
    [[nodiscard]] std::optional<CardState> card(const CardNumber& card) override;
    void put_card(const CardNumber& card, const CardState& state) override;
    void each_card(const std::function<void(const CardRow&)>& visit) override;

    // Debits and unresolved entries
    [[nodiscard]] std::optional<ClaimRow> claim(const DebitKey& key) override;
    void put_claim(const ClaimRow& row) override;
    [[nodiscard]] std::optional<HeldRow> held(const DebitKey& key) override;
    [[nodiscard]] std::vector<HeldRow> held_of(const CardNumber& card) override;
    [[nodiscard]] std::vector<HeldRow> all_held() override;
    void put_held(const HeldRow& row) override;
    void remove_held(const DebitKey& key) override;
    [[nodiscard]] std::vector<protocol::BatchRecord> unresolved_of(
        const OperatorId& operator_id) override;
    void put_unresolved(const OperatorId& operator_id,
                        const protocol::BatchRecord& record) override;
    void remove_unresolved(const protocol::BatchRecord& record) override;
    void remove_unresolved_up_to(const protocol::BatchRecord& record) override;

    // Batches
    [[nodiscard]] BatchId insert_batch(const BatchRow& row, protocol::Bytes file) override;
    [[nodiscard]] std::optional<BatchRow> batch(const DeviceId& device,
                                                BatchSequence sequence) override;
    [[nodiscard]] std::optional<BatchRow> batch(BatchId id) override;
    [[nodiscard]] std::optional<BatchRow> oldest_stored_batch() override;
    [[nodiscard]] FileBytes batch_file(BatchId id) override;
    void put_batch_state(BatchId id, BatchState state, std::uint32_t pending_count) override;
    void put_results(BatchId id, const std::vector<RecordOutcome>& results) override;
    [[nodiscard]] std::vector<RecordOutcome> results(BatchId id) override;
    [[nodiscard]] std::vector<ledger::StoredEntry> entries_of(std::string_view source) override;
    void each_batch(const std::function<void(const BatchRow&)>& visit) override;
    [[nodiscard]] std::int64_t unfinished_batches(const Date& up_to) override;

    // Exchange
    [[nodiscard]] MessageNumber next_number(CityCode peer) override;
    void insert_outbox(const OutboxRow& row) override;
    [[nodiscard]] std::optional<OutboxRow> oldest_unanswered(CityCode peer) override;
    [[nodiscard]] std::optional<OutboxRow> outbox(CityCode peer, MessageNumber number) override;
    void put_answered(CityCode peer, MessageNumber number, const Date& booked) override;
    [[nodiscard]] std::int64_t unanswered_messages(const Date& up_to) override;
    [[nodiscard]] std::optional<InboxRow> inbox(CityCode peer, MessageNumber number) override;
    [[nodiscard]] MessageNumber last_received(CityCode peer) override;
    void insert_inbox(const InboxRow& row) override;

    // Loads
    [[nodiscard]] std::optional<LoadRow> load(const protocol::LoadKey& key) override;
    void put_load(const LoadRow& row) override;
    void each_load(const std::function<void(const LoadRow&)>& visit) override;
    [[nodiscard]] std::vector<LoadRow> loads_of(const CardNumber& card) override;

    // Hot list
    void put_hot(const HotRow& row) override;
    [[nodiscard]] std::optional<HotRow> hot(protocol::HotKind kind,
                                            const std::array<std::uint8_t, 10>& number) override;
    void remove_hot(protocol::HotKind kind, const std::array<std::uint8_t, 10>& number) override;
    [[nodiscard]] std::optional<NoticeRow> notice(
        protocol::HotKind kind, const std::array<std::uint8_t, 10>& number) override;
    void put_notice(const NoticeRow& row) override;
    [[nodiscard]] bool unlisted_sam() override;
    [[nodiscard]] std::vector<HotRow> all_hot() override;
    void mark_listed(const DateTime& effective) override;
    void insert_hot_list(const HotListRow& row) override;
    [[nodiscard]] std::optional<HotListRow> newest_hot_list() override;

    // Days
    [[nodiscard]] std::optional<DayRow> day(const Date& date) override;
    [[nodiscard]] std::optional<DayRow> open_day() override;
    [[nodiscard]] std::vector<DayRow> unsettled_days() override;
    [[nodiscard]] std::vector<DayRow> all_days() override;
    void put_day(const DayRow& row) override;
    void put_statement(const Date& date, const StatementRow& row) override;
    [[nodiscard]] std::vector<StatementRow> statements(const Date& date) override;
    void put_settlement_lines(const Date& date,
                              const std::vector<SettlementLineRow>& lines) override;
    [[nodiscard]] std::vector<SettlementLineRow> settlement_lines(const Date& date) override;
    void add_peer_count(const Date& date, CityCode peer, bool owed_to,
                        std::uint32_t count) override;
    [[nodiscard]] std::uint32_t peer_count(const Date& date, CityCode peer, bool owed_to) override;

    // Exceptions
    void add_exception(const ExceptionRow& row) override;
    [[nodiscard]] std::vector<ExceptionRow> exceptions() override;

    // Ledger
    [[nodiscard]] ledger::ChainEnd chain_end() override;
    void insert_entry(const ledger::StoredEntry& entry) override;
    [[nodiscard]] ledger::Totals totals(const ledger::Account& account) override;
    void put_totals(const ledger::Account& account, const ledger::Totals& totals) override;
    void add_day_totals(const protocol::Date& date, ledger::EntryClass entry_class,
                        const ledger::Account& account, const ledger::Totals& added) override;
    [[nodiscard]] std::vector<ledger::DayTotals> day_totals(
        const protocol::Date& date, ledger::EntryClass entry_class) override;
    [[nodiscard]] ledger::TotalsByAccount all_totals() override;
    void each_entry(const std::function<bool(const ledger::StoredEntry&)>& visit) override;

private:
    [[nodiscard]] Columns columns(const Statement& row, const char* where) {
        return Columns{session_, row, where};
    }
    [[nodiscard]] HeldRow held_row(const Statement& row);
    [[nodiscard]] BatchRow batch_row(const Statement& row);
    [[nodiscard]] OutboxRow outbox_row(const Statement& row);
    [[nodiscard]] LoadRow load_row(const Statement& row);
    [[nodiscard]] HotRow hot_row(const Statement& row);
    [[nodiscard]] DayRow day_row(const Statement& row);
    [[nodiscard]] std::int64_t account_id(const ledger::Account& account);
    [[nodiscard]] ledger::Account account(const Statement& row, int purpose, int participant);
    [[nodiscard]] std::vector<ledger::Posting> postings(std::int64_t entry);
    [[nodiscard]] ledger::StoredEntry entry_row(const Statement& row);

    SqliteSession session_;
};

}  // namespace host::store
