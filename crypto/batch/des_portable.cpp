#include "crypto/batch/des_tables.hpp"
#include "crypto/batch/kernels.hpp"

namespace crypto::batch {
namespace {

using Block = std::uint64_t;

Block load(const std::uint8_t* bytes) {
    Block block = 0;
    for (unsigned i = 0; i < 8; ++i) block = block << 8 | bytes[i];
    return block;
}

Block permute(Block in, unsigned in_size, const std::uint8_t* table, unsigned out_size) {
    Block out = 0;
    for (unsigned i = 0; i < out_size; ++i) out = out << 1 | (in >> (in_size - table[i]) & 1);
    return out;
}

Block des(Block key, Block block, bool decrypt) {
    using namespace des_tables;
    const Block cd = permute(key, 64, permuted_choice_1, 56);
    block = permute(block, 64, initial_permutation, 64);
    std::uint32_t left = static_cast<std::uint32_t>(block >> 32);
    std::uint32_t right = static_cast<std::uint32_t>(block);
    for (unsigned round = 0; round < 16; ++round) {
        const unsigned n = rotation[decrypt ? 15 - round : round];
        const Block c = cd >> 28;
        const Block d = cd & 0xFFFFFFF;
        const Block c2 = (c << n | c >> (28 - n)) & 0xFFFFFFF;
        const Block d2 = (d << n | d >> (28 - n)) & 0xFFFFFFF;
        const Block k = permute(c2 << 28 | d2, 56, permuted_choice_2, 48);
        std::uint32_t s = 0;
        for (unsigned box = 0; box < 8; ++box) {
            unsigned in = 0;
            for (unsigned i = 0; i < 6; ++i) {
                in = in << 1 | (right >> (31 - expansion(box, i)) & 1);
            }
            in ^= static_cast<unsigned>(k >> (42 - 6 * box)) & 63;
            s = s << 4 | substitute(box, in);
        }
        const std::uint32_t f = static_cast<std::uint32_t>(permute(s, 32, permutation, 32));
        const std::uint32_t next = left ^ f;
        left = right;
        right = next;
    }
    const Block out = static_cast<Block>(right) << 32 | left;
    Block result = 0;  // the inverse of the initial permutation
    for (unsigned i = 0; i < 64; ++i)
        result |= (out >> (63 - i) & 1) << (64 - initial_permutation[i]);
    return result;
}

Block triple(Block left, Block right, Block block) {
    return des(left, des(right, des(left, block, false), true), false);
}

void compute_one(const LaneJob& job, unsigned lane) {
    const std::uint8_t* record = job.records[lane];
    const Block master_left = load(job.masters[lane]);
    const Block master_right = load(job.masters[lane] + 8);
    const Block factor = load(record);
    const Block left = triple(master_left, master_right, factor);
    const Block right = triple(master_left, master_right, ~factor);
    const Block key =
        job.shape->has_process_seed ? triple(left, right, load(record + 8)) : left ^ right;
    std::uint8_t padded[24] = {};
    for (unsigned i = 0; i < job.shape->input_size; ++i) {
        padded[i] = record[job.shape->input_offset + i];
    }
    padded[job.shape->input_size] = 0x80;
    Block chain = 0;
    for (unsigned i = 0; i < 24; i += 8) chain = des(key, chain ^ load(padded + i), false);
    for (unsigned i = 0; i < 4; ++i) {
        job.macs[lane][i] = static_cast<std::uint8_t>(chain >> (56 - 8 * i));
    }
}

}  // namespace

void des_portable(const LaneJob& job) {
    for (unsigned lane = 0; lane < 64; ++lane) {
        if (lane != 0 && job.records[lane] == job.records[0]) break;
        compute_one(job, lane);
    }
}

}  // namespace crypto::batch
