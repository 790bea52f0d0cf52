// What a reset finds, and how it is settled before anyone sees it. docs/card_storage.md, section 3.
#include "firmware/kernel/store_internal.hpp"

namespace firmware {

using log_format::Opening;
using protocol::fail;
using protocol::StatusWord;

namespace {
constexpr unsigned units_per_page = log_format::units_per_page;
constexpr unsigned first_record_unit = log_format::first_record_unit;
// What stands here proves the unit before it, and that one the opening.
constexpr unsigned proof_unit = first_record_unit + 1;
// More numbers than any card burns by tears between two pages that stay: one for each.
constexpr std::uint32_t sequence_gap_max = 0xFFFF;
// Below this, recovery reclaims before the first answer: many interrupted writes in a row got us
// here.
constexpr std::uint16_t ready_pages_urgent = relocation_reserve_pages + 2;
}  // namespace

/// The unit behind the last one of the page that does not look erased.
unsigned Store::find_end(std::uint16_t page) const {
    unsigned end = units_per_page;
    while (end > first_record_unit &&
           read_unit(static_cast<Location>(page * units_per_page + end - 1)) ==
               log_format::erased_unit) {
        --end;
    }
    return end;
}

/// True if anything in the page from `unit` on does not look erased: most often its first unit.
bool Store::is_followed(std::uint16_t page, unsigned unit) const {
    while (unit < units_per_page && read_unit(static_cast<Location>(
                                        page * units_per_page + unit)) == log_format::erased_unit) {
        ++unit;
    }
    return unit < units_per_page;
}

/// Has nobody begun to take this page out of the log? Then its opening is as it was written.
bool Store::is_staying(std::uint16_t page) const {
    return read_unit(static_cast<Location>(page * units_per_page + log_format::leaving_unit)) ==
           log_format::erased_unit;
}

/// Of a page whose opening reads well: does it count? What follows the opening proves that it was
/// written to its end, but not, while it may look erased itself, that nobody has begun to zero it
/// again: that takes a page that is staying, or one unit more (invariant 9).
bool Store::is_opened(std::uint16_t page) const {
    return is_followed(page, is_staying(page) ? first_record_unit : proof_unit);
}

/// Step 1: which pages are opened, which are ready. The newest opened one is the head; its opening
/// is kept as it was read, because the next look may differ until it is proven.
log_format::Opening Store::survey() {
    Opening newest{}, second{};
    std::uint16_t second_page = no_page;
    for (std::uint16_t page = 0; page < flash_->page_count(); ++page) {
        if (const auto opening = read_opening(page)) {
            if (!is_opened(page)) continue;
            set_page(in_log_, page, true);
            if (opening->sequence > newest.sequence) {
                second = newest;
                second_page = head_;
                newest = *opening;
                head_ = page;
            } else if (opening->sequence > second.sequence) {
                second = *opening;
                second_page = page;
            }
            continue;
        }
        const auto first = static_cast<Location>(page * units_per_page);
        log_format::Mark mark;
        flash_->read(static_cast<std::uint32_t>(first * flash_model::unit_size), mark);
        const FlashUnit begun = read_unit(static_cast<Location>(first + log_format::begun_unit));
        if (mark == log_format::ready_mark && begun == log_format::erased_unit) {
            set_page(ready_, page, true);
            ++ready_count_;
        }
    }
    // A page in the middle of its erasure may read as anything, once in a while as an opening too.
    // Its number is then far from all others, and it does not look as if it were staying.
    const bool is_alone = second.sequence == 0;
    if (!is_alone && newest.sequence - second.sequence > sequence_gap_max && !is_staying(head_)) {
        set_page(in_log_, head_, false);
        newest = second;
        head_ = second_page;
    }
    head_sequence_ = newest.sequence;
    return newest;
}

/// Step 2: follows the openings back from the head. An opened page that is not reached was a try of
/// an interrupted recovery, or the oldest page on its way out; one older than that means damage.
Outcome<Store::PageSet> Store::link_log(const Opening& newest) {
    PageSet linked{};
    set_page(linked, head_, true);
    oldest_ = head_;
    Opening first = newest;
    while (first.predecessor != no_page && has_page(in_log_, first.predecessor)) {
        const auto before = read_opening(first.predecessor);
        if (!before || before->sequence > first.sequence) break;  // gone, its page used again
        oldest_ = first.predecessor;
        set_page(linked, oldest_, true);
        first = *before;
    }
    oldest_sequence_ = first.sequence;
    for (std::uint16_t page = 0; page < flash_->page_count(); ++page) {
        if (!has_page(in_log_, page) || has_page(linked, page)) continue;
        if (page == first.predecessor) continue;
        const auto opening = read_opening(page);
        // (What does not look as if it were staying is a page in the middle of its erasure.)
        if (opening && opening->sequence < oldest_sequence_ && is_staying(page)) {
            return fail(StatusWord::memory_failure);
        }
    }
    return linked;
}

/// Steps 3 and 5: pages that hold nothing go now, so that none can turn up in the log at a later
/// look. There is one after a tear in an erasure or an opening, and none otherwise.
Outcome<void> Store::erase_idle_pages() {
    for (std::uint16_t page = page_to_erase(); page != no_page; page = page_to_erase()) {
        ONECARD_CHECK(prepare_page(page));
    }
    return {};
}

/// Makes a decision durable: opens a page whose header says where the records of `predecessor` end.
/// Two zeros behind the opening prove it. Nobody sees the decision before that is done.
Outcome<void> Store::settle_by_opening(unsigned end, std::uint16_t predecessor) {
    ONECARD_CHECK(open_page(end, predecessor));
    ONECARD_CHECK(zero_units(static_cast<Location>(head_ * units_per_page + first_record_unit), 2));
    erased_from_ = proof_unit + 1;
    return {};
}

/// Step 4: a head of which the last unit that follows its opening may look erased the next time. If
/// it is staying, its opening is whole, and the two zeros are completed in place. If not, it may
/// have been on its way out, and what was read of it just now goes into a further page.
Outcome<void> Store::prove_head(const Opening& newest, PageSet& linked) {
    const auto first = static_cast<Location>(head_ * units_per_page + first_record_unit);
    const bool holds_zeros = read_unit(first) == log_format::zero_unit;
    // A record's unit is no proof either, but step 7 settles the tail of that head in any case.
    if (is_followed(head_, holds_zeros ? proof_unit + 1 : proof_unit)) return {};
    if (newest.predecessor == no_page) {
        return fail(StatusWord::conditions_not_satisfied);  // formatting was interrupted
    }
    if (oldest_ == head_) return damaged();
    if (is_staying(head_)) return zero_units(first, 2);
    set_page(linked, head_, false);
    ONECARD_CHECK(settle_by_opening(newest.previous_end, newest.predecessor));
    set_page(linked, head_, true);
    return {};
}

/// Step 6: everything before the head page, oldest first, each page to the end its follower states.
Outcome<void> Store::replay_closed() {
    std::uint32_t sequence = oldest_sequence_;
    for (std::uint16_t page = oldest_; page != head_;) {
        const std::uint16_t following = find_following(page, sequence);
        if (following == no_page) return damaged();
        const auto opening = read_opening(following);
        if (!opening || opening->previous_end < first_record_unit) return damaged();
        const auto first = static_cast<Location>(page * units_per_page + first_record_unit);
        ONECARD_CHECK(replay(first, opening->previous_end - first_record_unit));
        page = following;
        sequence = opening->sequence;
    }
    return {};
}

Outcome<void> Store::replay(Location first, unsigned units) {
    EntryCursor cursor{*this, first, static_cast<Location>(first + units)};
    while (const auto entry = cursor.next()) apply(entry->header, entry->at);
    return cursor.is_damaged() ? damaged() : Outcome<void>{};
}

bool Store::check_matches(Location at, unsigned units) const {
    log_format::RecordCheck check{head_sequence_, at % units_per_page};
    for (unsigned i = 0; i + 1 < units; ++i) {
        check.add(read_unit(static_cast<Location>(at + i)));
    }
    return check.value() == read_unit(static_cast<Location>(at + units - 1));
}

/// Is the record at `at` the head's last, would a reset come to it, and is its check right? Read
/// from the flash, as replay_head reads it. What was not written so was not written.
bool Store::would_be_found(Location at) const {
    const unsigned page_first = head_ * units_per_page;
    for (unsigned unit = first_record_unit; unit < record_end_; ++unit) {
        const FlashUnit found = read_unit(static_cast<Location>(page_first + unit));
        if (found == log_format::zero_unit) continue;
        const auto header = log_format::decode(found);
        if (!header || !log_format::is_record(header->kind)) return false;
        const unsigned units = log_format::record_units(*header);
        if (page_first + unit == at) {
            return unit + units + 1 == record_end_ && check_matches(at, units);
        }
        unit += units;  // the seal is next
    }
    return false;
}

/// Opened behind another page, and no record in it yet.
bool Store::is_head_empty() const {
    return record_end_ == first_record_unit && oldest_ != head_;
}

/// Settles where the head's records end. A head without a record says nothing but where the page
/// before it ends: the new page says that in its place, so that a tear costs no page (invariant 8).
Outcome<void> Store::settle_tail() {
    const auto opening = read_opening(head_);
    if (!opening) return damaged();
    if (!is_head_empty()) return settle_by_opening(record_end_, head_);
    const std::uint16_t replaced = head_;
    ONECARD_CHECK(settle_by_opening(opening->previous_end, opening->predecessor));
    set_page(in_log_, replaced, false);
    return {};
}

/// Step 7, one record of the head page: advances `unit` behind it and its seal, or settles the tail
/// (false). A record with something behind it was written to its end; the last may not have been.
Outcome<bool> Store::replay_record(unsigned& unit, unsigned end) {
    const auto at = static_cast<Location>(head_ * units_per_page + unit);
    const auto header = log_format::decode(read_unit(at));
    if (!header || !log_format::is_record(header->kind)) {
        // A first unit, or a zero, cut short: nothing but zeros can stand behind it. In the page's
        // first unit it may be a zero of step 4, over a header: then also what that one began.
        for (unsigned behind = unit == first_record_unit ? 2 : 1; unit + behind < end; ++behind) {
            if (read_unit(static_cast<Location>(at + behind)) != log_format::zero_unit) {
                return fail(StatusWord::memory_failure);
            }
        }
        ONECARD_CHECK(settle_tail());
        return false;
    }
    const unsigned units = log_format::record_units(*header);
    const unsigned seal = unit + units;
    const bool is_whole = seal < units_per_page && check_matches(at, units);
    const bool is_followed = seal < end;
    if (is_followed && !is_whole) return fail(StatusWord::memory_failure);
    if (is_whole) {
        ONECARD_CHECK(replay(at, units + 1));
        record_end_ = static_cast<std::uint16_t>(seal + 1);
    }
    if (!is_followed) {
        ONECARD_CHECK(settle_tail());
        return false;
    }
    unit = seal + 1;
    return true;
}

Outcome<void> Store::replay_head() {
    const unsigned end = find_end(head_);
    const unsigned page_first = head_ * units_per_page;
    tail_is_fresh_ = false;
    record_end_ = first_record_unit;
    for (unsigned unit = first_record_unit; unit < end;) {
        if (read_unit(static_cast<Location>(page_first + unit)) == log_format::zero_unit) {
            ++unit;
            continue;
        }
        ONECARD_TRY(goes_on, replay_record(unit, end));
        if (!goes_on) return {};
    }
    erased_from_ = static_cast<std::uint16_t>(end > record_end_ ? end : record_end_);
    return {};
}

Outcome<void> Store::recover() {
    const Opening newest = survey();
    if (head_ == no_page) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_TRY(linked, link_log(newest));
    ONECARD_CHECK(erase_idle_pages());  // spares what is opened, linked or not
    ONECARD_CHECK(prove_head(newest, linked));
    in_log_ = linked;
    ONECARD_CHECK(erase_idle_pages());
    ONECARD_CHECK(replay_closed());
    ONECARD_CHECK(replay_head());
    ONECARD_CHECK(erase_idle_pages());  // a head that was replaced
    if (index_[format_object.value()] == nowhere) {
        return fail(StatusWord::conditions_not_satisfied);
    }
    state_ = State::ready;
    ONECARD_TRY(seed_size, read(mask_seed_object, mask_seed_));
    if (seed_size != mask_seed_.size()) return damaged();
    for (unsigned step = 0; step < 2U * flash_->page_count(); ++step) {
        if (ready_count_ >= ready_pages_urgent) break;
        const auto done = housekeeping_step();
        // With no room to copy to, the card can still be read; commits refuse by themselves.
        if (!done && done.error() == StatusWord::not_enough_memory) break;
        ONECARD_CHECK(done);
        if (*done == Housekeeping::nothing_to_do) break;
    }
    return {};
}

Outcome<void> Store::mount() {
    index_.fill(nowhere);
    ready_ = {};
    in_log_ = {};
    live_units_ = head_sequence_ = oldest_sequence_ = 0;
    head_ = oldest_ = no_page;
    ready_count_ = 0;
    record_end_ = 0;
    is_sealed_ = true;
    state_ = State::unmounted;

    auto done = recover();
    has_written_ = false;
    if (!done) state_ = State::unmounted;  // shut: nothing is read or written
    return done;
}

Outcome<void> Store::format(Flash& flash, const std::array<std::uint8_t, 8>& mask_seed) {
    Store store{flash};
    store.index_.fill(nowhere);
    for (std::uint16_t page = 0; page < flash.page_count(); ++page) {
        ONECARD_CHECK(store.prepare_page(page));
    }
    store.state_ = State::ready;
    store.tail_is_fresh_ = true;
    Transaction first;
    constexpr std::array<std::uint8_t, 4> version_1{0, 1, 0, 0};
    ONECARD_CHECK(first.put(format_object, version_1));
    ONECARD_CHECK(first.put(mask_seed_object, mask_seed));
    return store.commit(first, Urgency::tap);
}

}  // namespace firmware
