#pragma once
// The card's atomic object store: small byte strings under 16-bit ids, on the flash of flash.hpp.
//
//   firmware::Store store{flash};
//   ONECARD_CHECK(store.mount());                        // after every reset, before the first
//   answer firmware::Transaction change; ONECARD_CHECK(change.put(purse_state, state_bytes));
//   ONECARD_CHECK(change.put(log_record, record_bytes));
//   ONECARD_CHECK(change.reset_counter(purchase_key_tries));
//   ONECARD_CHECK(store.commit(change, Urgency::tap));   // all of it, or, if power is lost, none
//   of it
//
// Format, invariants, recovery rule and why it is right: docs/card_storage.md.
// Nothing here uses the heap, throws, or keeps mutable statics; a Store is about 2.2 KB of RAM.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "firmware/kernel/flash.hpp"
#include "firmware/kernel/log_format.hpp"
#include "protocol/bytes.hpp"
#include "protocol/status_word.hpp"
#include "protocol/strong.hpp"

namespace firmware {

using protocol::Bytes;
using protocol::MutableBytes;
using protocol::Outcome;

/// Names one object. Ids are dense: below `object_count_max`, and each belongs to one owner:
///   0 ..  31  the kernel (format version, mask seed, file system)
///  32 .. 191  applications: purse states, keys outside key files, try counters. Their owner
///  numbers them.
/// 192 .. 1023 the file system (file_system.hpp)
using ObjectId = protocol::Strong<std::uint16_t, struct ObjectIdName>;
constexpr std::uint16_t object_count_max = 1024;
constexpr std::uint16_t application_object_first = 32;
constexpr std::uint16_t file_object_first = 192;

/// What the objects mean to this firmware: migration.hpp brings older content up to it.
constexpr std::uint16_t content_version_known = 1;

constexpr std::size_t object_size_max = 255;
/// What one transaction holds: each object counts 4 bytes, its size and 1 (masked: 4), rounded up
/// to 4.
constexpr std::size_t transaction_size_max = 640;

/// Changes collected in RAM, then committed together. Dropping it changes nothing and costs no
/// flash. It may hold secrets: it wipes itself when cleared or destroyed.
class Transaction {
public:
    Transaction() = default;
    ~Transaction() { clear(); }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    /// Replaces the whole object; the last put of an id wins. not_enough_memory if the transaction
    /// is full (it then keeps what it held before the call), incorrect_data if `value` is too long.
    [[nodiscard]] Outcome<void> put(ObjectId id, Bytes value);
    /// The same, for key material: at rest it is masked and carries a 32-bit check.
    [[nodiscard]] Outcome<void> put_masked(ObjectId id, Bytes value);
    /// Removes the object (or counter), if it exists.
    [[nodiscard]] Outcome<void> erase(ObjectId id);
    /// Sets a counter (see Store::tick), normally back to 0, together with the rest of the
    /// transaction.
    [[nodiscard]] Outcome<void> reset_counter(ObjectId id, std::uint8_t value = 0);

    /// The value staged for `id`: empty if none is, or if it is staged for removal.
    [[nodiscard]] std::optional<Bytes> staged(ObjectId id) const;
    /// True if this transaction touches `id` in any way, removal included.
    [[nodiscard]] bool touches(ObjectId id) const;
    [[nodiscard]] bool empty() const { return size_ == 0; }
    void clear();

private:
    friend class Store;
    [[nodiscard]] Outcome<void> stage(log_format::Kind kind, ObjectId id, Bytes value,
                                      std::uint8_t argument);
    [[nodiscard]] std::optional<std::size_t> find(ObjectId id) const;
    void remove_at(std::size_t position);

