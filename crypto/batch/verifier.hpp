#pragma once
// Verifies the MACs of many records, each made by another card, at tens of millions a second. A
// different card sits in every lane of a vector: its key is derived, scheduled and used without
// leaving the lane. docs/mac_engine.md says how; docs/performance.md says how fast.
//
//   IssuerKeyTable keys;                                   // once
//   auto key = keys.add({issuer, KeyPurpose::tac, version, suite}, master);
//   std::vector<TacRecord> records = ...;                  // record.key = *key
//   std::vector<std::uint64_t> genuine(outcome_words(records.size()));
//   auto done = verify_tacs(keys, records, genuine, {.threads = 2});
//   if (done && outcome(genuine, i)) ...                   // the TAC of record i is right
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "crypto/batch/forms.hpp"
#include "crypto/batch/issuer_keys.hpp"
#include "protocol/purse.hpp"

namespace crypto::batch {

using protocol::Mac;  // four bytes

/// A purchase and its transaction certificate. 36 bytes, no padding: the kernels load it as it
/// lies. The card's DTK comes from the issuer's by the card's factor F; then a CBC-MAC:
///
///   3DES: DTK = 3DES(issuer)[F] | 3DES(issuer)[~F]; single DES under left XOR right half
///   SM4:  DTK = SM4(issuer)[F | ~F]; SM4 under the whole DTK
///
/// docs/algorithms.md, 2 and 4 (domain.md 1.3, 1.4). Initial value zero, padding 80 00.., left four
/// bytes: ISO/IEC 9797-1:2011, algorithm 1, padding method 2.
struct TacRecord {
    std::array<std::uint8_t, 8> card_factor;  ///< protocol::card_factor(card number)
    /// amount4 type1 terminal6 terminal_sequence4 date4 time3. domain.md 1.5 "Purchase TAC".
    std::array<std::uint8_t, 22> input;
    IssuerKeyIndex key;
    Mac tac;  ///< as received; not read by compute_tacs
};
static_assert(sizeof(TacRecord) == 36 && alignof(TacRecord) == 2);

/// A purchase's MAC1, which a SAM makes under a process key from the card's DPK, derived as above:
///
///   3DES: process key = 3DES(DPK)[seed]; single DES CBC-MAC
///   SM4:  process key = SM4(DPK)[seed | 80 00..]; SM4 CBC-MAC
///
/// docs/algorithms.md, 3 and 4 (domain.md 1.3).
struct PurchaseMacRecord {
    std::array<std::uint8_t, 8> card_factor;
    /// random4 offline_counter2 and the last two bytes of the terminal sequence. domain.md 1.3
    /// "SESPK".
    std::array<std::uint8_t, 8> process_seed;
    /// amount4 type1 terminal6 date4 time3. domain.md 1.5 "Purchase MAC1".
    std::array<std::uint8_t, 18> input;
    IssuerKeyIndex key;
    Mac mac;  ///< as received; not read by compute_purchase_macs
};
static_assert(sizeof(PurchaseMacRecord) == 40 && alignof(PurchaseMacRecord) == 2);

struct BatchOptions {
    unsigned threads = 1;        ///< the caller's thread is one of them; short batches use fewer
    Forms forms = best_forms();  ///< another choice gives the same bytes, at another speed
};

enum class BatchRefusal : std::uint8_t {  // In the order they are checked.
    output_too_small,                     ///< fewer outcome words or MACs than the records need
    form_unavailable,                     ///< `forms` names instructions that this processor lacks
    too_many_records,                     ///< 2^32 - 1 at most in one call
    key_unknown,                          ///< a record's key index is not in the table
};
[[nodiscard]] const char* name(BatchRefusal refusal);

/// Words that `genuine` needs for `records` records, and the outcome of record `index` in it.
[[nodiscard]] constexpr std::size_t outcome_words(std::size_t records) {
    return (records + 63) / 64;
}
[[nodiscard]] constexpr bool outcome(std::span<const std::uint64_t> genuine, std::size_t index) {
    return (genuine[index / 64] >> (index % 64) & 1) != 0;
}

/// Sets bit i of `genuine` exactly when the MAC of record i is right, and clears it otherwise; bits
/// past the last record are clear. Keys, versions and suites may be mixed in any order: the engine
/// groups them. After a refusal every outcome is clear: nothing is ever genuine by default. Memory:
/// three allocations per thread and call, none per record, and all before the first record is
/// read: std::bad_alloc leaves every outcome clear. Every copy of key material is wiped before
/// returning.
[[nodiscard]] std::expected<void, BatchRefusal> verify_tacs(const IssuerKeyTable& keys,
                                                            std::span<const TacRecord> records,
                                                            std::span<std::uint64_t> genuine,
                                                            const BatchOptions& options = {});
[[nodiscard]] std::expected<void, BatchRefusal> verify_purchase_macs(
    const IssuerKeyTable& keys, std::span<const PurchaseMacRecord> records,
    std::span<std::uint64_t> genuine, const BatchOptions& options = {});

/// The MACs themselves, one for each record, in order. After a refusal `macs` is all zero.
[[nodiscard]] std::expected<void, BatchRefusal> compute_tacs(const IssuerKeyTable& keys,
                                                             std::span<const TacRecord> records,
                                                             std::span<Mac> macs,
                                                             const BatchOptions& options = {});
[[nodiscard]] std::expected<void, BatchRefusal> compute_purchase_macs(
    const IssuerKeyTable& keys, std::span<const PurchaseMacRecord> records, std::span<Mac> macs,
    const BatchOptions& options = {});

}  // namespace crypto::batch
