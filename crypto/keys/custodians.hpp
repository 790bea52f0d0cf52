#pragma once
// How people open a store together: the sealing key in shares (shamir.hpp), each under one
// custodian's passphrase or in the care of their token. docs/key_store.md, "Custodians".
#include "crypto/keys/locked_arena.hpp"
#include "crypto/keys/sealed_format.hpp"
#include "crypto/keys/shamir.hpp"

namespace crypto::keys {

constexpr std::size_t sealing_key_size = 32;

/// What the file says about its custodians' work.
struct CustodianTerms {
    Purpose purpose = Purpose::rehearsal;
    DerivationCost cost;
    LogOwner store_id{};
};

/// Names, counts, passphrases, tokens: refused before anything is made.
[[nodiscard]] KeyResult<void> check_custodians(const CustodianTerms& terms, unsigned quorum,
                                               std::span<const NewCustodian> custodians);
/// One slot for each, opened by `quorum` of them together.
[[nodiscard]] KeyResult<std::vector<CustodianSlot>> seal_shares(
    const CustodianTerms& terms, unsigned quorum, std::span<const NewCustodian> custodians,
    Bytes sealing_key, Random& random);
/// One custodian's share; `wrong_passphrase` when it does not open. With a token:
/// custodian_has_passphrase, token_other, share_refused, and what the token says.
[[nodiscard]] KeyResult<Share> open_share(const CustodianTerms& terms, const CustodianSlot& slot,
                                          const NewCustodian& custodian);
/// The serial number of the custodian's token; empty for one with a passphrase.
[[nodiscard]] std::string token_serial(const CustodianSlot& slot);
/// What the file says of its store in public.
[[nodiscard]] StoreIdentity identity_of(const SealedHeader& header,
                                        std::span<const CustodianSlot> custodians,
                                        std::vector<std::string> opened_by);

}  // namespace crypto::keys
