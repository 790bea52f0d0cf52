#include "crypto/keys/sealing.hpp"

#include <argon2.h>
#include <mbedtls/gcm.h>

namespace crypto::keys {
namespace {

class Gcm {
public:
    explicit Gcm(Bytes key) {
        mbedtls_gcm_init(&context_);
        const int result = mbedtls_gcm_setkey(&context_, MBEDTLS_CIPHER_ID_AES, key.data(),
                                              static_cast<unsigned>(key.size() * 8));
        if (result != 0) __builtin_trap();  // a 256-bit key: only memory could fail
    }
    ~Gcm() { mbedtls_gcm_free(&context_); }
    Gcm(const Gcm&) = delete;
    Gcm& operator=(const Gcm&) = delete;
    mbedtls_gcm_context* get() { return &context_; }

private:
    mbedtls_gcm_context context_;
};

}  // namespace

KeyResult<void> derive_from_passphrase(const DerivationCost& cost, Bytes salt, Bytes passphrase,
                                       MutableBytes out) {
    const int result =
        argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes, passphrase.data(),
                          passphrase.size(), salt.data(), salt.size(), out.data(), out.size());
    if (result == ARGON2_OK) return {};
    wipe(out);
    return std::unexpected{result == ARGON2_MEMORY_ALLOCATION_ERROR || result == ARGON2_THREAD_FAIL
                               ? KeyError::memory_exhausted
                               : KeyError::limits_exceeded};
}

void seal_bytes(Bytes key, Bytes nonce, Bytes additional, Bytes plain, MutableBytes out) {
    Gcm gcm{key};
    const MutableBytes tag = out.subspan(plain.size(), tag_size);
    const int result = mbedtls_gcm_crypt_and_tag(
        gcm.get(), MBEDTLS_GCM_ENCRYPT, plain.size(), nonce.data(), nonce.size(), additional.data(),
        additional.size(), plain.data(), out.data(), tag.size(), tag.data());
    if (result != 0) __builtin_trap();  // sizes are ours: nothing else can fail
}

bool open_bytes(Bytes key, Bytes nonce, Bytes additional, Bytes sealed, MutableBytes out) {
    Gcm gcm{key};
    const Bytes body = sealed.first(sealed.size() - tag_size);
    const Bytes tag = sealed.last(tag_size);
    const int result = mbedtls_gcm_auth_decrypt(gcm.get(), body.size(), nonce.data(), nonce.size(),
                                                additional.data(), additional.size(), tag.data(),
                                                tag.size(), body.data(), out.data());
    if (result == 0) return true;
    wipe(out);
    return false;
}

}  // namespace crypto::keys
