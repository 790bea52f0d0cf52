#include "firmware/kernel/store.hpp"

#include <algorithm>

#include "crypto/core/secret.hpp"
#include "firmware/kernel/store_internal.hpp"

namespace firmware {

using log_format::Header;
using log_format::Kind;
using protocol::fail;
using protocol::StatusWord;

namespace {

constexpr std::size_t unit_size = flash_model::unit_size;

[[nodiscard]] FlashUnit unit_at(Bytes bytes, std::size_t position) {
    FlashUnit unit;
    std::ranges::copy(bytes.subspan(position, unit_size), unit.begin());
    return unit;
}

/// The header of a staged entry: our own bytes in RAM, so it can only be valid.
[[nodiscard]] Header staged_header(Bytes entries, std::size_t position) {
    const auto header = log_format::decode(unit_at(entries, position));
    if (!header) __builtin_trap();
    return *header;
}

/// The check behind a value binds it to its id, so that two values cannot change places.
void put_check(const Header& header, Bytes value, MutableBytes out) {
    const std::array<std::uint8_t, 2> id{static_cast<std::uint8_t>(header.id >> 8),
                                         static_cast<std::uint8_t>(header.id)};
    if (header.kind == Kind::entry_put) {
        out[0] = log_format::crc8(value, log_format::crc8(id));
        return;
    }
    log_format::Crc32 crc;
    crc.add(id);
    crc.add(value);
    std::ranges::copy(crc.value(), out.begin());
}

}  // namespace

// ---- Transaction -------------------------------------------------------------------------------

std::optional<std::size_t> Transaction::find(ObjectId id) const {
    for (std::size_t at = 0; at < size_;) {
        const Header header = staged_header(bytes_, at);
        if (header.id == id.value()) return at;
        at += log_format::entry_units(header) * unit_size;
    }
    return std::nullopt;
}

void Transaction::remove_at(std::size_t position) {
    const std::size_t gone = log_format::entry_units(staged_header(bytes_, position)) * unit_size;
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(position + gone),
              bytes_.begin() + static_cast<std::ptrdiff_t>(size_),
              bytes_.begin() + static_cast<std::ptrdiff_t>(position));
    size_ -= gone;
}

Outcome<void> Transaction::stage(log_format::Kind kind, ObjectId id, Bytes value,
                                 std::uint8_t argument) {
    if (id.value() >= object_count_max) __builtin_trap();
    const Header header{kind, id.value(), argument};
    const std::size_t size = log_format::entry_units(header) * unit_size;
    const auto old = find(id);
    const std::size_t freed =
        old ? log_format::entry_units(staged_header(bytes_, *old)) * unit_size : 0;
    if (size_ - freed + size > bytes_.size()) return fail(StatusWord::not_enough_memory);
    if (old) remove_at(*old);

    const MutableBytes entry = MutableBytes{bytes_}.subspan(size_, size);
    std::ranges::fill(entry, std::uint8_t{0});
    std::ranges::copy(log_format::encode(header), entry.begin());
    if (size > unit_size) {
        const MutableBytes body = entry.subspan(unit_size);
        std::ranges::copy(value, body.begin());
        put_check(header, value, body.subspan(value.size()));
    }
    size_ += size;
    return {};
}

Outcome<void> Transaction::put(ObjectId id, Bytes value) {
    if (value.size() > object_size_max) return fail(StatusWord::incorrect_data);
    return stage(Kind::entry_put, id, value, static_cast<std::uint8_t>(value.size()));
}

Outcome<void> Transaction::put_masked(ObjectId id, Bytes value) {
    if (value.size() > object_size_max) return fail(StatusWord::incorrect_data);
    return stage(Kind::entry_masked, id, value, static_cast<std::uint8_t>(value.size()));
}

Outcome<void> Transaction::erase(ObjectId id) {
    return stage(Kind::entry_erased, id, {}, 0);
}

Outcome<void> Transaction::reset_counter(ObjectId id, std::uint8_t value) {
    return stage(Kind::entry_counter, id, {}, value);
}

std::optional<Bytes> Transaction::staged(ObjectId id) const {
    const auto at = find(id);
    if (!at) return std::nullopt;
    const Header header = staged_header(bytes_, *at);
    if (log_format::entry_units(header) == 1) return std::nullopt;
    return Bytes{bytes_}.subspan(*at + unit_size, header.argument);
}

bool Transaction::touches(ObjectId id) const {
    return find(id).has_value();
}

void Transaction::clear() {
    crypto::wipe(bytes_);
    size_ = 0;
}

// ---- Flash access ------------------------------------------------------------------------------

