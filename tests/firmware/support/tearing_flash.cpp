#include "tests/firmware/support/tearing_flash.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tests {

using firmware::FlashUnit;
namespace model = firmware::flash_model;

namespace {

/// SplitMix64: a repeatable choice from whatever is put in.
std::uint64_t mix(std::uint64_t x) {
    x += 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
}

/// `from` with those bits of `to` that `mask` selects.
FlashUnit blend(const FlashUnit& from, const FlashUnit& to, std::uint32_t mask) {
    FlashUnit out;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto chosen = static_cast<std::uint8_t>(mask >> (8 * i));
        out[i] = static_cast<std::uint8_t>((from[i] & ~chosen) | (to[i] & chosen));
    }
    return out;
}

/// Selects from the changing bits: bit k of `choice` decides about the k-th of them.
std::uint32_t select_changing(const FlashUnit& from, const FlashUnit& to, std::uint64_t choice) {
    std::uint32_t mask = 0;
    unsigned changing = 0;
    for (unsigned bit = 0; bit < 32; ++bit) {
        const bool changes = ((from[bit / 8] ^ to[bit / 8]) >> (bit % 8) & 1) != 0;
        if (changes && (choice >> changing++ & 1) != 0) mask |= std::uint32_t{1} << bit;
    }
    return mask;
}

constexpr FlashUnit erased{0xFF, 0xFF, 0xFF, 0xFF};

}  // namespace

TearingFlash::TearingFlash(std::uint16_t pages)
    : bytes_(pages * model::page_size, model::erased_byte),
      marks_(pages * model::units_per_page),
      erases_(pages) {}

FlashUnit TearingFlash::look(const Unstable& unstable) const {
    const std::uint32_t boots = boot_ - unstable.boot;
    switch (unstable.pattern % 4) {
        case 0:
            return blend(unstable.old_value, unstable.new_value,
                         static_cast<std::uint32_t>(mix(unstable.pattern ^ mix(++reads_))));
        case 1: return boots % 2 == 1 ? unstable.new_value : unstable.old_value;
        case 2: return boots % 2 == 1 ? unstable.old_value : unstable.new_value;
        default: break;
    }
    // Per boot: one time in four all new, one in four all old, otherwise a mixture.
    const std::uint64_t choice = mix(unstable.pattern ^ mix(boots));
    if (choice % 4 == 0) return unstable.new_value;
    if (choice % 4 == 1) return unstable.old_value;
    return blend(unstable.old_value, unstable.new_value, static_cast<std::uint32_t>(choice >> 8));
}

FlashUnit TearingFlash::value(std::uint32_t unit) const {
    if (has(unit, mark_unstable)) {
        return look(*std::ranges::find(unstable_, unit, &Unstable::unit));
    }
    FlashUnit out;
    std::copy_n(bytes_.begin() + unit * model::unit_size, out.size(), out.begin());
    return out;
}

void TearingFlash::read(std::uint32_t address, protocol::MutableBytes out) const {
    if (address + out.size() > bytes_.size()) throw FlashRuleBroken{"read outside the flash"};
    const bool is_one = out.size() == model::unit_size && address % model::unit_size == 0;
    const auto first = static_cast<std::uint32_t>(address / model::unit_size);
    if (is_one && !has(first, mark_unstable)) {  // most reads, by far
        std::memcpy(out.data(), bytes_.data() + address, model::unit_size);
        return;
    }
    if (unstable_.empty()) {
        std::memcpy(out.data(), bytes_.data() + address, out.size());
        return;
    }
    for (std::size_t done = 0; done < out.size();) {
        const auto at = static_cast<std::uint32_t>(address + done);
        const FlashUnit unit = value(at / model::unit_size);
        for (std::size_t i = at % model::unit_size; i < unit.size() && done < out.size(); ++i) {
            out[done++] = unit[i];
        }
    }
}

void TearingFlash::stabilise(std::uint32_t first_unit, std::uint32_t count) {
    if (unstable_.empty()) return;
    bool is_any = false;
    for (std::uint32_t unit = first_unit; unit < first_unit + count; ++unit) {
        is_any = is_any || has(unit, mark_unstable);
        marks_[unit] &= static_cast<std::uint8_t>(~mark_unstable);
    }
    if (!is_any) return;
    std::erase_if(unstable_, [&](const Unstable& torn) {
        return torn.unit >= first_unit && torn.unit - first_unit < count;
    });
}

void TearingFlash::make_unstable(const Unstable& torn) {
    unstable_.push_back(torn);
    marks_[torn.unit] |= mark_unstable;
}

