#pragma once
// What the store's own source files share.
#include "firmware/kernel/store.hpp"

namespace firmware {

constexpr std::uint16_t relocation_reserve_pages = 2;  // only reclaiming and recovery may use them
constexpr std::uint16_t ready_pages_wanted = tap_reserve_pages + relocation_reserve_pages + 2;
constexpr ObjectId format_object{0};  // content version (2 bytes), migration progress (2 bytes)
constexpr ObjectId mask_seed_object{1};

[[nodiscard]] inline Outcome<void> damaged() {
    return protocol::fail(protocol::StatusWord::memory_failure);
}

template <class Set>
[[nodiscard]] bool has_page(const Set& set, unsigned page) {
    return (set[page / 32] >> (page % 32) & 1) != 0;
}
template <class Set>
void set_page(Set& set, unsigned page, bool value) {
    const std::uint32_t bit = std::uint32_t{1} << (page % 32);
    set[page / 32] = value ? set[page / 32] | bit : set[page / 32] & ~bit;
}

/// Walks the entries of the records in units [first, end) of a page; a tick is its own entry.
class Store::EntryCursor {
public:
    EntryCursor(const Store& store, Location first, Location end)
        : store_{store}, unit_{first}, end_{end} {}

    struct Entry {
        log_format::Header header;
        Location at;
    };
    /// Empty at the end, and where the units are not what the format allows: see is_damaged.
    [[nodiscard]] std::optional<Entry> next();
    [[nodiscard]] bool is_damaged() const { return is_damaged_; }

private:
    [[nodiscard]] bool skip_to_header(FlashUnit& unit);
    [[nodiscard]] std::nullopt_t stop() {
        is_damaged_ = true;
        return std::nullopt;
    }

    const Store& store_;
    Location unit_;
    Location end_;
    Location frame_check_ = 0;  // inside a frame: where its check stands
    bool is_in_frame_ = false;
    bool is_damaged_ = false;
};

/// Programs a record unit by unit and ends it with its check.
class Store::RecordWriter {
public:
    RecordWriter(Store& store, Location at)
        : store_{store}, at_{at}, check_{store.head_sequence_, at % log_format::units_per_page} {}

    [[nodiscard]] Outcome<void> put(const FlashUnit& unit) {
        check_.add(unit);
        return store_.program_unit(at_++, unit);
    }
    [[nodiscard]] Outcome<void> finish();

private:
    Store& store_;
    Location at_;
    log_format::RecordCheck check_;
};

}  // namespace firmware
