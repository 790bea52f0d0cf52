#pragma once
// Keys as people and logs write them: "city/3100 load sm4 v1", read back. docs/keys.md, 2.
#include <map>
#include <optional>

#include "host/keys/stores.hpp"

namespace host::keys {

using crypto::keys::KeyAlgorithm;
using crypto::keys::KeyState;
using protocol::KeyVersion;

/// The words of crypto::keys::name().
[[nodiscard]] std::optional<KeyUse> parse_key_use(std::string_view word);
[[nodiscard]] std::optional<KeyAlgorithm> parse_key_algorithm(std::string_view word);
[[nodiscard]] std::optional<KeyState> parse_key_state(std::string_view word);
/// The inverse of text(KeyName): label, use, algorithm, version 1..255, one space between them.
[[nodiscard]] std::optional<KeyName> parse_key_name(std::string_view text);

/// Of a key of the purse's two algorithms.
[[nodiscard]] std::optional<Suite> suite_of(const KeyName& key);

/// Keys of one store, with their states: {"city/3100 load sm4 v1": "active", ...} in a log.
using HeldKeys = std::map<KeyName, KeyState>;
/// Everything but the store's own audit key.
[[nodiscard]] HeldKeys held_keys(const KeyStore& store);

}  // namespace host::keys
