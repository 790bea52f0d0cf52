#include "crypto/keys/sha.hpp"

#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>

namespace crypto::keys {

// Neither can fail in software: their result is of hardware's drivers.
Sha1Digest sha1(Bytes data) {
    Sha1Digest out{};
    if (mbedtls_sha1_ret(data.data(), data.size(), out.data()) != 0) __builtin_trap();
    return out;
}

Sha256Digest sha256(Bytes data) {
    Sha256Digest out{};
    if (mbedtls_sha256_ret(data.data(), data.size(), out.data(), 0) != 0) __builtin_trap();
    return out;
}

}  // namespace crypto::keys
