#pragma once
// The readable part of a key block: key_block.cpp's own.
#include "crypto/keys/key_block.hpp"

namespace crypto::keys {

/// What the version decides. A.3, A.4; docs/key_blocks.md, 1 and 4.
struct KeyBlockVersion {
    char letter;
    Cipher cipher;
    std::size_t mac_size;
    bool derived;  ///< keys by derivation (B, D, 4), or by variants (A, C)
};
[[nodiscard]] const KeyBlockVersion* find_key_block_version(char letter);

/// A parsed header and how many characters it took with its optional blocks.
struct HeaderText {
    KeyBlockHeader header;
    std::size_t size = 0;
};
/// Checks in the order of KeyBlockError, from unknown_version to optional_block_wrong.
/// `block_length`: what the length field must say; nothing: any four digits.
[[nodiscard]] KeyBlockResult<HeaderText> read_header(std::string_view text,
                                                     std::optional<std::size_t> block_length);
/// The fields of a header that did not come from text.
[[nodiscard]] KeyBlockResult<void> check_header(const KeyBlockHeader& header);
/// `block_length` in its field; the optional blocks behind.
[[nodiscard]] std::string write_header(const KeyBlockHeader& header, std::size_t block_length);
/// The optional blocks, with PB behind them if whole blocks of `cipher` need it.
[[nodiscard]] KeyBlockResult<std::vector<OptionalBlock>> padded_blocks(
    std::vector<OptionalBlock> blocks, Cipher cipher, Random& random);

}  // namespace crypto::keys
