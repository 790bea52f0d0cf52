#pragma once
// The bytes of a sealed key store: docs/key_store.md. Pure: no file, no cipher.
#include <vector>

#include "crypto/keys/sealed_file.hpp"

namespace crypto::keys {

constexpr std::size_t header_size = 64;
constexpr std::size_t salt_size = 16;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t file_size_max = std::size_t{1024} * 1024;
constexpr std::size_t sealed_size_max = file_size_max - header_size - tag_size - 32;

struct SealedHeader {
    Purpose purpose = Purpose::rehearsal;
    DerivationCost cost;
    std::array<std::uint8_t, salt_size> salt{};
    std::uint64_t generation = 0;
    std::array<std::uint8_t, nonce_size> nonce{};
    std::uint32_t sealed_size = 0;

    [[nodiscard]] std::array<std::uint8_t, header_size> bytes() const;
};

/// A file whose shape, limits and digest are right; its parts refer to the caller's bytes.
struct SealedParts {
    SealedHeader header;
    Bytes header_bytes;  ///< the additional data
    Bytes sealed;
    Bytes tag;
    Bytes digest;
};
[[nodiscard]] KeyResult<SealedParts> parse_sealed(Bytes file);

/// One key. `secret` refers to locked memory.
struct Entry {
    KeyName name;
    KeyState state = KeyState::active;
    MutableBytes secret;
};

/// The entries inside the opened bytes, whose secrets they refer to.
[[nodiscard]] KeyResult<std::vector<Entry>> parse_entries(MutableBytes opened);
[[nodiscard]] std::size_t entries_size(const std::vector<Entry>& entries);
/// `out` has `entries_size` bytes.
void write_entries(const std::vector<Entry>& entries, MutableBytes out);

/// Within the limits of sealed_file.hpp and Argon2's own.
[[nodiscard]] bool cost_accepted(const DerivationCost& cost);
/// Printable ASCII, 1..64 characters.
[[nodiscard]] bool label_fits(std::string_view label);
/// The sizes that `KeyAlgorithm` names.
[[nodiscard]] bool secret_size_fits(KeyAlgorithm algorithm, std::size_t size);

}  // namespace crypto::keys