FlashUnit Store::read_unit(Location at) const {
    FlashUnit unit;
    flash_->read(static_cast<std::uint32_t>(at * unit_size), unit);
    return unit;
}

Outcome<void> Store::program_unit(Location at, const FlashUnit& unit) {
    // FF changes nothing: the unit stays erased and is never begun (invariant 4).
    if (unit == log_format::erased_unit) return {};
    if (!flash_->program(static_cast<std::uint32_t>(at * unit_size), unit)) {
        state_ = State::failed;
        return damaged();
    }
    return {};
}

Outcome<void> Store::zero_units(Location first, unsigned count) {
    // Never a record that stands: nothing before the head's last seal, whoever has chosen the
    // units.
    const unsigned unit = first % log_format::units_per_page;
    if (first / log_format::units_per_page == head_ && unit + 1 < record_end_) {
        return fail(StatusWord::memory_failure);
    }
    for (unsigned i = 0; i < count; ++i) {
        ONECARD_CHECK(program_unit(static_cast<Location>(first + i), log_format::zero_unit));
    }
    return {};
}

Outcome<void> Store::program_mark(Location at, const log_format::Mark& mark) {
    ONECARD_CHECK(program_unit(at, unit_at(mark, 0)));
    return program_unit(static_cast<Location>(at + 1), unit_at(mark, unit_size));
}

std::optional<log_format::Opening> Store::read_opening(std::uint16_t page) const {
    log_format::Mark mark;
    flash_->read(static_cast<std::uint32_t>(page * flash_model::page_size +
                                            log_format::open_mark_unit * unit_size),
                 mark);
    constexpr std::uint8_t erased = flash_model::erased_byte;
    if (std::ranges::count(mark, erased) == static_cast<int>(mark.size())) return std::nullopt;
    return log_format::decode_or_mend_opening(mark);
}

// ---- Writing the log ---------------------------------------------------------------------------

Outcome<void> Store::RecordWriter::finish() {
    ONECARD_CHECK(store_.program_unit(at_, check_.value()));
    const auto unit = static_cast<std::uint16_t>(at_ % log_format::units_per_page);
    store_.record_end_ = static_cast<std::uint16_t>(unit + 2);  // the check and the seal
    store_.erased_from_ = store_.record_end_;
    store_.is_sealed_ = false;
    return {};
}

/// In the head page, with its seal, behind a first unit that is zeroed where it may have been
/// begun.
bool Store::fits_head(unsigned units) const {
    const unsigned start = tail_is_fresh_ ? erased_from_ : erased_from_ + 1U;
    return head_ != no_page && start + units + 1 <= log_format::units_per_page;
}

/// Where a record of `units` (header to check) goes. Never a unit that may have been begun: in a
/// session that has not written yet, the first unit that looks erased is first programmed to zero.
Outcome<Store::Location> Store::claim(unsigned units, std::uint16_t pages_kept) {
    // A tear of what is written here may cost a page: reclaiming needs the last two (invariant 8).
    if (pages_kept != 0 && ready_count_ <= relocation_reserve_pages) {
        return fail(StatusWord::not_enough_memory);
    }
    has_written_ = true;
    if (fits_head(units)) {
        const unsigned start = tail_is_fresh_ ? erased_from_ : erased_from_ + 1U;
        const unsigned page_first = head_ * log_format::units_per_page;
        if (!tail_is_fresh_) {
            ONECARD_CHECK(
                zero_units(static_cast<Location>(page_first + record_end_), start - record_end_));
            erased_from_ = static_cast<std::uint16_t>(start);
            tail_is_fresh_ = true;
        }
        return static_cast<Location>(page_first + start);
    }
    if (ready_count_ <= pages_kept) return fail(StatusWord::not_enough_memory);
    ONECARD_CHECK(open_page(head_ == no_page ? log_format::first_record_unit : record_end_, head_));
    return static_cast<Location>(head_ * log_format::units_per_page + erased_from_);
}

