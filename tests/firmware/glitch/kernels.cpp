#include "tests/firmware/glitch/kernels.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "crypto/core/sm3.hpp"
#include "crypto/core/sm4.hpp"

namespace tests::glitch {
namespace {

constexpr std::string_view kernel_names[] = {"crypto::Sm4Key::",
                                             "crypto::sm4_circuit::",
                                             "crypto::Sm3::compress",
                                             "crypto::(anonymous namespace)::tau",
                                             "crypto::(anonymous namespace)::expand",
                                             "crypto::(anonymous namespace)::round",
                                             "mbedtls_des",
                                             "memset"};

// The objects lie as the host's do: words first. A host whose bytes are in another order computes
// nothing here.
static_assert(sizeof(crypto::Sm4Key) == 32 * sizeof(std::uint32_t));

using Block = std::span<std::uint8_t, crypto::sm4_block_size>;

bool schedule_sm4(Machine& machine) {
    const auto key = machine.memory(machine.argument(1), crypto::sm4_key_size);
    const auto object = machine.memory(machine.argument(0), sizeof(crypto::Sm4Key));
    if (key.empty() || object.empty()) return false;
    const crypto::Sm4Key schedule{std::span<const std::uint8_t, crypto::sm4_key_size>{key}};
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&schedule), object.size(), object.begin());
    return true;
}

template <bool encrypts>
bool apply_sm4(Machine& machine) {
    const auto object = machine.memory(machine.argument(0), sizeof(crypto::Sm4Key));
    const auto in = machine.memory(machine.argument(1), crypto::sm4_block_size);
    const auto out = machine.memory(machine.argument(2), crypto::sm4_block_size);
    if (object.empty() || in.empty() || out.empty()) return false;
    alignas(crypto::Sm4Key) std::array<std::uint8_t, sizeof(crypto::Sm4Key)> copy{};
    std::ranges::copy(object, copy.begin());
    const auto& schedule = *reinterpret_cast<const crypto::Sm4Key*>(copy.data());
    if constexpr (encrypts) {
        schedule.encrypt_block(Block{in}, Block{out});
    } else {
        schedule.decrypt_block(Block{in}, Block{out});
    }
    return true;
}

/// The state is the object's first member; a fresh object whose state is replaced compresses one
/// block in update().
bool compress_sm3(Machine& machine) {
    const auto state = machine.memory(machine.argument(0), crypto::sm3_digest_size);
    const auto block = machine.memory(machine.argument(1), crypto::sm3_block_size);
    if (state.empty() || block.empty()) return false;
    crypto::Sm3 hash;
    void* const first = &hash;
    std::memcpy(first, state.data(), state.size());
    hash.update(block);
    std::memcpy(state.data(), first, state.size());
    return true;
}

bool set_memory(Machine& machine) {
    const std::uint32_t size = machine.argument(2);
    const auto target = machine.memory(machine.argument(0), size);
    if (target.size() != size) return false;
    std::ranges::fill(target, static_cast<std::uint8_t>(machine.argument(1)));
    return true;
}

}  // namespace

bool is_kernel(const Function& function) {
    return std::ranges::any_of(kernel_names, [&](std::string_view name) {
        return function.name.find(name) != std::string::npos;
    });
}

std::string kernels() {
    std::string out;
    for (const auto name : kernel_names) out.append(out.empty() ? "" : ", ").append(name);
    return out;
}

void compute_natively(Machine& machine, const Image& image) {
    const std::pair<std::string_view, Machine::Native> natives[] = {
        {"crypto::Sm4Key::Sm4Key(", schedule_sm4},
        {"crypto::Sm4Key::encrypt_block(", apply_sm4<true>},
        {"crypto::Sm4Key::decrypt_block(", apply_sm4<false>},
        {"crypto::Sm3::compress(", compress_sm3},
        {"memset", set_memory}};
    for (const auto& [begin, function] : image.functions()) {
        for (const auto& [name, native] : natives) {
            if (function.name.starts_with(name)) machine.replace(begin, native);
        }
    }
}

}  // namespace tests::glitch
