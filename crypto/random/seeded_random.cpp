#include "crypto/random/seeded_random.hpp"

#include <cstdlib>

namespace crypto {
namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::array<std::uint8_t, 8> bytes_of(std::uint64_t value) {
    std::array<std::uint8_t, 8> out{};
    protocol::ByteWriter{out}.put_u64(value);
    return out;
}

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed, std::string_view label) {
    prefix_.update(bytes_of("onecard seeded random")).update(bytes_of(seed));
    prefix_.update(bytes_of(label.size())).update(bytes_of(label));
}

SeededRandom SeededRandom::fork(std::string_view label) const {
    Sm3 prefix = prefix_;
    prefix.update(bytes_of("fork")).update(bytes_of(label.size())).update(bytes_of(label));
    return SeededRandom{prefix};
}

void SeededRandom::next_block() {
    Sm3 digest = prefix_;
    block_ = digest.update(bytes_of("block")).update(bytes_of(count_++)).finish();
    used_ = 0;
}

void SeededRandom::fill(MutableBytes out) {
    for (std::uint8_t& byte : out) {
        if (used_ == block_.size()) next_block();
        byte = block_[used_++];
    }
}

std::uint64_t SeededRandom::below(std::uint64_t bound) {
    if (bound == 0) std::abort();
    const std::uint64_t limit =
        bound * (~std::uint64_t{0} / bound);  // above it: uneven, draw again
    while (true) {
        std::array<std::uint8_t, 8> bytes{};
        fill(bytes);
        const std::uint64_t value =
            protocol::read_big_endian(std::span<const std::uint8_t, 8>{bytes});
        if (value < limit) return value % bound;
    }
}

}  // namespace crypto
