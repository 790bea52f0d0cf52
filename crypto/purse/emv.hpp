#pragma once
// Session keys and cryptograms of the finance application: EMV 4.4 Book 2, annex A1, and PBOC
// (JR/T 0025.7; with SM4 JR/T 0025.17). The card's key is `diversify` with the PAN's factor
// (crypto/keys/emv_master.hpp). What public texts leave open for SM4 is decided in
// docs/algorithms.md, 8.
#include "crypto/core/mac.hpp"
#include "crypto/purse/keys.hpp"

namespace crypto::emv {

using purse::PurseKey;
using Cryptogram = std::array<std::uint8_t, 8>;  ///< AC, ARQC, TC, AAC, ARPC method 1
using TransactionCounter = protocol::Strong<std::uint16_t, struct TransactionCounterName>;  ///< ATC

/// PBOC: 3DES: E(00 x 6 | ATC) | E(00 x 6 | not ATC); SM4: both halves as one block.
[[nodiscard]] PurseKey pboc_session_key(const PurseKey& card_key, TransactionCounter counter);
/// EMV common session key derivation, A1.3.1. 3DES only: R's third byte becomes F0, then 0F. For
/// application cryptograms R is ATC | 00 x 6.
[[nodiscard]] PurseKey common_session_key(const PurseKey& card_key,
                                          const std::array<std::uint8_t, 8>& r);
[[nodiscard]] PurseKey common_session_key(const PurseKey& card_key, TransactionCounter counter);
/// Visa's keys of issuer scripts: the card's key XOR 00 x 6 | ATC | 00 x 6 | not ATC.
[[nodiscard]] PurseKey visa_script_key(const PurseKey& card_key, TransactionCounter counter);

/// Book 2, A1.2: 3DES: MAC algorithm 3; SM4: algorithm 1; the left eight bytes.
[[nodiscard]] Cryptogram application_cryptogram(const PurseKey& key, Bytes data,
                                                Padding padding = Padding::method_2);
/// Method 1, 8.2.1: E(AC XOR (ARC | 00 x 6)). SM4: followed by 00 x 8, the left half.
[[nodiscard]] Cryptogram response_cryptogram(const PurseKey& key, const Cryptogram& ac,
                                             const std::array<std::uint8_t, 2>& response_code);
/// Method 2, 8.2.2: the left four bytes of a MAC over AC | CSU | proprietary data (0..8 bytes).
[[nodiscard]] std::array<std::uint8_t, 4> response_mac(
    const PurseKey& key, const Cryptogram& ac, const std::array<std::uint8_t, 4>& status_update,
    Bytes proprietary);

}  // namespace crypto::emv
