#pragma once
// Which of a store's TLS keys its certificate.pem certifies. A renewal has two for a while, and a
// program that starts must take the right one. docs/certificates.md, 6.
#include <string_view>

#include "crypto/keys/key_names.hpp"
#include "crypto/keys/x509_reader.hpp"

namespace crypto::keys {

/// In the order of the checks.
enum class TlsKeyError : std::uint8_t {
    certificate_unreadable,  ///< no certificate of ours in it
    key_missing,             ///< the store has no key that it certifies
    key_unreadable,          ///< the store does not give the key out
};
[[nodiscard]] const char* name(TlsKeyError error);
/// One sentence: what is wrong and what to do about it.
[[nodiscard]] const char* advice(TlsKeyError error);

/// Every TLS key that has a secret, oldest first.
[[nodiscard]] std::vector<KeyDescription> tls_keys(const KeyStore& store);
/// The one with that public key; a planned one, too.
[[nodiscard]] std::optional<KeyName> find_tls_key(const KeyStore& store,
                                                  const P256PublicKey& certified);
/// The private key of the first certificate.
[[nodiscard]] std::expected<P256PrivateKey, TlsKeyError> reveal_tls_key(
    const KeyStore& store, std::string_view certificate_pem);

}  // namespace crypto::keys
