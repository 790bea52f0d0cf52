#include "crypto/core/sm3.hpp"

#include <bit>

namespace crypto {
namespace {

using std::rotl;
using State = std::array<std::uint32_t, 8>;

constexpr State initial_state{0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600,  // 4.1
                              0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E};

constexpr std::uint32_t p0(std::uint32_t x) {
    return x ^ rotl(x, 9) ^ rotl(x, 17);
}  // 4.4
constexpr std::uint32_t p1(std::uint32_t x) {
    return x ^ rotl(x, 15) ^ rotl(x, 23);
}  // 4.4

// Message expansion (5.3.2) in a ring of sixteen words: W[j] leaves when W[j + 16] arrives.
constexpr std::uint32_t expand(std::array<std::uint32_t, 16>& w, std::size_t j) {
    const auto at = [&w, j](std::size_t back) { return w[(j + 16 - back) % 16]; };
    w[j % 16] = p1(at(16) ^ at(9) ^ rotl(at(3), 15)) ^ rotl(at(13), 7) ^ at(6);
    return w[j % 16];
}

// One round of 5.3.3; the first sixteen use other constants and boolean functions (4.2, 4.3).
template <bool first_sixteen>
void round(State& v, std::size_t j, std::uint32_t w, std::uint32_t w_prime) {
    auto& [a, b, c, d, e, f, g, h] = v;
    constexpr std::uint32_t t = first_sixteen ? 0x79CC4519 : 0x7A879D8A;
    const std::uint32_t ss1 = rotl(rotl(a, 12) + e + rotl(t, static_cast<int>(j % 32)), 7);
    const std::uint32_t ss2 = ss1 ^ rotl(a, 12);
    const std::uint32_t ff = first_sixteen ? a ^ b ^ c : (a & b) | (a & c) | (b & c);
    const std::uint32_t gg = first_sixteen ? e ^ f ^ g : (e & f) | (~e & g);
    const std::uint32_t tt1 = ff + d + ss2 + w_prime;
    const std::uint32_t tt2 = gg + h + ss1 + w;
    d = c;
    c = rotl(b, 9);
    b = a;
    a = tt1;
    h = g;
    g = rotl(f, 19);
    f = e;
    e = p0(tt2);
}

void write_word(std::uint32_t word, std::uint8_t* out) {
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(word >> (24 - 8 * i));
}

}  // namespace

Sm3::Sm3() : state_{initial_state} {}
Sm3::~Sm3() {
    wipe_object(state_);
    wipe(buffer_);
}

void Sm3::compress(std::span<const std::uint8_t, sm3_block_size> block) {  // CF, 5.3.3
    std::array<std::uint32_t, 16> w{};
    for (std::size_t i = 0; i < block.size(); ++i) w[i / 4] = w[i / 4] << 8 | block[i];
    State v = state_;
    // W'[j] = W[j] ^ W[j + 4], so the expansion runs four words ahead of the rounds.
    for (std::size_t j = 0; j < 12; ++j) round<true>(v, j, w[j], w[j] ^ w[j + 4]);
    for (std::size_t j = 12; j < 16; ++j) {
        const std::uint32_t wj = w[j];
        round<true>(v, j, wj, wj ^ expand(w, j + 4));
    }
    for (std::size_t j = 16; j < 64; ++j) {
        const std::uint32_t wj = w[j % 16];
        round<false>(v, j, wj, wj ^ expand(w, j + 4));
    }
    for (std::size_t i = 0; i < 8; ++i) state_[i] ^= v[i];
    wipe_object(w);
    wipe_object(v);
}

Sm3& Sm3::update(Bytes data) {
    std::size_t held = size_ % sm3_block_size;
    size_ += data.size();
    if (held > 0) {
        const std::size_t taken = std::min(data.size(), sm3_block_size - held);
        std::ranges::copy(data.first(taken), buffer_.begin() + static_cast<std::ptrdiff_t>(held));
        data = data.subspan(taken);
        held += taken;
        if (held < sm3_block_size) return *this;
        compress(buffer_);
    }
    while (data.size() >= sm3_block_size) {
        compress(data.first<sm3_block_size>());
        data = data.subspan(sm3_block_size);
    }
    std::ranges::copy(data, buffer_.begin());
    return *this;
}

Sm3Digest Sm3::finish() {  // padding, 5.2: 1, zeros, the length in bits
    const std::uint64_t bits = size_ * 8;
    std::size_t held = size_ % sm3_block_size;
    buffer_[held++] = 0x80;
    if (held > sm3_block_size - 8) {
        wipe(MutableBytes{buffer_}.subspan(held));
        compress(buffer_);
        held = 0;
    }
    wipe(MutableBytes{buffer_}.subspan(held));
    write_word(static_cast<std::uint32_t>(bits >> 32), &buffer_[56]);
    write_word(static_cast<std::uint32_t>(bits), &buffer_[60]);
    compress(buffer_);
    Sm3Digest digest{};
    for (std::size_t i = 0; i < 8; ++i) write_word(state_[i], &digest[4 * i]);
    wipe(buffer_);
    state_ = initial_state;
    size_ = 0;
    return digest;
}

Sm3Digest sm3(Bytes data) {
    return Sm3{}.update(data).finish();
}

HmacSm3::HmacSm3(Bytes key) {  // ISO/IEC 9797-2:2021, MAC algorithm 2; FIPS 198-1, 4
    SecretBytes<sm3_block_size> pad;
    if (key.size() > sm3_block_size) {
        Sm3Digest digest = sm3(key);
        std::ranges::copy(digest, pad.bytes().begin());
        wipe(digest);
    } else {
        std::ranges::copy(key, pad.bytes().begin());
    }
    for (std::uint8_t& byte : pad.bytes()) byte ^= 0x36;
    inner_.update(pad.bytes());
    for (std::uint8_t& byte : pad.bytes()) byte ^= 0x36 ^ 0x5C;
    outer_.update(pad.bytes());
}

HmacSm3& HmacSm3::update(Bytes data) {
    inner_.update(data);
    return *this;
}

Sm3Digest HmacSm3::finish() {
    const Sm3Digest inner = inner_.finish();
    return outer_.update(inner).finish();
}

Sm3Digest hmac_sm3(Bytes key, Bytes data) {
    return HmacSm3{key}.update(data).finish();
}

}  // namespace crypto