    std::array<std::uint8_t, transaction_size_max>
        bytes_{};  // entries in the form they have in flash
    std::size_t size_ = 0;
};

/// What a commit may use. The last `tap_reserve_pages` erased pages are kept for taps.
enum class Urgency : std::uint8_t {
    ordinary,  ///< may reclaim pages first (erasures: slow); refused when only the reserve is left
    tap,       ///< never erases, never reclaims; may use the reserve
};

enum class Housekeeping : std::uint8_t {
    nothing_to_do,
    page_reclaimed,  ///< one page was erased; there may be more to do
};

struct StoreUsage {
    std::uint16_t pages_ready;     ///< erased and usable now
    std::uint16_t pages_to_erase;  ///< hold nothing; wait for a housekeeping step
    std::uint32_t bytes_live;      ///< what the newest objects occupy, headers included
    std::uint32_t bytes_live_max;  ///< beyond this, ordinary commits are refused
    std::uint32_t
        page_sequence;  ///< pages opened since format: / page count = erasures of each page
};

class Store {
public:
    explicit Store(Flash& flash) : flash_{&flash} {}
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Erases everything and makes an empty store. `mask_seed`: 8 random bytes, different on every
    /// card.
    [[nodiscard]] static Outcome<void> format(Flash& flash,
                                              const std::array<std::uint8_t, 8>& mask_seed);

    /// Builds the index and settles whatever a power loss left, so that from here on every read is
    /// repeatable. Once after every reset, before anything else; only after a torn write does it
    /// write. conditions_not_satisfied: not formatted, or a newer format. memory_failure: damaged
    /// beyond tearing.
    [[nodiscard]] Outcome<void> mount();

    /// Makes every change of `change` durable, in one step, then clears it.
    /// not_enough_memory: no space; nothing changed and `change` is kept. memory_failure: the flash
    /// failed or is damaged; the store refuses every further write until it is mounted again.
    [[nodiscard]] Outcome<void> commit(Transaction& change, Urgency urgency);

    /// Copies the object into `out` and returns its size. referenced_data_not_found: no such
    /// object. not_enough_memory: `out` too short. memory_failure: its check fails (a bit has
    /// flipped). On failure `out` holds nothing of a masked object.
    [[nodiscard]] Outcome<std::size_t> read(ObjectId id, MutableBytes out) const;
    [[nodiscard]] Outcome<std::size_t> size(ObjectId id) const;
    [[nodiscard]] bool contains(ObjectId id) const;

    /// A counter is an id that holds a number (0 until touched) and can be raised cheaply, alone
    /// and before a decision: for "tries used" of a PIN or key. 8 bytes of flash, uses the tap
    /// reserve. Durable when it returns; returns the new value. counter_exhausted at 255.
    [[nodiscard]] Outcome<std::uint8_t> tick(ObjectId id);
    [[nodiscard]] Outcome<std::uint8_t> counter(ObjectId id) const;

    /// Erases at most one page. Call it after an answer has been sent and after a reset; never
    /// between INITIALIZE and the answer to DEBIT. Until it says nothing_to_do the reserve may be
    /// short.
    [[nodiscard]] Outcome<Housekeeping> housekeeping_step();

    /// Version of what the objects mean (not of the flash format), 1 after format. See
    /// migration.hpp.
    [[nodiscard]] Outcome<std::uint16_t> content_version() const;

    [[nodiscard]] StoreUsage usage() const;

private:
    using Location = std::uint16_t;  // page * units_per_page + unit
    static constexpr Location nowhere = 0xFFFF;
    static constexpr std::uint16_t no_page = log_format::no_page;
    using PageSet = std::array<std::uint32_t, flash_model::page_count_max / 32>;
    enum class State : std::uint8_t { unmounted, ready, failed };
    class EntryCursor;   // store_internal.hpp
    class RecordWriter;  // store_internal.hpp

    // Flash access (store.cpp).
    [[nodiscard]] FlashUnit read_unit(Location at) const;
    [[nodiscard]] Outcome<void> program_unit(Location at, const FlashUnit& unit);
    [[nodiscard]] Outcome<void> program_mark(Location at, const log_format::Mark& mark);
    [[nodiscard]] Outcome<void> zero_units(Location first, unsigned count);
    [[nodiscard]] std::optional<log_format::Opening> read_opening(std::uint16_t page) const;

