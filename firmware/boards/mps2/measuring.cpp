#include "firmware/boards/mps2/measuring.hpp"

#include "crypto/core/block_cipher.hpp"
#include "firmware/kernel/store.hpp"

extern "C" std::uint32_t stack_bottom[], stack_top[];

namespace firmware::boards::measuring {
namespace {

struct Cost {
    std::uint32_t instructions, cipher_instructions, random_instructions, units, erases, blocks,
        schedules, commits, ticks;
};
std::array<Cost, 2> costs{};  // of the command, of the housekeeping after it
Cost* current = costs.data();

// SysTick: ARMv7-M Architecture Reference Manual, B3.3. The emulator runs with -icount shift=0: an
// instruction is a nanosecond, and a tick of the board's 25 MHz clock is 40 of them.
volatile std::uint32_t& systick_control() {
    return *reinterpret_cast<volatile std::uint32_t*>(0xE000E010);
}
volatile std::uint32_t& systick_reload() {
    return *reinterpret_cast<volatile std::uint32_t*>(0xE000E014);
}
volatile std::uint32_t& systick_value() {
    return *reinterpret_cast<volatile std::uint32_t*>(0xE000E018);
}
constexpr std::uint32_t systick_max = 0x00FFFFFF;
constexpr std::uint32_t instructions_per_tick = 40;
constexpr std::uint32_t enabled_processor_clock = 5;

constexpr std::uint32_t paint = 0xC5C5C5C5;

[[gnu::noinline]] void begin(Cost& cost) {
    current = &cost;
    cost = {};
    systick_reload() = systick_max;
    systick_value() = 0;
    systick_control() = enabled_processor_clock;
}
[[nodiscard]] std::uint32_t stack_depth() {
    const std::uint32_t* lowest = stack_bottom;
    while (lowest < stack_top && *const_cast<const volatile std::uint32_t*>(lowest) == paint)
        ++lowest;
    return static_cast<std::uint32_t>(stack_top - lowest) * 4;
}
std::uint32_t deepest = 0;

/// Adds the instructions from here to the end of the block to one of the current numbers.
class Counting {
public:
    explicit Counting(std::uint32_t Cost::* into) : into_{into}, start_{systick_value()} {}
    ~Counting() {
        current->*into_ += ((start_ - systick_value()) & systick_max) * instructions_per_tick;
    }
    Counting(const Counting&) = delete;
    Counting& operator=(const Counting&) = delete;

private:
    std::uint32_t Cost::* into_;
    std::uint32_t start_;
};

}  // namespace

bool BoardFlash::program(std::uint32_t address, const FlashUnit& unit) {
    ++current->units;
    return region_.program(address, unit);
}
bool BoardFlash::erase_page(std::uint16_t page) {
    ++current->erases;
    return region_.erase_page(page);
}

void BoardRandom::fill(crypto::MutableBytes out) {
    const Counting counted{&Cost::random_instructions};
    drbg_.fill(out);
}

void begin() {
    costs[1] = {};
    // Anew for each command: the board wipes the stack behind it.
    const auto* here = static_cast<std::uint32_t*>(__builtin_frame_address(0)) - 16;
    for (std::uint32_t* at = stack_bottom; at < here; ++at) {
        *const_cast<volatile std::uint32_t*>(at) = paint;
    }
    begin(costs[0]);
}
void begin_housekeeping() {
    begin(costs[1]);
}

void end() {
    const std::uint32_t ticks = (0 - systick_value()) & systick_max;
    systick_control() = 0;
    current->instructions = ticks * instructions_per_tick;
    deepest = std::max(deepest, stack_depth());
}

std::array<std::uint8_t, report_size> report() {
    std::array<std::uint8_t, report_size> out{};
    protocol::ByteWriter writer{out};
    for (const Cost& cost : costs) {
        for (const std::uint32_t number :
             {cost.instructions, cost.cipher_instructions, cost.random_instructions, cost.units,
              cost.erases, cost.blocks, cost.schedules, cost.commits, cost.ticks}) {
            writer.put_u32(number);
        }
    }
    writer.put_u32(deepest);
    return out;
}

}  // namespace firmware::boards::measuring

// The linker puts these before the functions whose calls are counted (--wrap, CMakeLists.txt), by
// the names they have in the object files: BlockSchedule::apply and its constructor, Store::commit,
// Store::tick.
#define ONECARD_APPLY "_ZNK6crypto13BlockSchedule5applyESt4spanIhLj4294967295EENS0_9DirectionE"
#define ONECARD_EXPAND \
    "_ZN6crypto13BlockScheduleC2ENS_6CipherESt4spanIKhLj4294967295EENS0_9DirectionE"
#define ONECARD_COMMIT "_ZN8firmware5Store6commitERNS_11TransactionENS_7UrgencyE"
#define ONECARD_TICK "_ZN8firmware5Store4tickEN8protocol6StrongItNS_12ObjectIdNameEEE"

namespace firmware::boards::measuring {

void real_apply(const void*, crypto::MutableBytes, unsigned) __asm__("__real_" ONECARD_APPLY);
void wrap_apply(const void*, crypto::MutableBytes, unsigned) __asm__("__wrap_" ONECARD_APPLY);
// A constructor returns its object: C++ ABI for the Arm Architecture (IHI 0041), 3.1.
void* real_expand(void*, crypto::Cipher, crypto::Bytes, unsigned) __asm__("__real_" ONECARD_EXPAND);
void* wrap_expand(void*, crypto::Cipher, crypto::Bytes, unsigned) __asm__("__wrap_" ONECARD_EXPAND);
Outcome<void> real_commit(Store*, Transaction&, Urgency) __asm__("__real_" ONECARD_COMMIT);
Outcome<void> wrap_commit(Store*, Transaction&, Urgency) __asm__("__wrap_" ONECARD_COMMIT);
Outcome<std::uint8_t> real_tick(Store*, ObjectId) __asm__("__real_" ONECARD_TICK);
Outcome<std::uint8_t> wrap_tick(Store*, ObjectId) __asm__("__wrap_" ONECARD_TICK);

void wrap_apply(const void* schedule, crypto::MutableBytes block, unsigned direction) {
    const Counting counted{&Cost::cipher_instructions};
    ++current->blocks;
    real_apply(schedule, block, direction);
}
void* wrap_expand(void* schedule, crypto::Cipher cipher, crypto::Bytes key, unsigned direction) {
    const Counting counted{&Cost::cipher_instructions};
    ++current->schedules;
    return real_expand(schedule, cipher, key, direction);
}
Outcome<void> wrap_commit(Store* store, Transaction& change, Urgency urgency) {
    ++current->commits;
    return real_commit(store, change, urgency);
}
Outcome<std::uint8_t> wrap_tick(Store* store, ObjectId id) {
    ++current->ticks;
    return real_tick(store, id);
}

}  // namespace firmware::boards::measuring
