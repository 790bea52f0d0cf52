#pragma once
// A key store in one file, sealed under a passphrase: Argon2id (RFC 9106) and AES-256-GCM (NIST SP
// 800-38D). The layout and what it protects: docs/key_store.md. Secrets live only in locked memory
// while it is open.
#include <filesystem>

#include "crypto/keys/key_store.hpp"

namespace crypto::keys {

/// What opening costs an owner once and a guesser every time. Written in the file, bounded when
/// read.
struct DerivationCost {
    std::uint32_t memory_kib = 64 * 1024;  ///< RFC 9106, 4: the second recommended option
    std::uint32_t passes = 3;
    std::uint32_t lanes = 4;
    /// For tests and rehearsals: a guesser's work is a millisecond.
    [[nodiscard]] static constexpr DerivationCost rehearsal() { return {64, 1, 1}; }
};
constexpr std::uint32_t memory_kib_max = 1024 * 1024;
constexpr std::uint32_t passes_max = 64;
constexpr std::uint32_t lanes_max = 16;

enum class Purpose : std::uint8_t { production = 1, rehearsal = 2 };  // the numbers are in the file

constexpr std::size_t passphrase_size_min = 12;                 ///< for production
constexpr std::uint32_t production_memory_kib_min = 19 * 1024;  ///< for production

/// Makes an empty store; refuses to overwrite. A production store asks for `passphrase_size_min`
/// characters.
[[nodiscard]] KeyResult<std::unique_ptr<KeyStore>> create_sealed_file(
    const std::filesystem::path& path, Bytes passphrase, Purpose purpose, Random& random,
    DerivationCost cost = {});

/// Opens one. `random` gives the nonces of later changes and must outlive the store.
[[nodiscard]] KeyResult<std::unique_ptr<KeyStore>> open_sealed_file(
    const std::filesystem::path& path, Bytes passphrase, Random& random);

}  // namespace crypto::keys
