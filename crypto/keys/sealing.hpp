#pragma once
// The two ciphers of a sealed store: Argon2id for passphrases, AES-256-GCM for everything.
// docs/key_store.md.
#include "crypto/keys/sealed_format.hpp"

namespace crypto::keys {

/// Argon2id, RFC 9106, into `out` (32 bytes).
[[nodiscard]] KeyResult<void> derive_from_passphrase(const DerivationCost& cost, Bytes salt,
                                                     Bytes passphrase, MutableBytes out);
/// AES-256-GCM, NIST SP 800-38D. `out` has the plaintext's size and then the tag's.
void seal_bytes(Bytes key, Bytes nonce, Bytes additional, Bytes plain, MutableBytes out);
/// False, and `out` wiped, when the tag does not match. `out` has `sealed.size() - tag_size` bytes.
[[nodiscard]] bool open_bytes(Bytes key, Bytes nonce, Bytes additional, Bytes sealed,
                              MutableBytes out);

}  // namespace crypto::keys
