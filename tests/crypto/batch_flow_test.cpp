// Constant time where valgrind cannot look: it runs neither AVX-512 nor GFNI. The processor's trap
// flag stops after every instruction of a kernel, and what is seen must not follow the key.
//
// F1. A kernel executes the same instructions, in the same order, whatever the key.
// F2. In the byte-sliced SM4 kernels the general registers, too, hold the same after each of them.
//     Addresses are made of general registers (no kernel gathers: batch_symbols_test.py), so none
//     depends on the key.
// The bitsliced 3DES kernel takes the keys' bytes through general registers, so F2 does not hold
// there. Its text (des_lanes.inc, bit_lanes.inc) is that of the forms that valgrind sees, and only
// its gates differ: batch_constant_time.cpp.
#include <csignal>
#include <memory>
#include <random>
#include <vector>

#include <doctest/doctest.h>
#include <ucontext.h>

#include "crypto/batch/forms.hpp"
#include "crypto/batch/issuer_keys.hpp"
#include "crypto/batch/kernels.hpp"
#include "tests/crypto/batch_records.hpp"

namespace {

using namespace crypto::batch;

struct Step {
    std::uint64_t place;      // of the next instruction
    std::uint64_t registers;  // all sixteen, mixed
    friend bool operator==(const Step&, const Step&) = default;
};
using Trace = std::vector<Step>;

constexpr std::size_t most_steps = 2'000'000;
Step* next_step = nullptr;
Step* last_step = nullptr;

void on_trap(int /*signal*/, siginfo_t* /*info*/, void* context) {
    const greg_t* now = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (next_step == last_step) return;
    std::uint64_t mixed = 0;
    for (int i = REG_R8; i <= REG_RSP; ++i) {
        mixed = (mixed ^ static_cast<std::uint64_t>(now[i])) * 0x9E3779B97F4A7C15U;
        mixed ^= mixed >> 29;
    }
    *next_step++ = {static_cast<std::uint64_t>(now[REG_RIP]), mixed};
}

// The flag is bit 8 of RFLAGS (Intel SDM vol. 1, 3.4.3.3). Below the stack pointer lie 128 bytes
// that the compiler may use. All registers start from zero; the frame pointer keeps pointing to the
// frame, which lies at the same place in every run.
[[gnu::always_inline]] inline void start_stepping() {
    asm volatile(
        "xor %%eax, %%eax\n\t xor %%ebx, %%ebx\n\t xor %%ecx, %%ecx\n\t xor %%edx, %%edx\n\t"
        "xor %%esi, %%esi\n\t xor %%edi, %%edi\n\t xor %%r8, %%r8\n\t xor %%r9, %%r9\n\t"
        "xor %%r10, %%r10\n\t xor %%r11, %%r11\n\t xor %%r12, %%r12\n\t xor %%r13, %%r13\n\t"
        "xor %%r14, %%r14\n\t xor %%r15, %%r15\n\t"
        "lea -128(%%rsp), %%rsp\n\t pushfq\n\t orq $0x100, (%%rsp)\n\t popfq\n\t"
        "lea 128(%%rsp), %%rsp" ::
            : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
              "r14", "r15", "cc", "memory");
}
[[gnu::always_inline]] inline void stop_stepping() {
    asm volatile(
        "lea -128(%%rsp), %%rsp\n\t pushfq\n\t andq $~0x100, (%%rsp)\n\t popfq\n\t"
        "lea 128(%%rsp), %%rsp" ::
            : "cc", "memory");
}

/// The caller's frame and everything it passes must lie where they lay the last time.
template <class Work>
[[gnu::noinline]] Trace trace(Work& work) {
    static std::vector<Step> room(most_steps);
    next_step = room.data();
    last_step = room.data() + room.size();
    struct sigaction action{};
    struct sigaction before{};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    REQUIRE(sigaction(SIGTRAP, &action, &before) == 0);
    start_stepping();
    work();
    stop_stepping();
    REQUIRE(sigaction(SIGTRAP, &before, nullptr) == 0);
    REQUIRE(next_step != last_step);  // nothing was cut off
    return {room.data(), next_step};
}

/// One call of a kernel, under keys that can be exchanged where they lie.
struct Bench {
    std::vector<std::array<std::uint8_t, 40>> records{most_lanes};
    std::vector<std::array<std::uint8_t, 16>> keys{most_lanes};
    std::vector<const std::uint8_t*> record_places;
    std::vector<const std::uint8_t*> key_places;
    std::unique_ptr<ExpandedIssuerKey> shared = std::make_unique<ExpandedIssuerKey>();
    struct alignas(64) Scratch {
        std::uint8_t bytes[scratch_size];
    };
    std::unique_ptr<Scratch> scratch = std::make_unique<Scratch>();
    std::vector<std::array<std::uint8_t, 4>> macs{most_lanes};
    std::mt19937_64 random{20250601};

