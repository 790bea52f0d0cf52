#include "crypto/keys/sealing.hpp"

#include <argon2.h>
#include <mbedtls/gcm.h>

#include "crypto/core/sm3.hpp"

namespace crypto::keys {
namespace {

class Gcm {  // AES-256-GCM, NIST SP 800-38D
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

void append(std::vector<std::uint8_t>& out, Bytes bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

KeyResult<void> derive_sealing_key(const SealedHeader& header, Bytes passphrase, MutableBytes out) {
    const DerivationCost& cost = header.cost;
    const int result = argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes,
                                         passphrase.data(), passphrase.size(), header.salt.data(),
                                         header.salt.size(), out.data(), out.size());
    if (result == ARGON2_OK) return {};
    wipe(out);
    return std::unexpected{result == ARGON2_MEMORY_ALLOCATION_ERROR || result == ARGON2_THREAD_FAIL
                               ? KeyError::memory_exhausted
                               : KeyError::limits_exceeded};
}

std::vector<std::uint8_t> seal(const SealedHeader& header, Bytes key, Bytes plain) {
    const auto header_bytes = header.bytes();
    std::vector<std::uint8_t> sealed(plain.size());
    std::array<std::uint8_t, tag_size> tag{};
    Gcm gcm{key};
    const int result =
        mbedtls_gcm_crypt_and_tag(gcm.get(), MBEDTLS_GCM_ENCRYPT, plain.size(), header.nonce.data(),
                                  header.nonce.size(), header_bytes.data(), header_bytes.size(),
                                  plain.data(), sealed.data(), tag.size(), tag.data());
    if (result != 0) __builtin_trap();
    std::vector<std::uint8_t> file;
    append(file, header_bytes);
    append(file, sealed);
    append(file, tag);
    append(file, sm3(file));
    return file;
}

KeyResult<void> open(const SealedParts& parts, Bytes key, MutableBytes out) {
    Gcm gcm{key};
    const int result = mbedtls_gcm_auth_decrypt(
        gcm.get(), parts.sealed.size(), parts.header.nonce.data(), parts.header.nonce.size(),
        parts.header_bytes.data(), parts.header_bytes.size(), parts.tag.data(), parts.tag.size(),
        parts.sealed.data(), out.data());
    if (result == 0) return {};
    wipe(out);
    return std::unexpected{KeyError::wrong_passphrase};
}

}  // namespace crypto::keys
