#include "crypto/keys/tls_key.hpp"

#include <algorithm>

namespace crypto::keys {

using Error = TlsKeyError;

const char* name(Error error) {
    switch (error) {
        case Error::certificate_unreadable: return "certificate_unreadable";
        case Error::key_missing: return "key_missing";
        case Error::key_unreadable: return "key_unreadable";
    }
    return "unknown";
}

const char* advice(Error error) {
    switch (error) {
        case Error::certificate_unreadable:
            return "certificate.pem is no certificate of ours: install it again, or deploy anew";
        case Error::key_missing:
            return "certificate.pem and keys.store do not belong together: install the certificate "
                   "that was made for this store";
        case Error::key_unreadable:
            return "the key store does not give its TLS key out: open it with its own token, or "
                   "deploy anew";
    }
    return "";
}

std::vector<KeyDescription> tls_keys(const KeyStore& store) {
    const KeyName first = tls_identity();
    std::vector<KeyDescription> keys;
    for (KeyDescription& key : store.list()) {
        const bool ours = key.name.label == first.label && key.name.use == first.use &&
                          key.name.algorithm == first.algorithm;
        if (ours && key.state != KeyState::destroyed) keys.push_back(std::move(key));
    }
    std::ranges::sort(keys, {}, [](const KeyDescription& key) { return key.name.version; });
    return keys;
}

std::optional<KeyName> find_tls_key(const KeyStore& store, const P256PublicKey& certified) {
    for (const KeyDescription& key : tls_keys(store)) {
        const auto id = store.find(key.name);
        const auto point = id ? store.p256_public(*id) : std::unexpected{id.error()};
        if (point && *point == certified) return key.name;
    }
    return std::nullopt;
}

std::expected<P256PrivateKey, Error> reveal_tls_key(const KeyStore& store,
                                                    std::string_view certificate_pem) {
    const auto certificates = read_certificates(certificate_pem);
    if (!certificates) return std::unexpected{Error::certificate_unreadable};
    const auto found = find_tls_key(store, certificates->front().key);
    if (!found) return std::unexpected{Error::key_missing};
    P256PrivateKey key;
    const auto id = store.find(*found);
    if (!id || !store.reveal(*id, key.bytes())) return std::unexpected{Error::key_unreadable};
    return key;
}

}  // namespace crypto::keys
