#pragma once
// SM3, GB/T 32905-2016 (ISO/IEC 10118-3:2018, hash function 17), and HMAC with it (ISO/IEC 9797-2,
// MAC algorithm 2). Constant time: no branch or index depends on the data, only on its length.
#include "crypto/core/secret.hpp"

namespace crypto {

constexpr std::size_t sm3_digest_size = 32;
constexpr std::size_t sm3_block_size = 64;
using Sm3Digest = std::array<std::uint8_t, sm3_digest_size>;

/// A digest in progress. Copying one is how a common prefix is hashed once. Wipes itself.
class Sm3 {
public:
    Sm3();
    Sm3(const Sm3&) = default;
    Sm3& operator=(const Sm3&) = default;
    ~Sm3();

    Sm3& update(Bytes data);
    /// The digest of everything since construction; the object then starts afresh.
    [[nodiscard]] Sm3Digest finish();

private:
    void compress(std::span<const std::uint8_t, sm3_block_size> block);

    std::array<std::uint32_t, 8> state_;
    std::array<std::uint8_t, sm3_block_size> buffer_{};
    std::uint64_t size_ = 0;  // bytes so far
};

[[nodiscard]] Sm3Digest sm3(Bytes data);

/// HMAC-SM3. A key of any size; above 64 bytes it is hashed first.
class HmacSm3 {
public:
    explicit HmacSm3(Bytes key);
    HmacSm3& update(Bytes data);
    /// Call once.
    [[nodiscard]] Sm3Digest finish();

private:
    Sm3 inner_;
    Sm3 outer_;
};

[[nodiscard]] Sm3Digest hmac_sm3(Bytes key, Bytes data);

}  // namespace crypto
