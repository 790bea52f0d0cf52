#pragma once
// Asking an active chip to prove that it holds the keys of a line: when ACTIVATE's receipt was
// lost. docs/keys.md, 5, I2.
#include "host/keys/issuing.hpp"

namespace host::keys {

using ProofChallenge = std::array<std::uint8_t, 8>;

/// A card: INTERNAL AUTHENTICATE under its own key. A SAM: a purchase MAC1 of amount 0, which uses
/// up one terminal transaction number (gaps are legal) and fits no card.
[[nodiscard]] IssuingResult<std::vector<ShortCommand>> proof_commands(
    const crypto::keys::KeyStore& store, const IssueOrder& order, const IssuerPlace& place,
    const ProofChallenge& challenge);
/// `receipt_wrong`: the chip does not hold these keys.
[[nodiscard]] IssuingResult<void> check_proof(const crypto::keys::KeyStore& store,
                                              const IssueOrder& order, const IssuerPlace& place,
                                              const ProofChallenge& challenge,
                                              std::span<const ResponseBytes> responses);

}  // namespace host::keys
