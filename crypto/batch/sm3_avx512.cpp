// SM3, sixteen messages in the lanes of each vector: AVX-512 (F, BW). GB/T 32905-2016.
#include <immintrin.h>

#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"

namespace crypto::batch {
namespace {

using V = __m512i;
constexpr unsigned lanes = 16;
constexpr unsigned block_size = 64;
constexpr unsigned word_count = 68;

ALWAYS_INLINE V add(V a, V b) {
    return _mm512_add_epi32(a, b);
}
ALWAYS_INLINE V xor2(V a, V b) {
    return _mm512_xor_si512(a, b);
}
ALWAYS_INLINE V xor3(V a, V b, V c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}
template <int n>
ALWAYS_INLINE V rotate(V a) {
    return _mm512_rol_epi32(a, n);
}
ALWAYS_INLINE V fill(std::uint32_t word) {
    return _mm512_set1_epi32(static_cast<int>(word));
}

constexpr std::uint32_t rotate_left(std::uint32_t word, unsigned n) {
    return n % 32 == 0 ? word : word << n % 32 | word >> (32 - n % 32);
}

/// T_j <<< j. 4.2 and 5.3.3.
struct RoundConstants {
    std::uint32_t word[64];
};
consteval RoundConstants make_round_constants() {
    RoundConstants out{};
    for (unsigned j = 0; j < 64; ++j) {
        out.word[j] = rotate_left(j < 16 ? 0x79CC4519 : 0x7A879D8A, j);
    }
    return out;
}
constexpr RoundConstants round_constants = make_round_constants();

constexpr std::uint32_t initial_value[8] = {0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600,
                                            0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E};  // 4.1

/// Where the words of the expanded block come from: the lanes' own, or the same for all of them.
struct LaneWords {
    const V* words;
    ALWAYS_INLINE V at(unsigned j) const { return words[j]; }
    ALWAYS_INLINE V sum(unsigned j) const { return xor2(words[j], words[j + 4]); }
};
struct SameWords {
    const std::uint32_t* words;
    ALWAYS_INLINE V at(unsigned j) const { return fill(words[j]); }
    ALWAYS_INLINE V sum(unsigned j) const { return fill(words[j] ^ words[j + 4]); }
};

/// One step of 5.3.3; the registers are renamed by the caller instead of moved.
template <bool early, class Words>
ALWAYS_INLINE void step(V a, V& b, V c, V& d, V e, V& f, V g, V& h, const Words& w, unsigned j) {
    const V a12 = rotate<12>(a);
    const V ss1 = rotate<7>(add(add(a12, e), fill(round_constants.word[j])));
    const V ss2 = xor2(ss1, a12);
    const V ff = early ? xor3(a, b, c) : _mm512_ternarylogic_epi32(a, b, c, 0xE8);  // majority
    const V gg = early ? xor3(e, f, g) : _mm512_ternarylogic_epi32(e, f, g, 0xCA);  // choice
    d = add(add(ff, d), add(ss2, w.sum(j)));
    const V tt2 = add(add(gg, h), add(ss1, w.at(j)));
    b = rotate<9>(b);
    f = rotate<19>(f);
    h = xor3(tt2, rotate<9>(tt2), rotate<17>(tt2));  // P0
}

template <bool early, class Words>
ALWAYS_INLINE void four_steps(V (&s)[8], const Words& w, unsigned j) {
    step<early>(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], w, j);
    step<early>(s[3], s[0], s[1], s[2], s[7], s[4], s[5], s[6], w, j + 1);
    step<early>(s[2], s[3], s[0], s[1], s[6], s[7], s[4], s[5], w, j + 2);
    step<early>(s[1], s[2], s[3], s[0], s[5], s[6], s[7], s[4], w, j + 3);
}

template <class Words>
ALWAYS_INLINE void compress(V (&state)[8], const Words& w) {
    V s[8];
    UNROLL for (unsigned i = 0; i < 8; ++i) s[i] = state[i];
    for (unsigned j = 0; j < 16; j += 4) four_steps<true>(s, w, j);
    for (unsigned j = 16; j < 64; j += 4) four_steps<false>(s, w, j);
    UNROLL for (unsigned i = 0; i < 8; ++i) state[i] = xor2(state[i], s[i]);
}

/// 16 rows of 16 words become 16 vectors, one word of every row in each.
ALWAYS_INLINE void transpose(V (&r)[16]) {
    V t[16];
    UNROLL for (unsigned i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL for (unsigned i = 0; i < 16;
                i += 4) {  // r[i + k]: word k of every quarter, rows i .. i + 3
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL for (unsigned k = 0; k < 4; ++k) {  // now quarters: 4 x 4 of them for each k
        const V low01 = _mm512_shuffle_i32x4(r[k], r[k + 4], 0x88);
        const V high01 = _mm512_shuffle_i32x4(r[k], r[k + 4], 0xDD);
        const V low23 = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0x88);
        const V high23 = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0xDD);
        t[k] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        t[k + 8] = _mm512_shuffle_i32x4(low01, low23, 0xDD);
        t[k + 4] = _mm512_shuffle_i32x4(high01, high23, 0x88);
        t[k + 12] = _mm512_shuffle_i32x4(high01, high23, 0xDD);
    }
    UNROLL for (unsigned i = 0; i < 16; ++i) r[i] = t[i];
}

/// Bytes of each 32-bit word in the other order.
ALWAYS_INLINE V reverse_bytes(V x) {
    const V order =
        _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    return _mm512_shuffle_epi8(x, order);
}

ALWAYS_INLINE V expand(V w16, V w9, V w3, V w13, V w6) {  // 5.3.2, P1
    const V x = xor3(w16, w9, rotate<15>(w3));
    return xor3(xor3(x, rotate<15>(x), rotate<23>(x)), rotate<7>(w13), w6);
}

NOINLINE void compress_lanes(V (&state)[8], const std::uint8_t* const (&blocks)[lanes]) {
    V w[word_count];
    V r[16];
    UNROLL for (unsigned i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(blocks[i]);
    transpose(r);
    UNROLL for (unsigned i = 0; i < 16; ++i) w[i] = reverse_bytes(r[i]);
    UNROLL for (unsigned j = 16; j < word_count; ++j) {
        w[j] = expand(w[j - 16], w[j - 9], w[j - 3], w[j - 13], w[j - 6]);
    }
    compress(state, LaneWords{w});
}

/// The block that holds nothing but padding, after a message of whole blocks: 5.2.
struct PaddingBlock {
    std::size_t size = ~std::size_t{0};  ///< of the message, in bytes
    std::uint32_t words[word_count];
};

void make_padding_block(PaddingBlock& block, std::size_t size) {
    if (block.size == size) return;
    block.size = size;
    std::uint32_t* w = block.words;
    for (unsigned j = 0; j < 16; ++j) w[j] = 0;
    w[0] = 0x80000000;
    w[14] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(size) >> 29);
    w[15] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(size) << 3);
    for (unsigned j = 16; j < word_count; ++j) {
        const std::uint32_t x = w[j - 16] ^ w[j - 9] ^ rotate_left(w[j - 3], 15);
        w[j] = x ^ rotate_left(x, 15) ^ rotate_left(x, 23) ^ rotate_left(w[j - 13], 7) ^ w[j - 6];
    }
}

