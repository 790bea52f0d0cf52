// What a reset finds, and how it is settled before anyone sees it. docs/card_storage.md, section 3.
#include "firmware/kernel/store_internal.hpp"

namespace firmware {

using log_format::Header;
using protocol::fail;
using protocol::StatusWord;

namespace {
constexpr unsigned units_per_page = log_format::units_per_page;
// Below this, recovery reclaims before the first answer: many interrupted writes in a row got us
// here.
constexpr std::uint16_t ready_pages_urgent = relocation_reserve_pages + 2;
}  // namespace

struct Store::Survey {
    std::uint32_t lowest = 0xFFFFFFFF;
    unsigned count = 0;
};

/// The unit behind the last one of the page that does not look erased.
unsigned Store::find_end(std::uint16_t page) const {
    unsigned end = units_per_page;
    while (end > log_format::first_record_unit &&
           read_unit(static_cast<Location>(page * units_per_page + end - 1)) ==
               log_format::erased_unit) {
        --end;
    }
    return end;
}

/// Sorts the pages into log, ready, and to be erased. Each mark is read once. (Section 3, step 1.)
Outcome<void> Store::survey(Survey& found) {
    for (std::uint16_t page = 0; page < flash_->page_count(); ++page) {
        const auto first = static_cast<Location>(page * units_per_page);
        if (const auto opening = read_opening(page)) {
            const bool is_blank =
                read_unit(static_cast<Location>(first + log_format::first_record_unit)) ==
                    log_format::erased_unit &&
                find_end(page) == log_format::first_record_unit;
            if (is_blank) {  // an opening that nothing followed: whether it counts is not certain
                ONECARD_CHECK(retire_page(page));
                continue;
            }
            set_page(in_log_, page, true);
            ++found.count;
            if (opening->sequence > head_sequence_) {
                head_sequence_ = opening->sequence;
                head_ = page;
            }
            if (opening->sequence < found.lowest) {
                found.lowest = opening->sequence;
                oldest_ = page;
            }
            continue;
        }
        log_format::Mark mark;
        flash_->read(static_cast<std::uint32_t>(first * flash_model::unit_size), mark);
        const FlashUnit begun = read_unit(static_cast<Location>(first + log_format::begun_unit));
        if (mark == log_format::ready_mark && begun == log_format::erased_unit) {
            set_page(ready_, page, true);
            ++ready_count_;
        }
    }
    oldest_sequence_ = found.lowest;
    return {};
}

/// Everything before the head page. Its pages follow each other without a gap. (Section 3, step 2.)
Outcome<void> Store::replay_closed(Survey& found) {
    if (head_sequence_ - found.lowest + 1 != found.count) return damaged();
    std::uint16_t page = oldest_;
    for (std::uint32_t sequence = found.lowest; sequence < head_sequence_; ++sequence) {
        const std::uint16_t following = find_opened(sequence + 1, page);
        if (following == no_page) return damaged();
        const auto opening = read_opening(following);
        if (!opening || opening->previous_end < log_format::first_record_unit) return damaged();
        const auto first =
            static_cast<Location>(page * units_per_page + log_format::first_record_unit);
        ONECARD_CHECK(replay(first, opening->previous_end - log_format::first_record_unit));
        page = following;
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

/// Makes the decision about a doubtful tail durable: opens the next page, whose header says where
/// this one ends. Nobody has seen either outcome before that is done. (Section 3, step 4.)
Outcome<void> Store::settle_by_opening(unsigned end) {
    if (ready_count_ == 0) {
        const std::uint16_t page = page_to_erase();
        if (page == no_page) return damaged();
        ONECARD_CHECK(prepare_page(page));
    }
    ONECARD_CHECK(open_page(end));
    return settle_empty_head();
}

/// A page with nothing in it but its opening counts from its first zero on. (Section 3, step 3.)
Outcome<void> Store::settle_empty_head() {
    ONECARD_CHECK(zero_units(
        static_cast<Location>(head_ * units_per_page + log_format::first_record_unit), 1));
    record_end_ = log_format::first_record_unit;
    erased_from_ = log_format::first_record_unit + 1;
    return {};
}

Outcome<void> Store::replay_head() {
    const auto first = static_cast<Location>(head_ * units_per_page);
    const unsigned end = find_end(head_);
    tail_is_fresh_ = false;
    if (end <= log_format::first_record_unit + 1) return settle_empty_head();

    record_end_ = log_format::first_record_unit;
    for (unsigned unit = log_format::first_record_unit; unit < end;) {
        const auto at = static_cast<Location>(first + unit);
        const FlashUnit word = read_unit(at);
        if (word == log_format::zero_unit) {
            ++unit;
            continue;
        }
        const auto header = log_format::decode(word);
        if (!header || !log_format::is_record(header->kind)) {
            // A first unit cut short, or a zero: nothing but zeros can stand behind it.
            for (unsigned behind = unit + 1; behind < end; ++behind) {
                if (read_unit(static_cast<Location>(first + behind)) != log_format::zero_unit) {
                    return damaged();
                }
            }
            return settle_by_opening(record_end_);
        }
        const unsigned units = log_format::record_units(*header);
        const unsigned seal = unit + units;
        const bool is_whole = seal < units_per_page && check_matches(at, units);
        const bool is_settled = seal < end;
        if (is_settled && !is_whole) return damaged();
        if (is_whole) {
            ONECARD_CHECK(replay(at, units + 1));
            record_end_ = static_cast<std::uint16_t>(seal + 1);
        }
        if (!is_settled) return settle_by_opening(record_end_);
        unit = seal + 1;
    }
    erased_from_ = static_cast<std::uint16_t>(end > record_end_ ? end : record_end_);
    return {};
}

Outcome<void> Store::mount() {
    index_.fill(nowhere);
    ready_ = {};
    in_log_ = {};
    live_units_ = head_sequence_ = oldest_sequence_ = 0;
    head_ = oldest_ = no_page;
    ready_count_ = 0;
    is_sealed_ = true;
    state_ = State::unmounted;

    Survey found;
    ONECARD_CHECK(survey(found));
    if (found.count == 0) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_CHECK(replay_closed(found));
    ONECARD_CHECK(replay_head());
    if (state_ == State::failed) return damaged();
    if (index_[format_object.value()] == nowhere) {
        return fail(StatusWord::conditions_not_satisfied);
    }
    state_ = State::ready;
    ONECARD_TRY(seed_size, read(mask_seed_object, mask_seed_));
    if (seed_size != mask_seed_.size()) return damaged();
    while (ready_count_ < ready_pages_urgent) {
        ONECARD_TRY(done, housekeeping_step());
        if (done == Housekeeping::nothing_to_do) break;
    }
    return {};
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