/// Takes the next ready page after the head into the log. `previous_end`: where the records of the
/// page before end; from now on nothing behind that is ever looked at.
Outcome<void> Store::open_page(unsigned previous_end, std::uint16_t predecessor) {
    const unsigned pages = flash_->page_count();
    unsigned page = head_ == no_page ? 0 : (head_ + 1U) % pages;
    for (unsigned looked_at = 0; !has_page(ready_, page); page = (page + 1) % pages) {
        if (++looked_at > pages) return fail(StatusWord::not_enough_memory);
    }
    set_page(ready_, page, false);
    --ready_count_;
    const log_format::Opening opening{head_sequence_ + 1, predecessor, previous_end};
    const auto first = static_cast<Location>(page * log_format::units_per_page);
    // The zero comes first: it may be programmed again where an interrupted opening left no trace.
    ONECARD_CHECK(zero_units(static_cast<Location>(first + log_format::begun_unit), 1));
    ONECARD_CHECK(program_mark(static_cast<Location>(first + log_format::open_mark_unit),
                               log_format::encode(opening)));

    set_page(in_log_, page, true);
    head_ = static_cast<std::uint16_t>(page);
    head_sequence_ = opening.sequence;
    if (oldest_ == no_page) {
        oldest_ = head_;
        oldest_sequence_ = head_sequence_;
    }
    record_end_ = erased_from_ = log_format::first_record_unit;
    tail_is_fresh_ = is_sealed_ = true;
    return {};
}

Outcome<void> Store::write_frame(Location at, Bytes entries) {
    RecordWriter frame{*this, at};
    const auto units = static_cast<std::uint8_t>(entries.size() / unit_size + 2);
    ONECARD_CHECK(frame.put(log_format::encode(Header{Kind::frame, 0, units})));
    for (std::size_t i = 0; i < entries.size(); i += unit_size) {
        ONECARD_CHECK(frame.put(unit_at(entries, i)));
    }
    return frame.finish();
}

/// One zero behind the last record: proof that its check was programmed to the end.
Outcome<void> Store::seal() {
    if (is_sealed_) return {};
    const unsigned unit = head_ * log_format::units_per_page + record_end_ - 1U;
    ONECARD_CHECK(zero_units(static_cast<Location>(unit), 1));
    is_sealed_ = true;
    return {};
}

void Store::apply(const Header& entry, Location at) {
    Location& place = index_[entry.id];
    if (place != nowhere) {
        if (const auto old = log_format::decode(read_unit(place))) {
            live_units_ -= log_format::entry_units(*old);
        }
    }
    place = entry.kind == Kind::entry_erased ? nowhere : at;
    if (place != nowhere) live_units_ += log_format::entry_units(entry);
}

/// Not encryption: it keeps keys from standing in the flash as they are. docs/card_storage.md, 2.4.
void Store::mask(ObjectId id, MutableBytes bytes, std::size_t from) const {
    const auto low =
        static_cast<std::uint32_t>(protocol::read_big_endian(std::span{mask_seed_}.first<4>()));
    const auto high =
        static_cast<std::uint32_t>(protocol::read_big_endian(std::span{mask_seed_}.last<4>()));
    std::uint32_t word = 0;
    for (std::size_t i = from; i < from + bytes.size(); ++i) {
        if (i % 4 == 0 || i == from) {
            word = low ^ std::uint32_t{id.value()} << 16 ^ static_cast<std::uint32_t>(i & ~3U);
            for (int round = 0; round < 3; ++round) {
                word = (word ^ word >> 16) * 0x85EBCA6B + high;
            }
            word ^= word >> 13;
        }
        bytes[i - from] ^= static_cast<std::uint8_t>(word >> (8 * (i % 4)));
    }
}

void Store::mask_entries(MutableBytes entries) const {
    for (std::size_t at = 0; at < entries.size();) {
        const Header header = staged_header(entries, at);
        if (header.kind == Kind::entry_masked) {
            mask(ObjectId{header.id}, entries.subspan(at + unit_size, header.argument + 4U), 0);
        }
        at += log_format::entry_units(header) * unit_size;
    }
}

/// By how many units these entries raise what is live.
std::int32_t Store::growth(Bytes entries) const {
    std::int32_t units = 0;
    for (std::size_t at = 0; at < entries.size();) {
        const Header header = staged_header(entries, at);
        const auto size = static_cast<std::int32_t>(log_format::entry_units(header));
        if (header.kind != Kind::entry_erased) units += size;
        if (const Location place = index_[header.id]; place != nowhere) {
            const auto old = log_format::decode(read_unit(place));
            if (old) units -= static_cast<std::int32_t>(log_format::entry_units(*old));
        }
        at += static_cast<std::size_t>(size) * unit_size;
    }
    return units;
}

/// Ordinary commits pay for their own space and leave the taps' reserve alone.
Outcome<void> Store::make_room(const Transaction& change) {
    const std::int32_t grown = growth(Bytes{change.bytes_}.first(change.size_));
    const auto live = static_cast<std::int32_t>(live_units_);
    if (grown > 0 && live + grown > static_cast<std::int32_t>(live_units_max())) {
        return fail(StatusWord::not_enough_memory);
    }
    for (unsigned step = 0; step < 2U * flash_->page_count(); ++step) {
        if (ready_count_ >= ready_pages_wanted) break;
        ONECARD_TRY(done, housekeeping_step());
        if (done == Housekeeping::nothing_to_do) break;
    }
    return {};
}

