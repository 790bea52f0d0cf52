#include "tests/firmware/glitch/machine.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/firmware/glitch/thumb.hpp"

namespace tests::glitch {
namespace {

constexpr std::uint32_t code_size = 128 * 1024;
constexpr std::uint32_t uart_start = 0x40004000, uart_size = 0x1000;      // ARM AN385, table 3-1
constexpr std::uint32_t system_start = 0xE000E000, system_size = 0x1000;  // NVIC
constexpr std::uint32_t uart_data = 0x0, uart_state = 0x4, receive_full = 0x2;
/// More than any answer's frame: whoever sends on is not going to stop.
constexpr std::size_t sent_max = 4096;

constexpr std::array<int, 17> registers{
    UC_ARM_REG_R0,  UC_ARM_REG_R1,  UC_ARM_REG_R2,  UC_ARM_REG_R3,  UC_ARM_REG_R4,  UC_ARM_REG_R5,
    UC_ARM_REG_R6,  UC_ARM_REG_R7,  UC_ARM_REG_R8,  UC_ARM_REG_R9,  UC_ARM_REG_R10, UC_ARM_REG_R11,
    UC_ARM_REG_R12, UC_ARM_REG_R13, UC_ARM_REG_R14, UC_ARM_REG_R15, UC_ARM_REG_XPSR};
constexpr std::uint32_t thumb_bit = 1;

void check(uc_err error, const char* what) {
    if (error != UC_ERR_OK) throw std::runtime_error{std::string{what} + ": " + uc_strerror(error)};
}

/// A pointer for each register of a core.
template <class Word>
[[nodiscard]] auto pointers(std::array<Word, 17>& words) {
    std::array<void*, 17> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = &words[i];
    return out;
}

[[nodiscard]] std::uint32_t word(const std::vector<std::uint8_t>& bytes, std::size_t at) {
    std::uint32_t out = 0;
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}

}  // namespace

Machine::Machine(const Image& image, bool traces)
    : code_{image.code()}, ram_(ram_size), nvm_(nvm_size, 0xFF) {
    if (code_.size() > code_size) throw std::runtime_error{"the image is too large"};
    code_.resize(code_size);
    still_the_sleeper(image);
    const auto mode = static_cast<uc_mode>(UC_MODE_THUMB | UC_MODE_MCLASS);
    check(uc_open(UC_ARCH_ARM, mode, &engine_), "Unicorn");
    check(uc_ctl_set_cpu_model(engine_, UC_CPU_ARM_CORTEX_M3), "Cortex-M3");
    map();
    uc_hook hook = 0;
    check(uc_hook_add(engine_, &hook, UC_HOOK_BLOCK, reinterpret_cast<void*>(on_block), this, 1, 0),
          "blocks");
    if (!traces) return;
    check(uc_hook_add(engine_, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(on_instruction), this,
                      1, 0),
          "instructions");
}

Machine::~Machine() {
    if (engine_ != nullptr) uc_close(engine_);
}

/// Code runs from the image's memory only: elsewhere a fetch is a wild access.
void Machine::map() {
    const auto data = UC_PROT_READ | UC_PROT_WRITE;
    check(uc_mem_map_ptr(engine_, 0, code_size, UC_PROT_READ | UC_PROT_EXEC, code_.data()), "code");
    check(uc_mem_map_ptr(engine_, ram_start, ram_size, data, ram_.data()), "RAM");
    check(uc_mem_map_ptr(engine_, nvm_start, nvm_size, data, nvm_.data()), "NVM");
    check(uc_mmio_map(engine_, uart_start, uart_size, on_read, this, on_write, this), "UART");
    check(uc_mmio_map(
              engine_, system_start, system_size,
              [](uc_engine*, std::uint64_t, unsigned, void*) -> std::uint64_t { return 0; },
              nullptr, [](uc_engine*, std::uint64_t, unsigned, std::uint64_t, void*) {}, nullptr),
          "NVIC");
}

/// The receiver polls instead of sleeping (run() stops it there), and who ends in fault() is seen
/// to: its sleep becomes an undefined instruction.
void Machine::still_the_sleeper(const Image& image) {
    for (const auto& [begin, function] : image.functions()) {
        const bool is_fault = function.name == "fault" || function.name == "__cxa_pure_virtual";
        for (std::uint32_t at = begin; at + 2 <= function.end; at += thumb::size_at(code_, at)) {
            if (thumb::half(code_, at) != thumb::wait_for_interrupt) continue;
            const std::uint16_t instead = is_fault ? thumb::undefined : thumb::no_operation;
            std::memcpy(code_.data() + at, &instead, sizeof instead);
        }
    }
}

void Machine::power_on() {
    std::ranges::fill(ram_, std::uint8_t{0});
    line_ = {};
    Core core;
    core.r[13] = word(code_, 0);
    core.r[15] = word(code_, 4) & ~thumb_bit;
    core.xpsr = 1U << 24;  // T
    set(core);
}

void Machine::load_nvm(Bytes bytes) {
    if (bytes.size() > nvm_.size()) throw std::runtime_error{"the chip's memory is larger"};
    std::ranges::fill(nvm_, std::uint8_t{0xFF});
    std::ranges::copy(bytes, nvm_.begin());
}

Core Machine::core() const {
    std::array<std::uint32_t, 17> words{};
    auto at = pointers(words);
    check(uc_reg_read_batch(engine_, const_cast<int*>(registers.data()), at.data(), at.size()),
          "registers");
    Core out;
    std::copy_n(words.begin(), out.r.size(), out.r.begin());
    out.r[15] &= ~thumb_bit;
    out.xpsr = words[16];
    return out;
}

void Machine::set(const Core& core) {
    std::array<std::uint32_t, 17> words{};
    std::ranges::copy(core.r, words.begin());
    words[15] |= thumb_bit;
    words[16] = core.xpsr | 1U << 24;
    auto at = pointers(words);
    check(uc_reg_write_batch(engine_, const_cast<int*>(registers.data()), at.data(), at.size()),
          "registers");
}

void Machine::replace(std::uint32_t address, Native native) {
    natives_[address] = std::move(native);
    uc_hook hook = 0;
    check(uc_hook_add(engine_, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(on_native), this,
                      address, address),
          "a native function");
}

std::uint32_t Machine::argument(unsigned index) const {
    std::uint32_t out = 0;
    check(uc_reg_read(engine_, registers[index], &out), "an argument");
    return out;
}

std::span<std::uint8_t> Machine::memory(std::uint32_t address, std::size_t size) {
    const std::size_t at = address - ram_start;
    if (at >= ram_.size() || size > ram_.size() - at) return {};
    return std::span{ram_}.subspan(at, size);
}

void Machine::halt() {
    is_halted_ = true;
    uc_emu_stop(engine_);
}

Machine::State Machine::save() const {
    return {core(), ram_, nvm_, line_};
}

void Machine::restore(const State& state) {
    std::ranges::copy(state.ram, ram_.begin());
    std::ranges::copy(state.nvm, nvm_.begin());
    line_ = state.line;
    set(state.core);
}

void Machine::restore(const Machine& from, const Core& core) {
    std::ranges::copy(from.ram_, ram_.begin());
    std::ranges::copy(from.nvm_, nvm_.begin());
    line_ = from.line_;
    set(core);
}

Stop Machine::run(std::uint64_t blocks_max) {
    blocks_ = 0;
    blocks_max_ = blocks_max;
    is_asking_ = is_idle_ = is_endless_ = is_halted_ = false;
    std::uint32_t pc = 0;
    check(uc_reg_read(engine_, UC_ARM_REG_PC, &pc), "pc");
    const uc_err error = uc_emu_start(engine_, pc | thumb_bit, ~std::uint64_t{0}, 0, 0);
    if (is_halted_) return Stop::halted;
    if (is_endless_) return Stop::endless;
    if (error == UC_ERR_OK && is_idle_) return Stop::idle;
    return Stop::faulted;
}

std::uint64_t Machine::on_read(uc_engine* engine, std::uint64_t offset, unsigned, void* self) {
    auto& machine = *static_cast<Machine*>(self);
    Line& line = machine.line_;
    const bool has_byte = line.read < line.to_card.size();
    if (offset == uart_data) return has_byte ? line.to_card[line.read++] : 0;
    if (offset != uart_state || has_byte) return offset == uart_state ? receive_full : 0;
    // The sender looks once before each byte; only the receiver looks again.
    if (machine.is_asking_) {
        machine.is_idle_ = true;
        uc_emu_stop(engine);
    }
    machine.is_asking_ = true;
    return 0;
}

void Machine::on_write(uc_engine* engine, std::uint64_t offset, unsigned, std::uint64_t value,
                       void* self) {
    auto& machine = *static_cast<Machine*>(self);
    if (offset != uart_data) return;
    machine.is_asking_ = false;
    machine.line_.from_card.push_back(static_cast<std::uint8_t>(value));
    if (machine.line_.from_card.size() < sent_max) return;
    machine.is_endless_ = true;
    uc_emu_stop(engine);
}

void Machine::on_block(uc_engine* engine, std::uint64_t, std::uint32_t, void* self) {
    auto& machine = *static_cast<Machine*>(self);
    if (++machine.blocks_ < machine.blocks_max_) return;
    machine.is_endless_ = true;
    uc_emu_stop(engine);
}

void Machine::on_native(uc_engine* engine, std::uint64_t address, std::uint32_t, void* self) {
    auto& machine = *static_cast<Machine*>(self);
    if (!machine.natives_.at(static_cast<std::uint32_t>(address))(machine)) return;
    std::uint32_t back = 0;
    check(uc_reg_read(engine, UC_ARM_REG_LR, &back), "lr");
    check(uc_reg_write(engine, UC_ARM_REG_PC, &back), "pc");
}

void Machine::on_instruction(uc_engine*, std::uint64_t address, std::uint32_t size, void* self) {
    const auto& machine = *static_cast<Machine*>(self);
    if (machine.tracer_) machine.tracer_(static_cast<std::uint32_t>(address), size);
}

}  // namespace tests::glitch
