#pragma once
// The flash model of firmware/kernel/flash.hpp as a test double: keeps its rules, counts what is
// done, and loses power where it is told to.
//
//   TearingFlash flash{32};
//   ... firmware::Store::format(flash, seed) ...
//   flash.cut_at({.operation = 17, .tear = Tear::unstable, .pattern = 3});
//   try { run the command } catch (const PowerLost&) {}   // the objects that used the flash are
//   dead flash.reboot();                                       // and then a new Store mounts
//
// A breach of the model's rules throws FlashRuleBroken: it is a bug of the code under test.
#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "firmware/kernel/flash.hpp"

namespace tests {

/// Thrown out of the operation at which power is lost. The card's objects are garbage afterwards.
struct PowerLost {};
struct FlashRuleBroken : std::logic_error {
    using std::logic_error::logic_error;
};

/// What is left of the operation that was interrupted.
enum class Tear : std::uint8_t {
    not_begun,  ///< nothing
    partly,     ///< the first `pattern` mod (n + 1) of its n changing bits (erasure: bytes)
    subset,  ///< the changing bits that `pattern` selects (erasure: chosen by `pattern` as a seed)
    unstable,  ///< its bits read differently: see `pattern`
    complete,  ///< everything, but the caller does not get to know
};

/// Unstable bits, by `pattern` mod 4: 0 = anew at every read, old or new; 1 = new at the first boot
/// after the cut, old at the second, then alternating; 2 = the other way round; 3 = anew at every
/// boot. The rest of `pattern` seeds the choices.
struct PowerCut {
    std::uint64_t operation;  ///< counted from the call of cut_at: 0 = the next one
    Tear tear;
    std::uint64_t pattern = 0;
};

class TearingFlash final : public firmware::Flash {
public:
    explicit TearingFlash(std::uint16_t pages);

    [[nodiscard]] std::uint16_t page_count() const override {
        return static_cast<std::uint16_t>(erases_.size());
    }
    void read(std::uint32_t address, protocol::MutableBytes out) const override;
    [[nodiscard]] bool program(std::uint32_t address, const firmware::FlashUnit& unit) override;
    [[nodiscard]] bool erase_page(std::uint16_t page) override;

    void cut_at(const PowerCut& cut) { cut_ = cut, until_cut_ = cut.operation, is_armed_ = true; }
    void disarm() { is_armed_ = false; }
    [[nodiscard]] bool is_armed() const { return is_armed_; }  ///< the cut has not come yet
    void reboot();
    /// From the next operation on, the part reports failure (programs and erases nothing).
    void wear_out() { fail_after(0); }
    /// The same, but so many units are programmed, or pages erased, before it.
    void fail_after(std::uint64_t operations) { is_worn_out_ = true, until_worn_out_ = operations; }
    void repair() { is_worn_out_ = false; }
    /// From now on a unit may be programmed twice: for images that were damaged on purpose.
    void allow_reprogramming() { is_strict_ = false; }
    /// Flips one stored bit, as radiation or charge loss would.
    void flip(std::uint32_t address, unsigned bit);

    struct Counts {
        std::uint64_t programs = 0;  ///< units
        std::uint64_t erases = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }
    /// What an operation was about to change, so that a test can cut it bit by bit.
    struct Operation {
        bool is_erasure = false;
        std::uint8_t changing_bits = 0;  ///< of a program operation
        std::uint32_t where = 0;         ///< an address; the page of an erasure
        firmware::FlashUnit unit{};
    };
    /// Until called with null, each operation that completes is noted. Copies note nothing.
    void trace_into(std::vector<Operation>* operations) { trace_.to = operations; }
    /// Does what was noted, here: on a copy taken where the noting began it leads to the same
    /// memory, and a cut lands as it would have landed there.
    void perform(const Operation& operation);
    /// The same bits, stable and unstable, whatever may be programmed where.
    [[nodiscard]] bool has_memory_of(const TearingFlash& other) const {
        return bytes_ == other.bytes_ && marks_ == other.marks_;
    }
    [[nodiscard]] std::uint32_t erases_max() const;
    [[nodiscard]] std::uint32_t erases_min() const;
    [[nodiscard]] std::uint16_t last_page_erased() const { return last_page_erased_; }

private:
    /// A copied flash is another flash: it must not write into the first one's notes.
    struct Trace {
        std::vector<Operation>* to = nullptr;
        Trace() = default;
        Trace(const Trace&) {}
        Trace& operator=(const Trace&) { return *this; }
    };
    // Programmed, or torn, since the page was last erased; listed in unstable_.
    static constexpr std::uint8_t mark_begun = 1, mark_unstable = 2;
    struct Unstable {
        std::uint32_t unit;
        firmware::FlashUnit old_value, new_value;
        std::uint64_t pattern;
        std::uint32_t boot;  // when it was torn
    };

    [[nodiscard]] bool has(std::uint32_t unit, std::uint8_t mark) const {
        return (marks_[unit] & mark) != 0;
    }
    [[nodiscard]] bool is_failing() {
        return is_worn_out_ && (until_worn_out_ == 0 || until_worn_out_-- == 0);
    }
    [[nodiscard]] bool power_fails() { return is_armed_ && until_cut_-- == 0; }
    [[noreturn]] void lose_power();
    void tear_program(std::uint32_t unit, const firmware::FlashUnit& target);
    void tear_erase(std::uint16_t page);
    void stabilise(std::uint32_t first_unit, std::uint32_t count);
    void make_unstable(const Unstable& torn);
    [[nodiscard]] firmware::FlashUnit value(std::uint32_t unit) const;
    [[nodiscard]] firmware::FlashUnit look(const Unstable& unstable) const;

    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint8_t> marks_;  // of each unit: begun, unstable
    std::vector<Unstable> unstable_;
    std::vector<std::uint32_t> erases_;
    Counts counts_;
    Trace trace_{};
    PowerCut cut_{};
    std::uint64_t until_cut_ = 0;
    std::uint64_t until_worn_out_ = 0;
    std::uint32_t boot_ = 0;
    mutable std::uint64_t reads_ = 0;
    std::uint16_t last_page_erased_ = 0;
    bool is_armed_ = false;
    bool is_worn_out_ = false;
    bool is_strict_ = true;
};

}  // namespace tests
