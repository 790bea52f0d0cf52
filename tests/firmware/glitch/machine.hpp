#pragma once
// The card's image under Unicorn: processor, memory and serial line, all of which can be put back
// to an earlier moment at once. firmware/boards/mps2/image.ld has the memory map.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <unicorn/unicorn.h>

#include "protocol/bytes.hpp"
#include "tests/firmware/glitch/image.hpp"

namespace tests::glitch {

using protocol::Bytes;

constexpr std::uint32_t ram_start = 0x20000000, ram_size = 8 * 1024;
constexpr std::uint32_t nvm_start = 0x21000000, nvm_size = 128 * 1024;

/// What a fault leaves alone: r0 to r12, sp, lr, pc and the flags with the state of an IT block.
struct Core {
    std::array<std::uint32_t, 16> r{};
    std::uint32_t xpsr = 0;
};

/// The serial line: what the card has still to read, and what it has sent.
struct Line {
    std::vector<std::uint8_t> to_card;
    std::size_t read = 0;
    std::vector<std::uint8_t> from_card;
};

enum class Stop : std::uint8_t {
    idle,     ///< the card waits for its next byte
    faulted,  ///< a wild access, an undefined instruction, the image's own fault()
    endless,  ///< the limit is reached
    halted,   ///< by halt()
};

class Machine {
public:
    /// A moment of the machine.
    struct State {
        Core core;
        std::vector<std::uint8_t> ram, nvm;
        Line line;
    };
    /// Called before each instruction, with its address and size.
    using Tracer = std::function<void(std::uint32_t address, std::uint32_t size)>;

    /// `traces`: every instruction is shown to the tracer; some twenty times slower.
    explicit Machine(const Image& image, bool traces = false);
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;
    ~Machine();

    /// Memory lost, NVM kept; the processor about to leave reset.
    void power_on();
    void load_nvm(Bytes bytes);
    [[nodiscard]] Bytes nvm() const { return nvm_; }
    [[nodiscard]] Bytes ram() const { return ram_; }

    [[nodiscard]] State save() const;
    void restore(const State& state);
    /// The same, from another machine as it is now; only its registers are given.
    void restore(const Machine& from, const Core& core);
    [[nodiscard]] Core core() const;
    [[nodiscard]] Line& line() { return line_; }
    [[nodiscard]] const Line& line() const { return line_; }
    void set_tracer(Tracer tracer) { tracer_ = std::move(tracer); }

    /// What runs instead of the function at `address`, and returns for it. False: the function
    /// itself runs. Before the first run.
    using Native = std::function<bool(Machine&)>;
    void replace(std::uint32_t address, Native native);
    /// Ends the run, from within a native function.
    void halt();
    /// One of r0 to r3, for a native function.
    [[nodiscard]] std::uint32_t argument(unsigned index) const;
    /// `size` bytes of RAM; empty when they are not all there.
    [[nodiscard]] std::span<std::uint8_t> memory(std::uint32_t address, std::size_t size);

    /// Until the card waits for a byte; at most so many blocks of code.
    Stop run(std::uint64_t blocks_max);
    /// Blocks of code that the last run took.
    [[nodiscard]] std::uint64_t blocks() const { return blocks_; }

private:
    static std::uint64_t on_read(uc_engine*, std::uint64_t offset, unsigned size, void* self);
    static void on_write(uc_engine*, std::uint64_t offset, unsigned size, std::uint64_t value,
                         void* self);
    static void on_block(uc_engine*, std::uint64_t address, std::uint32_t size, void* self);
    static void on_native(uc_engine*, std::uint64_t address, std::uint32_t size, void* self);
    static void on_instruction(uc_engine*, std::uint64_t address, std::uint32_t size, void* self);
    void map();
    void still_the_sleeper(const Image& image);
    void set(const Core& core);

    // Behind the emulator's back, and in front of it: what Unicorn maps.
    std::vector<std::uint8_t> code_, ram_, nvm_;
    uc_engine* engine_ = nullptr;
    Line line_;
    Tracer tracer_;
    std::map<std::uint32_t, Native> natives_;
    std::uint64_t blocks_ = 0, blocks_max_ = 0;
    bool is_asking_ = false, is_idle_ = false, is_endless_ = false, is_halted_ = false;
};

}  // namespace tests::glitch
