#pragma once
// The one file of a store on disk: read whole, replaced in one step. docs/key_store.md, "Changing".
#include <filesystem>

#include "crypto/keys/key_store.hpp"

namespace crypto::keys {

[[nodiscard]] KeyResult<std::vector<std::uint8_t>> read_store_file(
    const std::filesystem::path& path, std::size_t size_max);

/// Writes `content` to a file that must not exist.
[[nodiscard]] KeyResult<void> create_store_file(const std::filesystem::path& path, Bytes content);
/// Replaces a file that must still end in `digest_before`, the digest of what the caller read.
[[nodiscard]] KeyResult<void> replace_store_file(const std::filesystem::path& path, Bytes content,
                                                 Bytes digest_before);

}  // namespace crypto::keys
