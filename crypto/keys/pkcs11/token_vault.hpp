#pragma once
// A key store's secrets in a PKCS#11 token. docs/key_store.md, "With a token".
#include "crypto/keys/pkcs11/token.hpp"
#include "crypto/keys/vault.hpp"

namespace crypto::keys::pkcs11 {

/// Opens the token of a store through the module at `path`.
[[nodiscard]] VaultOpener vault_opener(std::filesystem::path path);

/// What a key store says of a token's refusal.
[[nodiscard]] KeyError key_error(const Error& error);

}  // namespace crypto::keys::pkcs11
