// SM3, sixteen messages in the lanes of each vector: AVX-512 (F, BW). GB/T 32905-2016.
//
// A step waits for the one before it, so one set of sixteen leaves half of the processor idle.
// Where there are more messages, two sets take their steps in turn: `sets` is 1 or 2 below.
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
    const std::uint32_t* sums;
    ALWAYS_INLINE V at(unsigned j) const { return fill(words[j]); }
    ALWAYS_INLINE V sum(unsigned j) const { return fill(sums[j]); }
};

/// One step of 5.3.3; the registers are renamed by the caller instead of moved.
template <bool early, class Words>
ALWAYS_INLINE void step(V a, V& b, V c, V& d, V e, V& f, V g, V& h, const Words& w, unsigned j) {
    // Sums are ordered so that what the step before made comes last.
    const V a12 = rotate<12>(a);
    const V ss1 = rotate<7>(add(a12, add(e, fill(round_constants.word[j]))));
    const V ss2 = xor2(ss1, a12);
    const V ff = early ? xor3(a, b, c) : _mm512_ternarylogic_epi32(a, b, c, 0xE8);  // majority
    const V gg = early ? xor3(e, f, g) : _mm512_ternarylogic_epi32(e, f, g, 0xCA);  // choice
    d = add(add(ff, add(d, w.sum(j))), ss2);
    const V tt2 = add(add(gg, add(h, w.at(j))), ss1);
    b = rotate<9>(b);
    f = rotate<19>(f);
    h = xor3(tt2, rotate<9>(tt2), rotate<17>(tt2));  // P0
}

template <unsigned sets>
using States = V[sets][8];

/// Registers a .. h of every set are s[set][place[0]] .. s[set][place[7]].
template <bool early, unsigned sets, class Words>
ALWAYS_INLINE void steps(States<sets>& s, const unsigned (&place)[8], const Words (&w)[sets],
                         unsigned j) {
    UNROLL for (unsigned set = 0; set < sets; ++set) {
        V(&r)[8] = s[set];
        step<early>(r[place[0]], r[place[1]], r[place[2]], r[place[3]], r[place[4]], r[place[5]],
                    r[place[6]], r[place[7]], w[set], j);
    }
}

template <bool early, unsigned sets, class Words>
ALWAYS_INLINE void four_steps(States<sets>& s, const Words (&w)[sets], unsigned j) {
    steps<early>(s, {0, 1, 2, 3, 4, 5, 6, 7}, w, j);
    steps<early>(s, {3, 0, 1, 2, 7, 4, 5, 6}, w, j + 1);
    steps<early>(s, {2, 3, 0, 1, 6, 7, 4, 5}, w, j + 2);
    steps<early>(s, {1, 2, 3, 0, 5, 6, 7, 4}, w, j + 3);
}

