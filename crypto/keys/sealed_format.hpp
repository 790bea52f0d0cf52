#pragma once
// The bytes of a sealed key store: docs/key_store.md. Pure: no file, no cipher.
#include <vector>

#include "crypto/keys/audit_log.hpp"
#include "crypto/keys/sealed_file.hpp"

namespace crypto::keys {

constexpr std::size_t header_size = 144;
constexpr std::size_t salt_size = 16;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t file_size_max = std::size_t{16} * 1024 * 1024;
constexpr std::size_t sealed_size_max = std::size_t{1024} * 1024;

struct SealedHeader {
    Purpose purpose = Purpose::rehearsal;
    DerivationCost cost;
    LogOwner store_id{};
    std::uint64_t generation = 0;
    std::array<std::uint8_t, nonce_size> nonce{};
    std::uint8_t quorum = 1;
    std::array<std::uint8_t, sm2::public_key_size> audit_key{};
    std::uint32_t custodians_size = 0;
    std::uint32_t log_count = 0;
    std::uint32_t log_size = 0;
    std::uint32_t sealed_size = 0;

    [[nodiscard]] std::array<std::uint8_t, header_size> bytes() const;
};

/// How a custodian's share of the sealing key is kept. The numbers are in the file.
enum class CustodianKind : std::uint8_t {
    passphrase = 1,  ///< sealed under Argon2id of the passphrase: salt | nonce | sealed | tag
    token = 2,       ///< sealed by the custodian's PKCS#11 token: its serial number, its own form
};
/// One custodian in the file.
struct CustodianSlot {
    std::string name;
    CustodianKind kind = CustodianKind::passphrase;
    std::vector<std::uint8_t> sealed_share;
    friend bool operator==(const CustodianSlot&, const CustodianSlot&) = default;
};

/// A file whose shape, limits and digest are right; its parts refer to the caller's bytes.
struct SealedParts {
    SealedHeader header;
    Bytes additional;  ///< authenticated: header, custodians, log
    std::vector<CustodianSlot> custodians;
    bool custodians_malformed = false;  ///< parse_sealed_shape only: then there are none here
    Bytes log;                          ///< `header.log_count` entries: read_log
    Bytes sealed;
    Bytes tag;
    Bytes state;  ///< what the state signature is over: everything before it
    sm2::Signature signature{};
    Bytes digest;
};
[[nodiscard]] KeyResult<SealedParts> parse_sealed(Bytes file);
/// The same without asking the digest or the custodians' format: an audit wants to see what a
/// changed file says.
[[nodiscard]] KeyResult<SealedParts> parse_sealed_shape(Bytes file);

[[nodiscard]] std::vector<std::uint8_t> custodian_bytes(
    const std::vector<CustodianSlot>& custodians);
[[nodiscard]] KeyResult<std::vector<CustodianSlot>> parse_custodians(Bytes bytes);

/// One log entry behind the others: line size (4), line, signature (64).
void append_log_entry(std::vector<std::uint8_t>& out, const LogEntry& entry);
/// The next entry and how far it reached; fails at the end with `truncated`.
[[nodiscard]] KeyResult<LogEntry> take_log_entry(protocol::ByteReader& in);

/// Where a key's secret is. The numbers are in the file.
enum class KeyPlace : std::uint8_t {
    here = 0,     ///< in this file
    token = 1,    ///< inside the PKCS#11 token, which computes with it; here stands its id
    wrapped = 2,  ///< here, sealed by a key inside the token
};
constexpr KeyPlace key_place_last = KeyPlace::wrapped;

/// One key. `secret` refers to locked memory: the secret, or what `place` says.
struct Entry {
    KeyName name;
    KeyState state = KeyState::active;
    KeyPlace place = KeyPlace::here;
    std::uint16_t size = 0;  ///< of the secret itself, wherever it is; 0 when destroyed
    CheckValue check{};      ///< kept, so that a key inside a token has one too
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
/// A custodian's name: lower-case letters, digits, '.', '-', '_'; 1..32 characters.
[[nodiscard]] bool custodian_name_fits(std::string_view name);
/// The sizes that `KeyAlgorithm` names.
[[nodiscard]] bool secret_size_fits(KeyAlgorithm algorithm, std::size_t size);

}  // namespace crypto::keys
