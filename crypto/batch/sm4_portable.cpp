#include "crypto/batch/kernels.hpp"
#include "crypto/core/sm4_sbox.hpp"

namespace crypto::batch {
namespace {

using Word = std::uint32_t;

Word rotl(Word w, unsigned n) {
    return w << n | w >> (32 - n);
}
void expand(const std::uint8_t* key, Word* rk) {
    constexpr Word fk[4] = {0xA3B1BAC6, 0x56AA3350, 0x677D9197, 0xB27022DC};
    Word k[36];
    for (unsigned i = 0; i < 4; ++i) {
        k[i] = 0;
        for (unsigned j = 0; j < 4; ++j) k[i] = k[i] << 8 | key[4 * i + j];
        k[i] ^= fk[i];
    }
    for (unsigned i = 0; i < 32; ++i) {
        Word ck = 0;
        for (unsigned j = 0; j < 4; ++j) ck = ck << 8 | ((4 * i + j) * 7 & 0xFF);
        const Word b = sm4_circuit::substitute(k[i + 1] ^ k[i + 2] ^ k[i + 3] ^ ck);
        k[i + 4] = k[i] ^ b ^ rotl(b, 13) ^ rotl(b, 23);
        rk[i] = k[i + 4];
    }
}

void encrypt(const Word* rk, std::uint8_t* block) {
    Word x[36];
    for (unsigned i = 0; i < 4; ++i) {
        x[i] = 0;
        for (unsigned j = 0; j < 4; ++j) x[i] = x[i] << 8 | block[4 * i + j];
    }
    for (unsigned i = 0; i < 32; ++i) {
        const Word b = sm4_circuit::substitute(x[i + 1] ^ x[i + 2] ^ x[i + 3] ^ rk[i]);
        x[i + 4] = x[i] ^ b ^ rotl(b, 2) ^ rotl(b, 10) ^ rotl(b, 18) ^ rotl(b, 24);
    }
    for (unsigned i = 0; i < 16; ++i) {
        block[i] = static_cast<std::uint8_t>(x[35 - i / 4] >> (24 - 8 * (i % 4)));
    }
}

void compute_one(const LaneJob& job, unsigned lane) {
    const std::uint8_t* record = job.records[lane];
    Word rk[32];
    if (job.round_keys != nullptr) {
        for (unsigned i = 0; i < 32; ++i) rk[i] = job.round_keys[i];
    } else {
        expand(job.masters[lane], rk);
    }
    std::uint8_t key[16];
    for (unsigned i = 0; i < 8; ++i) {
        key[i] = record[i];
        key[8 + i] = static_cast<std::uint8_t>(~record[i]);
    }
    encrypt(rk, key);
    expand(key, rk);
    if (job.has_process_seed) {
        for (unsigned i = 0; i < 16; ++i) key[i] = i < 8 ? record[8 + i] : i == 8 ? 0x80 : 0;
        encrypt(rk, key);
        expand(key, rk);
    }
    std::uint8_t chain[16] = {};
    for (unsigned i = 0; i < 32; ++i) {
        const std::size_t n = (job.has_process_seed ? purchase_mac_shape : tac_shape).input_size;
        const std::uint8_t byte =
            i < n ? record[(job.has_process_seed ? purchase_mac_shape : tac_shape).input_offset + i]
                  : (i == n ? 0x80 : 0);
        chain[i % 16] = static_cast<std::uint8_t>(chain[i % 16] ^ byte);
        if (i % 16 == 15) encrypt(rk, chain);
    }
    for (unsigned i = 0; i < 4; ++i) job.macs[lane][i] = chain[i];
}

}  // namespace

void sm4_portable(const LaneJob& job) {
    for (unsigned lane = 0; lane < 64; ++lane) {
        if (lane != 0 && job.records[lane] == job.records[0]) break;
        compute_one(job, lane);
    }
}

}  // namespace crypto::batch
