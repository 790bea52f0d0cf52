#pragma once
// What turns a passphrase into a key and entries into a sealed file. docs/key_store.md.
#include "crypto/keys/locked_arena.hpp"
#include "crypto/keys/sealed_format.hpp"

namespace crypto::keys {

constexpr std::size_t sealing_key_size = 32;

/// Argon2id, RFC 9106, into `out` (sealing_key_size bytes of locked memory).
[[nodiscard]] KeyResult<void> derive_sealing_key(const SealedHeader& header, Bytes passphrase,
                                                 MutableBytes out);
/// A whole file: header, sealed entries, tag, digest. `plain` is `header.sealed_size` bytes.
[[nodiscard]] std::vector<std::uint8_t> seal(const SealedHeader& header, Bytes key, Bytes plain);
/// Into `out`, `parts.sealed.size()` bytes of locked memory; wiped when the tag does not match.
[[nodiscard]] KeyResult<void> open(const SealedParts& parts, Bytes key, MutableBytes out);

}  // namespace crypto::keys
