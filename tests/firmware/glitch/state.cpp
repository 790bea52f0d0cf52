#include "tests/firmware/glitch/state.hpp"

#include <algorithm>
#include <string_view>

#include "firmware/kernel/flash.hpp"
#include "tests/firmware/glitch/kernels.hpp"

namespace tests::glitch {
namespace {

[[nodiscard]] std::uint64_t mix(std::uint64_t seed, const void* bytes, std::size_t size) {
    const std::uint64_t hash =
        std::hash<std::string_view>{}({static_cast<const char*>(bytes), size});
    return (seed ^ hash) * 0x9E3779B97F4A7C15 + (seed >> 29);
}

}  // namespace

std::uint64_t state_of(const Machine& machine, const Image& image, Bytes nvm_before,
                       std::size_t first_register) {
    const auto& sent = machine.line().from_card;
    std::uint64_t hash = mix(machine.line().read, sent.data(), sent.size());
    constexpr std::size_t page = firmware::flash_model::page_size;
    const bool has_written = !std::ranges::equal(machine.nvm(), nvm_before);
    for (std::size_t at = 0; has_written && at < nvm_size; at += page) {
        const Bytes now = machine.nvm().subspan(at, page);
        if (std::ranges::equal(now, nvm_before.subspan(at, page))) continue;
        hash = mix(hash ^ at, now.data(), now.size());
    }
    const Core core = machine.core();
    const std::uint32_t data = image.symbol("data_start") - ram_start;
    const std::uint32_t stack = std::min(core.r[13] - ram_start, data);
    hash = mix(hash, core.r.data() + first_register, (12 - first_register) * sizeof core.r[0]);
    hash = mix(hash, core.r.data() + 13, 2 * sizeof core.r[0]);  // sp, lr
    return mix(hash, machine.ram().data() + stack, image.symbol("bss_end") - ram_start - stack);
}

std::uint64_t end_of(const Machine& machine, const Image& image, Stop stop, Bytes nvm_before) {
    constexpr std::size_t callee_saved = 4;
    if (stop == Stop::idle) return state_of(machine, image, nvm_before, callee_saved);
    const auto& sent = machine.line().from_card;
    std::uint64_t hash = mix(static_cast<std::uint64_t>(stop), sent.data(), sent.size());
    return mix(hash, machine.nvm().data(), machine.nvm().size());
}

Milestones::Milestones(const Image& image, const std::vector<std::uint32_t>& path) {
    std::unordered_map<std::uint32_t, unsigned> passages;
    for (const std::uint32_t address : path) ++passages[address];
    constexpr std::uint64_t distance = 300;  // instructions outside the kernels
    std::uint64_t since = 0;
    for (const std::uint32_t address : path) {
        const Function* function = image.function_at(address);
        if (function == nullptr || is_kernel(*function)) continue;
        if (++since < distance || function->begin != address || passages[address] != 1) continue;
        addresses_.push_back(address);
        since = 0;
    }
}

}  // namespace tests::glitch