template <unsigned sets, class Words>
ALWAYS_INLINE void compress(States<sets>& state, const Words (&w)[sets]) {
    States<sets> s;
    UNROLL for (unsigned i = 0; i < 8 * sets; ++i) s[i / 8][i % 8] = state[i / 8][i % 8];
    for (unsigned j = 0; j < 16; j += 4) four_steps<true>(s, w, j);
    for (unsigned j = 16; j < 64; j += 4) four_steps<false>(s, w, j);
    UNROLL for (unsigned i = 0; i < 8 * sets; ++i) {
        state[i / 8][i % 8] = xor2(state[i / 8][i % 8], s[i / 8][i % 8]);
    }
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

/// Sixteen blocks, expanded. 5.3.2.
NOINLINE void expand_lanes(V (&w)[word_count], const std::uint8_t* const* blocks) {
    V r[16];
    UNROLL for (unsigned i = 0; i < 16; ++i) r[i] = _mm512_loadu_si512(blocks[i]);
    transpose(r);
    UNROLL for (unsigned i = 0; i < 16; ++i) w[i] = reverse_bytes(r[i]);
    UNROLL for (unsigned j = 16; j < word_count; ++j) {
        w[j] = expand(w[j - 16], w[j - 9], w[j - 3], w[j - 13], w[j - 6]);
    }
}

template <unsigned sets>
NOINLINE void compress_lanes(States<sets>& state,
                             const std::uint8_t* const (&blocks)[sets * lanes]) {
    V w[sets][word_count];
    LaneWords words[sets];
    UNROLL for (unsigned set = 0; set < sets; ++set) {
        expand_lanes(w[set], blocks + set * lanes);
        words[set].words = w[set];
    }
    compress(state, words);
}

/// The block that holds nothing but padding, after a message of whole blocks: 5.2.
struct PaddingBlock {
    std::size_t size = ~std::size_t{0};  ///< of the message, in bytes
    std::uint32_t words[word_count];
    std::uint32_t sums[64];  ///< words j and j + 4
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
    for (unsigned j = 0; j < 64; ++j) block.sums[j] = w[j] ^ w[j + 4];
}

template <unsigned sets>
NOINLINE void compress_padding(States<sets>& state, const PaddingBlock& block) {
    SameWords words[sets];
    UNROLL for (SameWords& each : words) each = {block.words, block.sums};
    compress(state, words);
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

template <unsigned sets>
struct Group {
    const std::uint8_t* messages[sets * lanes];
    std::size_t sizes[sets * lanes];
    std::size_t most_blocks = 0;
    bool same_size = true;
};

/// One block of every lane; a lane that has ended computes what nobody reads.
template <unsigned sets>
void next_block(States<sets>& state, const Group<sets>& group, std::size_t index,
                PaddingBlock& padding) {
    if (group.same_size && group.sizes[0] == index * block_size) {
        make_padding_block(padding, group.sizes[0]);
        compress_padding<sets>(state, padding);
        return;
    }
    std::uint8_t tails[sets * lanes][block_size];
    const std::uint8_t* blocks[sets * lanes];
    for (unsigned i = 0; i < sets * lanes; ++i) {
        if (index * block_size + block_size <= group.sizes[i]) {
            blocks[i] = group.messages[i] + index * block_size;
            continue;
        }
        make_tail(group.messages[i], group.sizes[i], index, tails[i]);
        blocks[i] = tails[i];
    }
    compress_lanes<sets>(state, blocks);
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

/// Keeps the states of the lanes whose message ends with block `index`.
void keep_ended(V (&done)[8], const V (&state)[8], const std::size_t* sizes, std::size_t index) {
    __mmask16 ended = 0;
    for (unsigned i = 0; i < lanes; ++i) {
        const unsigned ends = index + 1 == block_count(sizes[i]) ? 1 : 0;
        ended = static_cast<__mmask16>(ended | ends << i);
    }
    UNROLL for (unsigned i = 0; i < 8; ++i) {
        done[i] = _mm512_mask_mov_epi32(done[i], ended, state[i]);
    }
}

template <unsigned sets>
void digest_group(const Group<sets>& group, std::uint8_t (*digests)[32], unsigned count,
                  PaddingBlock& padding) {
    States<sets> state;
    States<sets> done;
    for (unsigned i = 0; i < 8 * sets; ++i) {
        state[i / 8][i % 8] = done[i / 8][i % 8] = fill(initial_value[i % 8]);
    }
    for (std::size_t index = 0; index < group.most_blocks; ++index) {
        next_block<sets>(state, group, index, padding);
        if (group.same_size && index + 1 != group.most_blocks) continue;
        for (unsigned set = 0; set < sets; ++set) {
            keep_ended(done[set], state[set], group.sizes + set * lanes, index);
        }
    }
    for (unsigned first = 0; first < count; first += lanes) {
        write_digests(done[first / lanes], digests + first,
                      count - first < lanes ? count - first : lanes);
    }
}

/// The first `count` messages, 1 to sets * lanes of them; short groups repeat the first.
template <unsigned sets>
void digest(const std::uint8_t* const* messages, const std::size_t* sizes,
            std::uint8_t (*digests)[32], unsigned count, PaddingBlock& padding) {
    Group<sets> group;
    for (unsigned i = 0; i < sets * lanes; ++i) {
        const unsigned from = i < count ? i : 0;
        group.messages[i] = messages[from];
        group.sizes[i] = sizes[from];
        group.same_size = group.same_size && group.sizes[i] == group.sizes[0];
        const std::size_t blocks = block_count(group.sizes[i]);
        if (blocks > group.most_blocks) group.most_blocks = blocks;
    }
    digest_group<sets>(group, digests, count, padding);
}

}  // namespace

void sm3_avx512(const std::uint8_t* const* messages, const std::size_t* sizes,
                std::uint8_t (*digests)[32], std::size_t count) {
    PaddingBlock padding;
    for (std::size_t first = 0; first < count;) {
        const std::size_t rest = count - first;
        if (rest > lanes) {
            const auto here = static_cast<unsigned>(rest < 2 * lanes ? rest : 2 * lanes);
            digest<2>(messages + first, sizes + first, digests + first, here, padding);
            first += here;
        } else {
            const auto here = static_cast<unsigned>(rest);
            digest<1>(messages + first, sizes + first, digests + first, here, padding);
            first += here;
        }
    }
}

}  // namespace crypto::batch
