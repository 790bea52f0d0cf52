// Pages: making them ready, reclaiming the oldest. docs/card_storage.md, section 4.
#include <bit>
#include <utility>

#include "firmware/kernel/store_internal.hpp"

namespace firmware {

using log_format::Header;
using log_format::Kind;
using protocol::fail;
using protocol::StatusWord;

namespace {
constexpr unsigned units_per_page = log_format::units_per_page;
// A relocation frame holds at most this, so that an interrupted step has still moved something.
constexpr unsigned relocation_units_max = 72;
constexpr unsigned frame_overhead = 2;  // header and check
// What can be live in a page. With two records (seal included, a tick is 3 units with one live):
constexpr unsigned live_units_most = units_per_page - log_format::first_record_unit - 3 - 2;
// with one, which a commit or one such page filled, no more. A fresh head takes it in one frame:
static_assert(log_format::first_record_unit + 2 + live_units_most + frame_overhead + 1 <=
              units_per_page);
}  // namespace

/// Leaves a finished frame and passes the zeros between records; false at the end.
bool Store::EntryCursor::skip_to_header(FlashUnit& unit) {
    if (is_in_frame_ && unit_ == frame_check_) {
        unit_ = static_cast<Location>(frame_check_ + 2);  // the check and the seal
        is_in_frame_ = false;
    }
    for (; unit_ < end_; ++unit_) {
        unit = store_.read_unit(unit_);
        if (is_in_frame_ || unit != log_format::zero_unit) return true;
    }
    return false;
}

std::optional<Store::EntryCursor::Entry> Store::EntryCursor::next() {
    FlashUnit unit;
    while (skip_to_header(unit)) {
        const auto header = log_format::decode(unit);
        if (!header || header->id >= object_count_max) return stop();
        if (log_format::is_record(header->kind) == is_in_frame_) return stop();
        const Entry entry{*header, unit_};
        if (is_in_frame_) {
            unit_ = static_cast<Location>(unit_ + log_format::entry_units(*header));
            if (unit_ > frame_check_) return stop();
            return entry;
        }
        const unsigned units = log_format::record_units(*header);
        if (unit_ + units + 1 > end_) return stop();
        if (header->kind == Kind::tick) {
            unit_ = static_cast<Location>(unit_ + units + 1);
            return entry;
        }
        if (units < log_format::frame_units_min) return stop();
        frame_check_ = static_cast<Location>(unit_ + units - 1);
        is_in_frame_ = true;
        ++unit_;
    }
    return std::nullopt;
}

/// Nothing that is live may stand in it: looked at once more, whoever has chosen the page.
bool Store::may_erase(unsigned page) const {
    const auto is_in_page = [&](Location place) {
        return place != nowhere && place / units_per_page == page;
    };
    return page != head_ && std::ranges::none_of(index_, is_in_page);
}

/// Erases the page, then marks it ready: the mark proves that the erasure came to its end.
Outcome<void> Store::prepare_page(std::uint16_t page) {
    if (!may_erase(page)) return damaged();
    const auto first = static_cast<Location>(page * units_per_page + log_format::ready_mark_unit);
    // First the unit that says so: while it looks erased, the opening is whole (invariant 9). Then
    // the opening: while it stands, the page is in the log, whole. Then the ready mark, so that an
    // interrupted erasure cannot leave a page that looks ready or opened (invariant 6).
    ONECARD_CHECK(zero_units(static_cast<Location>(first + log_format::leaving_unit), 1));
    ONECARD_CHECK(zero_units(static_cast<Location>(first + log_format::begun_unit), 3));
    set_page(in_log_, page, false);
    ONECARD_CHECK(zero_units(first, 2));
    if (!flash_->erase_page(page)) {
        state_ = State::failed;
        return damaged();
    }
    ONECARD_CHECK(program_mark(first, log_format::ready_mark));
    set_page(ready_, page, true);
    ++ready_count_;
    return {};
}

/// Neither in the log nor ready: it waits for its erasure.
bool Store::is_idle(unsigned page) const {
    return !has_page(ready_, page) && !has_page(in_log_, page);
}

/// An idle page, or no_page.
std::uint16_t Store::page_to_erase() const {
    const unsigned pages = flash_->page_count();
    for (unsigned i = 1; i <= pages; ++i) {
        const unsigned page = ((head_ == no_page ? 0U : head_) + i) % pages;
        if (is_idle(page)) return static_cast<std::uint16_t>(page);
    }
    return no_page;
}

/// The page of the log that follows this one, or no_page. A lower sequence than `sequence`, its
/// own, belongs to the oldest page: what that one followed is gone, its place used again.
std::uint16_t Store::find_following(std::uint16_t page, std::uint32_t sequence) const {
    const unsigned pages = flash_->page_count();
    for (unsigned i = 1; i < pages; ++i) {
        const auto candidate = static_cast<std::uint16_t>((page + i) % pages);
        if (!has_page(in_log_, candidate)) continue;
        const auto opening = read_opening(candidate);
        if (opening && opening->predecessor == page && opening->sequence > sequence) {
            return candidate;
        }
    }
    return no_page;
}

/// With the last ready page, a copy must fit the head. An empty one whose first units were zeroed,
/// one after each reset, may have become too short: a fresh page takes its place.
Outcome<void> Store::freshen_last_head() {
    if (ready_count_ != 1 || !is_head_empty() || tail_is_fresh_) return {};
    ONECARD_CHECK(settle_tail());
    return erase_idle_pages();
}

/// When only one page would be left, an interrupted frame must leave a head without a record, which
/// costs no page: all that is left goes into one frame (invariant 8).
unsigned Store::relocation_limit() const {
    const bool opens = !fits_head(relocation_units_max + frame_overhead);
    return ready_count_ <= (opens ? 2 : 1) ? units_per_page : relocation_units_max;
}

/// Copies some of what is live in `page` to the head, in one frame; false when nothing is left.
Outcome<bool> Store::relocate_some(std::uint16_t page, unsigned end) {
    const auto first = static_cast<Location>(page * units_per_page + log_format::first_record_unit);
    const auto last = static_cast<Location>(page * units_per_page + end);
    const auto is_live = [this](const EntryCursor::Entry& entry) {
        return index_[entry.header.id] == entry.at;
    };
    const unsigned units_max = relocation_limit();
    unsigned units = 0;
    unsigned count = 0;
    EntryCursor look{*this, first, last};
    while (const auto entry = look.next()) {
        if (!is_live(*entry)) continue;
        const unsigned size = log_format::entry_units(entry->header);
        if (units + size > units_max) break;
        units += size;
        ++count;
    }
    if (look.is_damaged()) return fail(StatusWord::memory_failure);
    if (count == 0) return false;

    ONECARD_TRY(at, claim(units + frame_overhead, 0));
    RecordWriter frame{*this, at};
    ONECARD_CHECK(frame.put(
        log_format::encode(Header{Kind::frame, 0, static_cast<std::uint8_t>(units + 2)})));
    EntryCursor copy{*this, first, last};
    for (unsigned copied = 0; copied < count;) {
        const auto entry = copy.next();
        if (!entry) return fail(StatusWord::memory_failure);
        if (!is_live(*entry)) continue;
        Header header = entry->header;
        if (header.kind == Kind::tick) header.kind = Kind::entry_counter;
        ONECARD_CHECK(frame.put(log_format::encode(header)));
        for (unsigned i = 1; i < log_format::entry_units(header); ++i) {
            ONECARD_CHECK(frame.put(read_unit(static_cast<Location>(entry->at + i))));
        }
        ++copied;
    }
    ONECARD_CHECK(frame.finish());
    ONECARD_CHECK(replay(at, units + 3));
    return true;
}

/// Moves what is live out of the oldest page, then erases it. Nothing in it is then needed: older
/// versions of its objects are gone already, newer ones stand later in the log (invariant 7).
Outcome<void> Store::reclaim_oldest() {
    const std::uint16_t page = oldest_;
    const std::uint16_t following = find_following(page, oldest_sequence_);
    if (following == no_page) return damaged();
    const auto opening = read_opening(following);
    if (!opening) return damaged();
    ONECARD_CHECK(freshen_last_head());
    for (;;) {
        ONECARD_TRY(moved, relocate_some(page, opening->previous_end));
        if (!moved) break;
    }
    oldest_ = following;
    oldest_sequence_ = opening->sequence;
    return prepare_page(page);
}

/// Mounting reads every record. Three pages for each that live objects would fill: to keep the log
/// as short as that costs half an erasure more per page written (docs/card_storage.md, section 4).
bool Store::log_is_long() const {
    unsigned pages = 0;
    for (const std::uint32_t word : in_log_) pages += static_cast<unsigned>(std::popcount(word));
    return pages > 3 * (live_units_ / log_format::units_per_page + 1) + 3;
}

Outcome<Housekeeping> Store::housekeeping_step() {
    if (state_ != State::ready) return fail(StatusWord::memory_failure);
    ONECARD_CHECK(seal());
    if (const std::uint16_t page = page_to_erase(); page != no_page) {
        ONECARD_CHECK(prepare_page(page));
        return Housekeeping::page_reclaimed;
    }
    const bool shortens = std::exchange(has_written_, false) && log_is_long();
    if (oldest_ == head_ || (ready_count_ >= ready_pages_wanted && !shortens)) {
        return Housekeeping::nothing_to_do;
    }
    ONECARD_CHECK(reclaim_oldest());
    has_written_ = false;  // one step for each command that wrote
    return Housekeeping::page_reclaimed;
}

/// Four fifths of what is left beside the reserves: reclaiming then frees a fifth of a page or
/// more.
std::uint32_t Store::live_units_max() const {
    const std::uint32_t pages = flash_->page_count();
    return pages <= ready_pages_wanted + 4U ? 200U : (pages - ready_pages_wanted - 4U) * 200U;
}

StoreUsage Store::usage() const {
    unsigned waiting = 0;
    for (unsigned page = 0; page < flash_->page_count(); ++page) {
        if (is_idle(page)) ++waiting;
    }
    return {.pages_ready = ready_count_,
            .pages_to_erase = static_cast<std::uint16_t>(waiting),
            .bytes_live = static_cast<std::uint32_t>(live_units_ * flash_model::unit_size),
            .bytes_live_max = static_cast<std::uint32_t>(live_units_max() * flash_model::unit_size),
            .page_sequence = head_sequence_};
}

}  // namespace firmware