NOINLINE void compress_padding(V (&state)[8], const PaddingBlock& block) {
    compress(state, SameWords{block.words});
}

std::size_t block_count(std::size_t size) {
    return (size + 8) / block_size + 1;
}

/// Block `index` of the padded message where it is not whole in the message. 5.2.
void make_tail(const std::uint8_t* message, std::size_t size, std::size_t index,
               std::uint8_t (&out)[block_size]) {
    const std::size_t start = index * block_size;
    for (std::size_t i = 0; i < block_size; ++i) {
        const std::size_t place = start + i;
        out[i] = static_cast<std::uint8_t>(place < size    ? message[place]
                                           : place == size ? 0x80
                                                           : 0);
    }
    if (index + 1 != block_count(size)) return;
    const auto bits = static_cast<std::uint64_t>(size) << 3;
    for (unsigned i = 0; i < 8; ++i) {
        out[block_size - 1 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
    }
}

struct Group {
    const std::uint8_t* messages[lanes];
    std::size_t sizes[lanes];
    std::size_t most_blocks = 0;
    bool same_size = true;
};

/// One block of every lane; a lane that has ended computes what nobody reads.
void next_block(V (&state)[8], const Group& group, std::size_t index, PaddingBlock& padding) {
    if (group.same_size && group.sizes[0] == index * block_size) {
        make_padding_block(padding, group.sizes[0]);
        compress_padding(state, padding);
        return;
    }
    std::uint8_t tails[lanes][block_size];
    const std::uint8_t* blocks[lanes];
    for (unsigned i = 0; i < lanes; ++i) {
        blocks[i] = group.messages[i] + index * block_size;
        if (index * block_size + block_size <= group.sizes[i]) continue;
        make_tail(group.messages[i], group.sizes[i], index, tails[i]);
        blocks[i] = tails[i];
    }
    compress_lanes(state, blocks);
}

void write_digests(const V (&state)[8], std::uint8_t (*digests)[32], unsigned count) {
    V rows[16];
    UNROLL for (unsigned i = 0; i < 16; ++i) rows[i] = i < 8 ? reverse_bytes(state[i]) : fill(0);
    transpose(rows);
    for (unsigned i = 0; i < count; ++i) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(digests[i]),
                            _mm512_castsi512_si256(rows[i]));
    }
}

void digest_group(const Group& group, std::uint8_t (*digests)[32], unsigned count,
                  PaddingBlock& padding) {
    V state[8];
    V done[8];
    for (unsigned i = 0; i < 8; ++i) state[i] = done[i] = fill(initial_value[i]);
    for (std::size_t index = 0; index < group.most_blocks; ++index) {
        next_block(state, group, index, padding);
        __mmask16 ended = 0;
        for (unsigned i = 0; i < lanes; ++i) {
            const unsigned ends = index + 1 == block_count(group.sizes[i]) ? 1 : 0;
            ended = static_cast<__mmask16>(ended | ends << i);
        }
        for (unsigned i = 0; i < 8; ++i) done[i] = _mm512_mask_mov_epi32(done[i], ended, state[i]);
    }
    write_digests(done, digests, count);
}

}  // namespace

void sm3_avx512(const std::uint8_t* const* messages, const std::size_t* sizes,
                std::uint8_t (*digests)[32], std::size_t count) {
    PaddingBlock padding;
    for (std::size_t first = 0; first < count; first += lanes) {
        const auto here = static_cast<unsigned>(count - first < lanes ? count - first : lanes);
        Group group;
        for (unsigned i = 0; i < lanes; ++i) {
            const std::size_t from = first + (i < here ? i : 0);
            group.messages[i] = messages[from];
            group.sizes[i] = sizes[from];
            group.same_size = group.same_size && group.sizes[i] == group.sizes[0];
            const std::size_t blocks = block_count(group.sizes[i]);
            if (blocks > group.most_blocks) group.most_blocks = blocks;
        }
        digest_group(group, digests + first, here, padding);
    }
}

}  // namespace crypto::batch
