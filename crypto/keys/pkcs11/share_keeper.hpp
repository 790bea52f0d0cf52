#pragma once
// A custodian's own token, which keeps their share of a store's sealing key. docs/key_store.md, 2.
#include "crypto/keys/pkcs11/module.hpp"
#include "crypto/keys/sealed_file.hpp"

namespace crypto::keys::pkcs11 {

/// Logs in for the length of each call only. Its AES key is made inside with the first share.
/// `pin` is borrowed, and sent to no token but the one of that serial number.
[[nodiscard]] std::shared_ptr<ShareKeeper> share_keeper(std::shared_ptr<Module> module,
                                                        std::string serial, Bytes pin);

}  // namespace crypto::keys::pkcs11
