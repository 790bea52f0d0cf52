#pragma once
// The gate's durable memory: entries, batches, lists. States and invariants J1-J5: docs/journal.md.
#include <mutex>

#include "platform/sqlite.hpp"
#include "protocol/hot_list.hpp"
#include "terminal/gate/tap.hpp"
#include "terminal/journal/batch_writer.hpp"

namespace terminal {

template <class T>
using Stored = platform::sqlite::Result<T>;
using EntryId = protocol::Strong<std::int64_t, struct EntryIdName>;

struct JournalOwner {
    DeviceId device;
    protocol::Mark mark = protocol::Mark::live;
};
struct BatchRules {
    std::uint32_t records_max = 500;
    std::uint32_t age_seconds = 300;
};
/// What a batch's header says beside what the journal knows itself.
struct BatchOrigin {
    OperatorId operator_id;
    CityCode city;
    protocol::ListSequence hot_list;
    std::uint32_t fare_table = 0;
    DateTime now;
};
struct StoredBatch {
    protocol::BatchSequence sequence;
    std::uint32_t record_count = 0;
    protocol::Digest digest{};  ///< SM3 of the whole file, made when it was signed
    std::vector<std::uint8_t> file;
};
struct StoredHotList {
    protocol::ListSequence sequence;
    DateTime effective;
    std::vector<std::uint8_t> file;
};
struct JournalCounts {
    std::int64_t pending = 0;
    std::int64_t unbatched = 0;  ///< complete, in no batch yet
    std::int64_t unacknowledged_batches = 0;
    std::int64_t incomplete_results = 0;
    std::int64_t waiting_own = 0;
    std::int64_t waiting_shared = 0;
};

/// Safe from several threads: one lock, no call waits for anything but the disk.
class Journal final : public UnresolvedEntries {
public:
    /// Creates or opens; `wrong_application` when the file is another device's or mark's.
    [[nodiscard]] static Stored<std::unique_ptr<Journal>> open(
        const std::filesystem::path& path, const JournalOwner& owner,
        const platform::sqlite::Options& options = default_options());
    /// synchronous=FULL, exclusive, our application id.
    [[nodiscard]] static platform::sqlite::Options default_options();

    // ---- taps ----
    /// Durable before DEBIT leaves (J1).
    [[nodiscard]] Stored<EntryId> begin_entry(const Record& record, std::int64_t now_ms);
    /// Durable before the gate opens. `entry` is the one begin_entry gave; nothing when the tap
    /// wrote none.
    [[nodiscard]] Stored<void> end_entry(std::optional<EntryId> entry, const Finished& result,
                                         std::int64_t now_ms);
    /// At start-up: what a kill left pending becomes unresolved. Answers how many.
    [[nodiscard]] Stored<std::int64_t> settle_pending();
    /// An unreadable journal answers none: the entries wait for a later touch.
    [[nodiscard]] std::vector<BatchRecord> of(const CardNumber& card) const override;
    /// The host's list of this operator's unresolved entries replaces the last one.
    [[nodiscard]] Stored<void> replace_shared(const std::vector<BatchRecord>& entries);

    // ---- batches ----
    /// Cuts, signs and stores the next batch if the rules, or `on_request`, call for one.
    [[nodiscard]] Stored<std::optional<protocol::BatchSequence>> cut_batch(
        const BatchRules& rules, const BatchOrigin& origin, BatchSigner& signer,
        std::int64_t now_ms, bool on_request);
    /// The oldest batch without a receipt.
    [[nodiscard]] Stored<std::optional<StoredBatch>> next_unacknowledged() const;
    [[nodiscard]] Stored<void> acknowledge(protocol::BatchSequence sequence,
                                           std::string_view receipt);
    /// Acknowledged batches whose result is not complete.
    [[nodiscard]] Stored<std::vector<protocol::BatchSequence>> without_result() const;
    [[nodiscard]] Stored<void> keep_result(protocol::BatchSequence sequence,
                                           std::string_view result, bool complete);
    /// Deletes batches, with their entries, whose result was complete before `before_ms` (J4).
    [[nodiscard]] Stored<void> prune(std::int64_t before_ms);

    // ---- hot lists ----
    [[nodiscard]] Stored<void> keep_hot_list(const StoredHotList& list);
    [[nodiscard]] Stored<std::vector<StoredHotList>> hot_lists() const;
    /// Forgets lists below `in_force`.
    [[nodiscard]] Stored<void> drop_hot_lists_before(protocol::ListSequence in_force);

    [[nodiscard]] Stored<JournalCounts> counts() const;

private:
    Journal(platform::sqlite::Database database, const JournalOwner& owner)
        : database_{std::move(database)}, owner_{owner} {}
    [[nodiscard]] Stored<void> claim();
    [[nodiscard]] Stored<void> insert_complete(const BatchRecord& record, std::int64_t now_ms);
    [[nodiscard]] Stored<void> add_waiting(const BatchRecord& record, bool shared);
    [[nodiscard]] Stored<void> settle(const std::vector<Resolution>& resolutions,
                                      std::int64_t now_ms);
    [[nodiscard]] Stored<bool> batch_is_due(const BatchRules& rules, std::int64_t now_ms,
                                            bool on_request);
    [[nodiscard]] Stored<std::int64_t> number(std::string_view sql) const;

    mutable std::mutex mutex_;
    mutable platform::sqlite::Database database_;
    JournalOwner owner_;
};

}  // namespace terminal