    // Writing the log (store.cpp).
    [[nodiscard]] Outcome<Location> claim(unsigned units, std::uint16_t pages_kept);
    [[nodiscard]] Outcome<void> open_page(unsigned previous_end, std::uint16_t predecessor);
    [[nodiscard]] Outcome<void> write_frame(Location at, Bytes entries);
    [[nodiscard]] Outcome<void> seal();
    [[nodiscard]] bool would_be_found(Location at) const;
    void apply(const log_format::Header& entry, Location at);
    void mask(ObjectId id, MutableBytes bytes, std::size_t from) const;  ///< its own inverse
    void mask_entries(MutableBytes entries) const;
    [[nodiscard]] Outcome<void> make_room(const Transaction& change);
    [[nodiscard]] std::int32_t growth(Bytes entries) const;
    [[nodiscard]] Outcome<log_format::Header> find_entry(ObjectId id) const;

    // Pages (store_pages.cpp).
    [[nodiscard]] Outcome<void> prepare_page(std::uint16_t page);
    [[nodiscard]] bool is_idle(unsigned page) const;
    [[nodiscard]] bool may_erase(unsigned page) const;
    [[nodiscard]] bool log_is_long() const;
    [[nodiscard]] Outcome<void> reclaim_oldest();
    [[nodiscard]] Outcome<bool> relocate_some(std::uint16_t page, unsigned end);
    [[nodiscard]] Outcome<void> freshen_last_head();
    [[nodiscard]] unsigned relocation_limit() const;
    [[nodiscard]] bool fits_head(unsigned units) const;
    [[nodiscard]] std::uint16_t page_to_erase() const;
    [[nodiscard]] std::uint16_t find_following(std::uint16_t page, std::uint32_t sequence) const;
    [[nodiscard]] std::uint32_t live_units_max() const;

    // Recovery (store_recovery.cpp).
    [[nodiscard]] Outcome<void> recover();
    [[nodiscard]] log_format::Opening survey();
    [[nodiscard]] Outcome<PageSet> link_log(const log_format::Opening& newest);
    [[nodiscard]] Outcome<void> erase_idle_pages();
    [[nodiscard]] bool is_staying(std::uint16_t page) const;
    [[nodiscard]] bool is_opened(std::uint16_t page) const;
    [[nodiscard]] Outcome<void> prove_head(const log_format::Opening& newest, PageSet& linked);
    [[nodiscard]] Outcome<void> replay_closed();
    [[nodiscard]] Outcome<void> replay_head();
    [[nodiscard]] Outcome<bool> replay_record(unsigned& unit, unsigned end);
    [[nodiscard]] Outcome<void> replay(Location first, unsigned units);
    [[nodiscard]] Outcome<void> settle_by_opening(unsigned end, std::uint16_t predecessor);
    [[nodiscard]] bool is_head_empty() const;
    [[nodiscard]] Outcome<void> settle_tail();
    [[nodiscard]] bool check_matches(Location at, unsigned units) const;
    [[nodiscard]] unsigned find_end(std::uint16_t page) const;
    [[nodiscard]] bool is_followed(std::uint16_t page, unsigned unit) const;

    Flash* flash_;
    std::array<Location, object_count_max> index_{};
    PageSet ready_{};   // erased and marked so
    PageSet in_log_{};  // opened, hold records
    std::uint32_t live_units_ = 0;
    std::uint32_t head_sequence_ = 0;
    std::uint32_t oldest_sequence_ = 0;
    std::uint16_t head_ = no_page;
    std::uint16_t oldest_ = no_page;
    std::uint16_t ready_count_ = 0;
    std::uint16_t record_end_ = 0;   // in the head page: behind the last record and its seal
    std::uint16_t erased_from_ = 0;  // in the head page: from here on nothing looks programmed
    bool tail_is_fresh_ = false;     // erased_from_ was never begun, because we know what we wrote
    bool is_sealed_ = true;
    bool has_written_ = false;  // since mount or the last housekeeping step
    State state_ = State::unmounted;
    std::array<std::uint8_t, 8> mask_seed_{};
};

/// Pages that only taps may use: 64 journey taps at 3 to a page (docs/card_storage.md, section 5).
constexpr std::uint16_t tap_reserve_pages = 22;

}  // namespace firmware
