#pragma once
// Message authentication codes from block ciphers. ISO/IEC 9797-1:2011 (GB/T 15852.1-2020).
// Every function answers the whole block; `first<4>()` truncates as the cards do (6.6: leftmost
// bits). The message is a list of pieces, read as if joined, so that a header and its data need no
// common buffer.
#include "crypto/core/block_cipher.hpp"

namespace crypto {

enum class Padding : std::uint8_t {
    method_1,  ///< ISO/IEC 9797-1:2011, 6.3.2: zeros, as few as possible; an empty message is one
               ///< block
    method_2,  ///< 6.3.3: 80, then zeros; a whole block when the message is aligned
};

/// A MAC before truncation: 8 or 16 bytes.
class MacBlock {
public:
    MacBlock() = default;
    explicit MacBlock(std::size_t size) : size_{size} {}
    [[nodiscard]] Bytes bytes() const { return Bytes{bytes_}.first(size_); }
    [[nodiscard]] MutableBytes bytes() { return MutableBytes{bytes_}.first(size_); }
    [[nodiscard]] std::size_t size() const { return size_; }
    /// The leftmost `count` bytes, count <= 8: any cipher's block has them.
    template <std::size_t count>
    [[nodiscard]] std::array<std::uint8_t, count> first() const {
        static_assert(count <= 8);
        std::array<std::uint8_t, count> out{};
        std::ranges::copy(bytes().first(count), out.begin());
        return out;
    }

private:
    std::array<std::uint8_t, block_size_max> bytes_{};
    std::size_t size_ = 0;
};

using Pieces = std::span<const Bytes>;

/// MAC algorithm 1 (7.2): CBC-MAC. `iv` is empty (zeros, as the standard) or one block, which
/// secure messaging needs. Safe only under the fixed-length or typed inputs of the card protocols.
[[nodiscard]] MacBlock cbc_mac(Cipher cipher, Bytes key, Pieces message, Padding padding,
                               Bytes iv = {});
[[nodiscard]] MacBlock cbc_mac(Cipher cipher, Bytes key, Bytes message, Padding padding,
                               Bytes iv = {});

/// MAC algorithm 3 (7.4), "retail": CBC-MAC under the left half of `key_pair`, then decryption
/// under the right half and encryption under the left. With Cipher::des and 16 bytes it is ANSI
/// X9.19.
[[nodiscard]] MacBlock retail_mac(Cipher cipher, Bytes key_pair, Pieces message, Padding padding,
                                  Bytes iv = {});
[[nodiscard]] MacBlock retail_mac(Cipher cipher, Bytes key_pair, Bytes message, Padding padding,
                                  Bytes iv = {});

/// MAC algorithm 5 (7.6): CMAC, NIST SP 800-38B.
[[nodiscard]] MacBlock cmac(Cipher cipher, Bytes key, Pieces message);
[[nodiscard]] MacBlock cmac(Cipher cipher, Bytes key, Bytes message);

}  // namespace crypto