Outcome<void> Store::commit(Transaction& change, Urgency urgency) {
    if (state_ != State::ready) return damaged();
    if (change.empty()) return {};
    if (urgency == Urgency::ordinary) ONECARD_CHECK(make_room(change));
    const auto pages_kept = static_cast<std::uint16_t>(
        relocation_reserve_pages + (urgency == Urgency::tap ? 0 : tap_reserve_pages));
    const MutableBytes entries = MutableBytes{change.bytes_}.first(change.size_);
    ONECARD_TRY(at, claim(static_cast<unsigned>(entries.size() / unit_size) + 2, pages_kept));
    mask_entries(entries);
    auto written = write_frame(at, entries);
    if (written) written = seal();
    if (written && !would_be_found(at)) written = damaged();
    if (written) written = replay(at, static_cast<unsigned>(entries.size() / unit_size) + 3);
    change.clear();
    return written;
}

Outcome<std::uint8_t> Store::tick(ObjectId id) {
    if (state_ != State::ready) return fail(StatusWord::memory_failure);
    ONECARD_TRY(value, counter(id));
    if (value == 0xFF) return fail(StatusWord::counter_exhausted);
    ONECARD_TRY(at, claim(2, relocation_reserve_pages));
    const Header header{Kind::tick, id.value(), static_cast<std::uint8_t>(value + 1)};
    ONECARD_TRY(value_again, counter(id));
    if (header.argument != value_again + 1) return fail(StatusWord::memory_failure);
    RecordWriter record{*this, at};
    ONECARD_CHECK(record.put(log_format::encode(header)));
    ONECARD_CHECK(record.finish());
    if (!would_be_found(at)) return fail(StatusWord::memory_failure);
    apply(header, at);
    return header.argument;
}

// ---- Reading -----------------------------------------------------------------------------------

bool Store::contains(ObjectId id) const {
    return state_ != State::unmounted && index_[id.value()] != nowhere;
}

/// The header of `id`'s newest entry, checked twice: its own CRC-8 and that it names `id`.
Outcome<Header> Store::find_entry(ObjectId id) const {
    if (!contains(id)) return fail(StatusWord::referenced_data_not_found);
    const auto header = log_format::decode(read_unit(index_[id.value()]));
    if (!header || header->id != id.value()) return fail(StatusWord::memory_failure);
    return *header;
}

Outcome<std::size_t> Store::size(ObjectId id) const {
    ONECARD_TRY(header, find_entry(id));
    if (header.kind != Kind::entry_put && header.kind != Kind::entry_masked) return 0U;
    return std::size_t{header.argument};
}

Outcome<std::uint8_t> Store::counter(ObjectId id) const {
    if (state_ == State::unmounted) return fail(StatusWord::memory_failure);
    if (!contains(id)) return std::uint8_t{0};
    ONECARD_TRY(header, find_entry(id));
    if (header.kind != Kind::tick && header.kind != Kind::entry_counter) {
        return fail(StatusWord::memory_failure);
    }
    return header.argument;
}

Outcome<std::size_t> Store::read(ObjectId id, MutableBytes out) const {
    ONECARD_TRY(header, find_entry(id));
    if (header.kind != Kind::entry_put && header.kind != Kind::entry_masked) {
        return fail(StatusWord::memory_failure);
    }
    const std::size_t size = header.argument;
    if (out.size() < size) return fail(StatusWord::not_enough_memory);
    const auto address = static_cast<std::uint32_t>(index_[id.value()] * unit_size + unit_size);
    // Value and check are read apart: a place for both would be the largest thing on the stack.
    const MutableBytes value = out.first(size);
    std::array<std::uint8_t, 4> stored{}, expected{};
    const MutableBytes check = MutableBytes{stored}.first(log_format::check_size(header.kind));
    flash_->read(address, value);
    flash_->read(address + static_cast<std::uint32_t>(size), check);
    if (header.kind == Kind::entry_masked) {
        mask(id, value, 0);
        mask(id, check, size);
    }
    put_check(header, value, expected);
    if (!std::ranges::equal(Bytes{expected}.first(check.size()), check)) {
        crypto::wipe(value);
        return fail(StatusWord::memory_failure);
    }
    return size;
}

Outcome<std::uint16_t> Store::content_version() const {
    std::array<std::uint8_t, 4> bytes{};
    ONECARD_TRY(size, read(format_object, bytes));
    if (size != bytes.size()) return fail(StatusWord::memory_failure);
    return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

}  // namespace firmware
