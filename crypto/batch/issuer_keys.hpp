#pragma once
// The issuer keys a batch is verified under: one 16-byte master key per city, purpose, version and
// suite, expanded once, when it is added.
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "protocol/ids.hpp"
#include "protocol/strong.hpp"

namespace crypto::batch {

/// What the issuer's key is for. domain.md 1.11.
enum class KeyPurpose : std::uint8_t {
    tac,       ///< DTK: transaction certificate
    purchase,  ///< DPK: MAC1 of a purchase
};

/// The key of one issuing city, AFTER the first level of diversification (by the issuer's factor):
/// the second level, by the card's factor, is this engine's work.
struct IssuerKeyName {
    protocol::IssuerId issuer{};
    KeyPurpose purpose = KeyPurpose::tac;
    protocol::KeyVersion version{};
    protocol::Suite suite = protocol::Suite::sm4;
    friend auto operator<=>(const IssuerKeyName&, const IssuerKeyName&) = default;
};

/// The place of a key in its table: what a record carries instead of the name. Valid for that table
/// only.
using IssuerKeyIndex = protocol::Strong<std::uint16_t, struct IssuerKeyIndexName>;

enum class KeyTableRefusal : std::uint8_t {  // In the order they are checked.
    unknown_suite,                           ///< neither 3DES nor SM4
    name_taken,  ///< this city, purpose, version and suite has a key already
    table_full,  ///< 65,536 keys
};

/// One key as the kernels read it. Secret.
struct ExpandedIssuerKey {
    std::array<std::uint8_t, 16> master;
    /// SM4 only: rk[0..31]. GB/T 32907-2016, 7.3.
    std::array<std::uint32_t, 32> round_keys;
    /// SM4 only: the same, byte by byte (most significant first) in the kernels' basis, each byte
    /// four times over so that one 32-bit broadcast fills a vector. docs/mac_engine.md, 2.
    std::array<std::uint32_t, 128> affine_round_keys;
};

/// Owns the keys and wipes them. Not copyable. Reading from several threads is safe once it is
/// filled.
class IssuerKeyTable {
public:
    IssuerKeyTable() = default;
    ~IssuerKeyTable();
    IssuerKeyTable(const IssuerKeyTable&) = delete;
    IssuerKeyTable& operator=(const IssuerKeyTable&) = delete;
    IssuerKeyTable(IssuerKeyTable&& other) noexcept = default;
    IssuerKeyTable& operator=(IssuerKeyTable&& other) noexcept;

    /// Expands and keeps `master` (16 bytes; for 3DES the two halves of a two-key triple-DES key,
    /// parity bits ignored). The caller still owns, and wipes, its own copy. std::bad_alloc leaves
    /// the table as it was.
    [[nodiscard]] std::expected<IssuerKeyIndex, KeyTableRefusal> add(
        const IssuerKeyName& name, std::span<const std::uint8_t, 16> master);

    [[nodiscard]] std::optional<IssuerKeyIndex> find(const IssuerKeyName& name) const;
    [[nodiscard]] std::size_t size() const { return names_.size(); }
    [[nodiscard]] bool contains(IssuerKeyIndex index) const { return index.value() < size(); }

    /// `index` must be contained.
    [[nodiscard]] const IssuerKeyName& name(IssuerKeyIndex index) const {
        return names_[index.value()];
    }
    /// For the kernels; `index` must be contained. Secret.
    [[nodiscard]] const ExpandedIssuerKey& expanded(IssuerKeyIndex index) const {
        return keys_[index.value()];
    }

private:
    void wipe();
    void grow();
    std::vector<IssuerKeyName> names_;
    std::vector<IssuerKeyIndex> by_name_;  // sorted by name
    std::vector<ExpandedIssuerKey> keys_;
};

}  // namespace crypto::batch
