#pragma once
// One login for everything in a process that uses a token: stores, custodians. docs/pkcs11.md,
// "Sessions and threads".
#include "crypto/keys/pkcs11/token.hpp"

namespace crypto::keys::pkcs11 {

/// The token of that serial number: the one that is open already, when its PIN is this one
/// (pin_wrong otherwise: nothing is sent), or a new one. Refusals as Token::open.
[[nodiscard]] Result<std::shared_ptr<Token>> shared_token(const std::shared_ptr<Module>& module,
                                                          const std::string& serial, Bytes pin);

}  // namespace crypto::keys::pkcs11
