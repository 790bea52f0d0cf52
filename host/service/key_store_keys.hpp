#pragma once
// The host's keys out of its deployed store. docs/keys.md, 1: DLK and DTK masters, SM2 list and day
// keys.
#include <expected>
#include <memory>

#include "crypto/core/sm2.hpp"
#include "crypto/keys/key_store.hpp"
#include "host/service/city.hpp"

namespace host {

enum class KeysRefusal : std::uint8_t {  // In the order they are checked.
    tac_master_missing,                  ///< no usable transaction certificate master at all
    list_key_missing,
    day_key_missing,
    key_unusable,  ///< the store refused a key, or its content is wrong
};
[[nodiscard]] const char* name(KeysRefusal refusal);

/// `store` and `random` must outlive the result. The window is `active` and `verify_only`, for TACs
/// and for loads alike: a card made with the older version goes on loading until it is replaced.
[[nodiscard]] std::expected<std::unique_ptr<Keys>, KeysRefusal> keys_from(
    const crypto::keys::KeyStore& store, protocol::CityCode city, const protocol::IssuerId& issuer,
    crypto::Random& random);

}  // namespace host
