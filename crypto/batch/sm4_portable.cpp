// SM4, 128 cards in each vector, bitsliced: whatever vectors of 16 bytes the compiler has, or two
// words.
//
// A block is 128 vectors, one for each of its bits, so that every rotation is a renaming; the S-box
// is the circuit of crypto/core, here on a bit of 128 cards at a time. No table, and no branch or
// index that depends on a secret.
#include "crypto/batch/kernels.hpp"
#include "crypto/batch/lane_macros.hpp"
#include "crypto/core/sm4_sbox.hpp"

namespace crypto::batch {
namespace {

using Word [[gnu::may_alias]] = std::uint64_t;
using V [[gnu::vector_size(16)]] = std::uint64_t;

ALWAYS_INLINE V select_add(V a, V b, Word m) {
    return (a ^ b) & m;
}

#include "crypto/batch/bit_lanes.inc"

/// Bit i of a word, the most significant first.
using Bits32 = V[32];
using Block = Bits32[4];
using RoundKeys = Bits32[32];

ALWAYS_INLINE V spread(std::uint32_t word, unsigned bit) {
    return V{} ^ (0 - static_cast<Word>(word >> (31 - bit) & 1));
}

/// S of the byte at `bits`, in place. GB/T 32907-2016, 6.2.1.
NOINLINE void substitute(V* bits) {
    using sm4_circuit::Planes;
    Planes<V> x;
    for (unsigned i = 0; i < 8; ++i) {
        x.bit[i] = sm4_circuit::constant_in >> i & 1 ? ~bits[7 - i] : bits[7 - i];
    }
    const Planes<V> y =
        sm4_circuit::map<sm4_circuit::map_out>(inverse(sm4_circuit::map<sm4_circuit::map_in>(x)));
    for (unsigned i = 0; i < 8; ++i) {
        bits[7 - i] = sm4_circuit::affine_constant >> i & 1 ? ~y.bit[i] : y.bit[i];
    }
}

ALWAYS_INLINE void substitute_word(Bits32& t) {
    for (unsigned byte = 0; byte < 4; ++byte) substitute(t + 8 * byte);
}

/// x0 ^= L(b), 6.2.2.
ALWAYS_INLINE void add_linear(Bits32& x0, const Bits32& b) {
    for (unsigned i = 0; i < 32; ++i) {
        x0[i] ^= b[i] ^ b[(i + 2) % 32] ^ b[(i + 10) % 32] ^ b[(i + 18) % 32] ^ b[(i + 24) % 32];
    }
}

/// x0 ^= L'(b), 7.3.
ALWAYS_INLINE void add_linear_key(Bits32& x0, const Bits32& b) {
    for (unsigned i = 0; i < 32; ++i) x0[i] ^= b[i] ^ b[(i + 13) % 32] ^ b[(i + 23) % 32];
}

struct SharedKeys {
    const std::uint32_t* words;
    ALWAYS_INLINE V at(unsigned round, unsigned bit) const { return spread(words[round], bit); }
};
struct LaneKeys {
    const RoundKeys& keys;
    ALWAYS_INLINE V at(unsigned round, unsigned bit) const { return keys[round][bit]; }
};

/// The 32 rounds and the reversal, 7.1.
template <class Key>
void encrypt(Block& x, const Key& key) {
    for (unsigned round = 0; round < 32; ++round) {
        const Bits32& x1 = x[(round + 1) % 4];
        const Bits32& x2 = x[(round + 2) % 4];
        const Bits32& x3 = x[(round + 3) % 4];
        Bits32 t;
        for (unsigned i = 0; i < 32; ++i) t[i] = x1[i] ^ x2[i] ^ x3[i] ^ key.at(round, i);
        substitute_word(t);
        add_linear(x[round % 4], t);
    }
    for (unsigned i = 0; i < 32; ++i) {
        const V first = x[0][i];
        const V second = x[1][i];
        x[0][i] = x[3][i];
        x[1][i] = x[2][i];
        x[2][i] = second;
        x[3][i] = first;
    }
}

/// Round keys of the key in `k`, which is lost. 7.3.
void schedule(Block& k, RoundKeys& out) {
    constexpr std::uint32_t family[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    for (unsigned i = 0; i < 128; ++i) k[i / 32][i % 32] ^= spread(family[i / 32], i % 32);
    for (unsigned round = 0; round < 32; ++round) {
        std::uint32_t fixed = 0;
        for (unsigned j = 0; j < 4; ++j) fixed = fixed << 8 | ((4 * round + j) * 7 & 0xFF);
        const Bits32& k1 = k[(round + 1) % 4];
        const Bits32& k2 = k[(round + 2) % 4];
        const Bits32& k3 = k[(round + 3) % 4];
        Bits32 t;
        for (unsigned i = 0; i < 32; ++i) t[i] = k1[i] ^ k2[i] ^ k3[i] ^ spread(fixed, i);
        substitute_word(t);
        add_linear_key(k[round % 4], t);
        for (unsigned i = 0; i < 32; ++i) out[round][i] = k[round % 4][i];
    }
}

/// What one call needs in memory; the caller wipes it.
struct Scratch {
    Bits text[2];
    Block block;
    RoundKeys keys;
};
static_assert(sizeof(Scratch) <= scratch_size);

V& text_bit(Scratch& s, unsigned i) {
    return s.text[i / 64][i % 64];
}

void load_block(const std::uint8_t* const* rows, std::size_t offset, Scratch& s) {
    load(rows, offset, s.text[0]);
    load(rows, offset + 8, s.text[1]);
}

/// Card key = SM4(issuer)[F | ~F]. docs/algorithms.md.
void derive_card_key(const LaneJob& job, Scratch& s) {
    if (job.round_keys == nullptr) {
        load_block(job.masters, 0, s);
        for (unsigned i = 0; i < 128; ++i) s.block[i / 32][i % 32] = text_bit(s, i);
        schedule(s.block, s.keys);
    }
    load(job.records, 0, s.text[0]);
    for (unsigned i = 0; i < 64; ++i) {
        s.block[i / 32][i % 32] = s.text[0][i];
        s.block[2 + i / 32][i % 32] = ~s.text[0][i];
    }
    if (job.round_keys != nullptr) {
        encrypt(s.block, SharedKeys{job.round_keys});
    } else {
        encrypt(s.block, LaneKeys{s.keys});
    }
}

/// Process key = SM4(card key)[seed | 80 00..]. docs/algorithms.md.
void derive_process_key(const LaneJob& job, Scratch& s) {
    schedule(s.block, s.keys);
    load(job.records, 8, s.text[0]);
    for (unsigned i = 0; i < 128; ++i) {
        s.block[i / 32][i % 32] = i < 64 ? s.text[0][i] : V{} ^ (i == 64 ? ~Word{0} : Word{0});
    }
    encrypt(s.block, LaneKeys{s.keys});
}

/// ISO/IEC 9797-1:2011, algorithm 1, padding method 2: two blocks, initial value zero.
template <RecordShape shape>
void mac_blocks(const LaneJob& job, Scratch& s) {
    load_block(job.records, shape.input_offset, s);
    for (unsigned i = 0; i < 128; ++i) s.block[i / 32][i % 32] = text_bit(s, i);
    encrypt(s.block, LaneKeys{s.keys});
    constexpr unsigned rest = 8 * (shape.input_size - 16);
    load(job.records, shape.input_offset + shape.input_size - 8, s.text[0]);
    for (unsigned i = 0; i < rest; ++i) s.block[i / 32][i % 32] ^= s.text[0][64 - rest + i];
    s.block[rest / 32][rest % 32] ^= V{} ^ ~Word{0};
    encrypt(s.block, LaneKeys{s.keys});
}

}  // namespace

void sm4_portable(const LaneJob& job) {
    Scratch& s = *reinterpret_cast<Scratch*>(job.scratch);
    derive_card_key(job, s);
    if (job.has_process_seed) derive_process_key(job, s);
    schedule(s.block, s.keys);
    if (job.has_process_seed) {
        mac_blocks<purchase_mac_shape>(job, s);
    } else {
        mac_blocks<tac_shape>(job, s);
    }
    for (unsigned i = 0; i < 64; ++i) s.text[0][i] = s.block[i / 32][i % 32];
    store(s.text[0], job.macs);
}

}  // namespace crypto::batch
