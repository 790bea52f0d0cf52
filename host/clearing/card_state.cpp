#include "host/clearing/card_state.hpp"

#include <bit>

namespace host::clearing {
namespace {

// Bits move away from the newest: 128-bit shift to the left.
std::array<std::uint64_t, 2> shifted(const std::array<std::uint64_t, 2>& bits, unsigned by) {
    if (by >= CounterWindow::width) return {};
    if (by == 0) return bits;
    if (by >= 64) return {0, bits[0] << (by - 64)};
    return {bits[0] << by, bits[1] << by | bits[0] >> (64 - by)};
}

// The sums move by amounts of 32 bits; 2^31 of them fit. More is our own bug.
Fen sum(Fen a, Fen b) {
    return add(a, b).value();
}

}  // namespace

bool CounterWindow::is_taken(OfflineCounter counter) const {
    if (counter.value() >= count_) return false;
    const std::uint32_t behind = count_ - 1 - counter.value();
    return behind >= width || bit(behind);
}

bool CounterWindow::is_passed(OfflineCounter counter) const {
    return count_ > counter.value() + 1U;
}

bool CounterWindow::has_gap_before(OfflineCounter counter) const {
    if (counter.value() == 0) return false;
    return !is_taken(OfflineCounter{static_cast<std::uint16_t>(counter.value() - 1)});
}

void CounterWindow::take(OfflineCounter counter) {
    const std::uint32_t next = counter.value() + 1U;
    if (next > count_) {
        bits_ = shifted(bits_, next - count_);
        count_ = next;
    }
    const std::uint32_t behind = count_ - next;
    if (behind < width) bits_[behind / 64] |= std::uint64_t{1} << behind % 64;
}

std::optional<OfflineCounter> CounterWindow::newest() const {
    if (count_ == 0) return std::nullopt;
    return OfflineCounter{static_cast<std::uint16_t>(count_ - 1)};
}

unsigned CounterWindow::missing() const {
    const unsigned reach = count_ < width ? count_ : width;
    const int taken = std::popcount(bits_[0]) + std::popcount(bits_[1]);
    return reach - static_cast<unsigned>(taken);
}

std::optional<DebitBalances> CardState::at(std::uint32_t counter) const {
    const auto& place = recent[counter % recent_size];
    return place && place->counter.value() == counter ? place : std::nullopt;
}

bool CardState::explains_rise(Money earlier_after, Money later_before) {
    const auto rise = subtract(later_before, earlier_after);
    if (!rise) return false;  // a balance never falls between two debits
    const Fen explained = sum(loads_explained, Fen{*rise});
    if (explained > sum(loaded, load_pending)) return false;
    loads_explained = explained;
    return true;
}

bool CardState::continues(const DebitBalances& debit) {
    bool good = true;
    const std::uint32_t counter = debit.counter.value();
    // A card is issued with an empty purse and counter 0.
    const auto before = counter == 0
                            ? std::optional{DebitBalances{OfflineCounter{0}, Money{}, Money{}}}
                            : at(counter - 1);
    if (before) good = explains_rise(before->after, debit.before) && good;
    if (const auto after = at(counter + 1))
        good = explains_rise(debit.after, after->before) && good;
    return good;
}

void CardState::remember(const DebitBalances& debit) {
    auto& place = recent[debit.counter.value() % recent_size];
    if (!place || place->counter < debit.counter) place = debit;
}

std::optional<DebitBalances> CardState::newest_balances() const {
    std::optional<DebitBalances> newest;
    for (const auto& place : recent) {
        if (place && (!newest || newest->counter < place->counter)) newest = place;
    }
    return newest;
}

std::array<std::uint8_t, CardState::size> CardState::bytes() const {
    std::array<std::uint8_t, size> out{};
    protocol::ByteWriter writer{out};
    writer.put_u32(counters.count_).put_u64(counters.bits_[0]).put_u64(counters.bits_[1]);
    for (const auto& place : recent) {
        writer.put_u8(place ? 1 : 0);
        const DebitBalances value = place.value_or(DebitBalances{});
        writer.put_u16(value.counter.value())
            .put_u32(value.before.fen())
            .put_u32(value.after.fen());
    }
    writer.put_u8(last_load ? 1 : 0).put_u16(last_load ? last_load->value() : std::uint16_t{0});
    for (const Fen value : {loaded, load_pending, loads_explained, spent, disputed, returned}) {
        writer.put_u64(static_cast<std::uint64_t>(value.value()));
    }
    return out;
}

Parsed<CardState> CardState::parse(Bytes data) {
    protocol::ByteReader in{data};
    CardState out;
    ONECARD_TRY(count, in.take_u32());
    ONECARD_TRY(low, in.take_u64());
    ONECARD_TRY(high, in.take_u64());
    if (count > 0x10000) return protocol::refuse(protocol::ParseError::wrong_value);
    out.counters.count_ = count;
    out.counters.bits_ = {low, high};
    for (auto& place : out.recent) {
        ONECARD_TRY(present, in.take_u8());
        ONECARD_TRY(counter, in.take_u16());
        ONECARD_TRY(before, in.take_u32());
        ONECARD_TRY(after, in.take_u32());
        if (present != 0) {
            place = {OfflineCounter{counter}, Money::from_fen(before), Money::from_fen(after)};
        }
    }
    ONECARD_TRY(has_load, in.take_u8());
    ONECARD_TRY(load, in.take_u16());
    if (has_load != 0) out.last_load = protocol::OnlineCounter{load};
    for (Fen* value : {&out.loaded, &out.load_pending, &out.loads_explained, &out.spent,
                       &out.disputed, &out.returned}) {
        ONECARD_TRY(fen, in.take_u64());
        *value = Fen{static_cast<std::int64_t>(fen)};
    }
    ONECARD_CHECK(in.finish());
    return out;
}

}  // namespace host::clearing
