#pragma once
// What a lane kernel is given, and the kernels there are. Each lives in its own file, compiled for
// its own instructions; such a file includes nothing that could leave an inline function behind,
// because the linker would keep one copy of it for everybody: arrays and pointers here, not
// std::span. A test reads the object files' symbols (tests/crypto/batch_symbols_test.py).
#include <cstddef>
#include <cstdint>

namespace crypto::batch {

/// Where a record keeps what its MAC needs. The card's factor lies at 0, the process seed, if there
/// is one, at 8: eight bytes each.
struct RecordShape {
    std::size_t size;          ///< bytes in a record
    std::size_t input_offset;  ///< of the MAC's input
    std::size_t input_size;    ///< 16 to 23: three DES blocks or two SM4 blocks with the padding
    std::size_t key_offset;    ///< of the issuer key's index, two bytes
    std::size_t mac_offset;
};
constexpr RecordShape tac_shape{36, 8, 22, 30, 32};
constexpr RecordShape purchase_mac_shape{40, 16, 18, 34, 36};

constexpr std::size_t scratch_size = 32768;
constexpr std::size_t most_lanes = 512;

/// One kernel call: as many records as the kernel has lanes. Short groups repeat a record.
struct LaneJob {
    bool has_process_seed;               ///< purchase_mac_shape, else tac_shape
    const std::uint8_t* const* records;  ///< one pointer per lane
    /// The issuer's 16-byte master key, one pointer per lane; 3DES always, SM4 if the lanes' keys
    /// differ.
    const std::uint8_t* const* masters;
    const std::uint32_t* round_keys;         ///< SM4, one key for all lanes: rk[32]; else null
    const std::uint32_t* affine_round_keys;  ///< the same, as ExpandedIssuerKey has it; else null
    std::uint8_t* scratch;    ///< scratch_size bytes, aligned to 64; the caller wipes them
    std::uint8_t (*macs)[4];  ///< out: one per lane
};

struct LaneKernel {
    std::size_t lanes;
    void (*compute)(const LaneJob& job);
};

void sm4_portable(const LaneJob& job);
void des_portable(const LaneJob& job);
#if defined(ONECARD_BATCH_X86)
void sm4_avx2_aes(const LaneJob& job);
void sm4_avx2_gfni(const LaneJob& job);
void sm4_avx512_gfni(const LaneJob& job);
void des_avx2(const LaneJob& job);
void des_avx512(const LaneJob& job);
/// Any count; messages in lanes, sixteen at a time.
void sm3_avx512(const std::uint8_t* const* messages, const std::size_t* sizes,
                std::uint8_t (*digests)[32], std::size_t count);
#endif

}  // namespace crypto::batch
