#pragma once
// The PIN of a card that is ordered and not yet issued, sealed under a key of the issuer's store:
// whoever reads the state file reads no PIN. docs/issuing.md, 7.
#include <functional>
#include <string>
#include <vector>

#include "host/keys/stores.hpp"

namespace host::keys {

/// SM4-GCM (RFC 8998), the key derived from the store's `issuing-state key_wrapping sm4`. A sealed
/// PIN is of one length, whatever the PIN's, and opens for the order it was sealed for only.
class PinSeal {
public:
    /// `store_failed` when the issuer was deployed before there was such a key. `random` outlives
    /// it.
    [[nodiscard]] static Result<PinSeal> of(const KeyStore& keys, crypto::Random& random);

    /// nonce12 | sealed length and digits | tag16. `content`: the order without its PIN.
    [[nodiscard]] Result<std::vector<std::uint8_t>> seal(const std::string& pin,
                                                         std::string_view content) const;
    /// Nothing: altered, of another order, or under another key.
    [[nodiscard]] std::optional<std::string> open(crypto::Bytes sealed,
                                                  std::string_view content) const;

private:
    PinSeal(crypto::purse::PurseKey key, crypto::Random& random)
        : key_{std::move(key)}, random_{random} {}
    crypto::purse::PurseKey key_;
    std::reference_wrapper<crypto::Random> random_;
};

}  // namespace host::keys