    Bench() {
        for (auto& record : records) tests::fill_random(record, random);
        for (const auto& record : records) record_places.push_back(record.data());
        for (const auto& key : keys) key_places.push_back(key.data());
    }
    void change_keys() {
        for (auto& key : keys) tests::fill_random(key, random);
        IssuerKeyTable table;
        const auto index = table.add({.suite = protocol::Suite::sm4}, keys[0]);
        REQUIRE(index);
        *shared = table.expanded(*index);
    }
    [[nodiscard]] LaneJob job(bool has_process_seed, bool is_shared) {
        return {.has_process_seed = has_process_seed,
                .records = record_places.data(),
                .masters = key_places.data(),
                .round_keys = is_shared ? shared->round_keys.data() : nullptr,
                .affine_round_keys = is_shared ? shared->affine_round_keys.data() : nullptr,
                .scratch = scratch->bytes,
                .macs = reinterpret_cast<std::uint8_t(*)[4]>(macs.data())};
    }
};

enum class Watch : std::uint8_t { places, places_and_registers };

void check_flow(void (*compute)(const LaneJob&), Watch watch, bool has_process_seed,
                bool is_shared) {
    CAPTURE(has_process_seed);
    CAPTURE(is_shared);
    Bench bench;
    const LaneJob job = bench.job(has_process_seed, is_shared);
    const auto work = [&] { compute(job); };
    Trace traces[2];
    std::vector<std::array<std::uint8_t, 4>> macs[2];
    bench.change_keys();
    work();  // the first call resolves symbols
    for (int run = 0; run < 2; ++run) {
        bench.change_keys();
        traces[run] = trace(work);
        macs[run] = bench.macs;
        if (watch == Watch::places) {
            for (Step& step : traces[run]) step.registers = 0;
        }
    }
    CHECK(macs[0] != macs[1]);  // the key did change something
    CHECK(traces[0].size() > 1000);
    REQUIRE(traces[0].size() == traces[1].size());
    const auto differ = std::ranges::mismatch(traces[0], traces[1]);
    CHECK(differ.in1 - traces[0].begin() == std::ssize(traces[0]));
}

void check_bytes(void (*compute)(const LaneJob&)) {
    for (const bool has_process_seed : {false, true}) {
        for (const bool is_shared : {false, true}) {
            check_flow(compute, Watch::places_and_registers, has_process_seed, is_shared);
        }
    }
}

}  // namespace

TEST_CASE("the trap flag shows a branch on a secret, and a secret in a register") {
    volatile std::uint8_t secret = 0;
    volatile int sink = 0;
    const auto branch = [&] {
        if (secret != 0) sink = 1;
    };
    const auto look_up = [&] { sink = static_cast<int>(secret) & 0x7F; };
    const auto places = [](const Trace& trace) {
        std::vector<std::uint64_t> out;
        for (const Step& step : trace) out.push_back(step.place);
        return out;
    };
    const Trace not_taken = trace(branch);
    const Trace one = trace(look_up);
    secret = 1;
    CHECK(places(trace(branch)) != places(not_taken));
    const Trace other = trace(look_up);
    CHECK(places(other) == places(one));
    CHECK(other != one);
    secret = 0;
    CHECK(trace(look_up) == one);  // and nothing where there is nothing
}

TEST_CASE("SM4 lanes: no instruction and no general register follows the key (F1, F2)") {
    if (is_available(Sm4Form::avx2_gfni)) check_bytes(sm4_avx2_gfni);
    if (is_available(Sm4Form::avx512_gfni)) check_bytes(sm4_avx512_gfni);
}

TEST_CASE("3DES in 512 lanes: no instruction follows the key (F1)") {
    if (is_available(DesForm::avx512)) check_flow(des_avx512, Watch::places, true, false);
}