bool TearingFlash::program(std::uint32_t address, const FlashUnit& unit) {
    if (address % model::unit_size != 0 || address >= bytes_.size()) {
        throw FlashRuleBroken{"program outside the flash or not aligned"};
    }
    const auto index = static_cast<std::uint32_t>(address / model::unit_size);
    const bool is_zero = unit == FlashUnit{};
    if (is_strict_ && has(index, mark_begun) && !is_zero)
        throw FlashRuleBroken{"a unit programmed twice"};
    if (is_failing()) return false;
    if (power_fails()) {
        tear_program(index, unit);
        lose_power();
    }
    if (trace_.to != nullptr) {
        const std::uint32_t bits = select_changing(value(index), unit, ~std::uint64_t{0});
        trace_.to->push_back(
            {false, static_cast<std::uint8_t>(std::popcount(bits)), address, unit});
    }
    ++counts_.programs;
    stabilise(index, 1);
    marks_[index] = mark_begun;
    std::ranges::copy(unit, bytes_.begin() + address);
    return true;
}

bool TearingFlash::erase_page(std::uint16_t page) {
    if (page >= erases_.size()) throw FlashRuleBroken{"erase outside the flash"};
    if (is_failing() || erases_[page] >= model::endurance_erases) return false;
    if (power_fails()) {
        tear_erase(page);
        lose_power();
    }
    if (trace_.to != nullptr) trace_.to->push_back({true, 0, page, {}});
    ++counts_.erases;
    ++erases_[page];
    last_page_erased_ = page;
    const auto first = static_cast<std::uint32_t>(page * model::units_per_page);
    stabilise(first, model::units_per_page);
    std::fill_n(bytes_.begin() + page * static_cast<std::ptrdiff_t>(model::page_size),
                model::page_size, model::erased_byte);
    std::fill_n(marks_.begin() + first, model::units_per_page, std::uint8_t{0});
    return true;
}

void TearingFlash::perform(const Operation& operation) {
    const bool is_done = operation.is_erasure
                             ? erase_page(static_cast<std::uint16_t>(operation.where))
                             : program(operation.where, operation.unit);
    if (!is_done) throw std::logic_error{"the flash refuses what was noted"};
}

void TearingFlash::lose_power() {
    is_armed_ = false;
    throw PowerLost{};
}

void TearingFlash::tear_program(std::uint32_t unit, const FlashUnit& target) {
    if (cut_.tear == Tear::not_begun) return;
    const FlashUnit old_value = value(unit);
    const bool was_unstable = has(unit, mark_unstable);
    marks_[unit] |= mark_begun;
    std::uint64_t choice = cut_.pattern;
    if (cut_.tear == Tear::complete) choice = ~std::uint64_t{0};
    if (cut_.tear == Tear::partly) choice = (std::uint64_t{1} << cut_.pattern % 33) - 1;
    if (cut_.tear == Tear::unstable || (was_unstable && cut_.tear != Tear::complete)) {
        if (!was_unstable) make_unstable({unit, old_value, target, cut_.pattern, boot_});
        return;
    }
    stabilise(unit, 1);
    const FlashUnit left = blend(old_value, target, select_changing(old_value, target, choice));
    std::ranges::copy(left, bytes_.begin() + unit * static_cast<std::ptrdiff_t>(left.size()));
}

void TearingFlash::tear_erase(std::uint16_t page) {
    if (cut_.tear == Tear::not_begun) return;
    ++erases_[page];
    const auto first = static_cast<std::uint32_t>(page * model::units_per_page);
    const std::uint64_t bytes_done = cut_.pattern % (model::page_size + 1);
    for (std::uint32_t unit = first; unit < first + model::units_per_page; ++unit) {
        const FlashUnit old_value = value(unit);
        marks_[unit] |= mark_begun;
        const std::uint64_t choice = mix(cut_.pattern ^ mix(unit));
        auto mask = static_cast<std::uint32_t>(choice);
        if (cut_.tear == Tear::complete) mask = 0xFFFFFFFF;
        if (cut_.tear == Tear::partly) {
            mask = (unit - first) * model::unit_size < bytes_done ? 0xFFFFFFFF : 0;
        }
        if (cut_.tear == Tear::subset && choice >> 62 == 0) mask = 0xFFFFFFFF;
        stabilise(unit, 1);
        if (cut_.tear == Tear::unstable) {
            make_unstable({unit, old_value, erased,
                           (choice & ~std::uint64_t{3}) | (cut_.pattern & 3), boot_});
            continue;
        }
        const FlashUnit left = blend(old_value, erased, mask);
        std::ranges::copy(left, bytes_.begin() + unit * static_cast<std::ptrdiff_t>(left.size()));
    }
}

void TearingFlash::reboot() {
    is_armed_ = false;
    ++boot_;
}

void TearingFlash::flip(std::uint32_t address, unsigned bit) {
    bytes_[address] = static_cast<std::uint8_t>(bytes_[address] ^ 1U << bit);
}

std::uint32_t TearingFlash::erases_max() const {
    return *std::ranges::max_element(erases_);
}
std::uint32_t TearingFlash::erases_min() const {
    return *std::ranges::min_element(erases_);
}

}  // namespace tests
