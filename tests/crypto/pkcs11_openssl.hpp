#pragma once
// OpenSSL as the judge of what a token computed.
#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "tests/crypto/pkcs11_fixture.hpp"

namespace tests {

/// One shot of an OpenSSL cipher without padding.
inline ByteVector openssl(const char* cipher, Bytes key, Bytes in, bool encrypt = true) {
    EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, cipher, nullptr);
    EVP_CIPHER_CTX* const context = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    REQUIRE(EVP_CipherInit_ex2(context, algorithm, key.data(), nullptr, encrypt, nullptr) == 1);
    EVP_CIPHER_CTX_set_padding(context, 0);
    ByteVector out(in.size() + 16);
    int size = 0;
    REQUIRE(EVP_CipherUpdate(context, out.data(), &size, in.data(), static_cast<int>(in.size())) ==
            1);
    out.resize(static_cast<std::size_t>(size));
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(algorithm);
    return out;
}

/// Says, rather than requires: any thread may ask.
inline bool openssl_verifies(const p11::P256Point& point, Bytes digest,
                             const std::array<std::uint8_t, 64>& signature) {
    OSSL_PARAM_BLD* const build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX* const from = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
    EVP_PKEY* key = nullptr;
    REQUIRE(EVP_PKEY_fromdata_init(from) == 1);
    REQUIRE(EVP_PKEY_fromdata(from, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    ECDSA_SIG* const pair_of = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair_of, BN_bin2bn(signature.data(), 32, nullptr),
                   BN_bin2bn(signature.data() + 32, 32, nullptr));
    std::uint8_t* der = nullptr;
    const int der_size = i2d_ECDSA_SIG(pair_of, &der);
    EVP_PKEY_CTX* const verify = EVP_PKEY_CTX_new(key, nullptr);
    REQUIRE(EVP_PKEY_verify_init(verify) == 1);
    const bool valid = EVP_PKEY_verify(verify, der, static_cast<std::size_t>(der_size),
                                       digest.data(), digest.size()) == 1;
    EVP_PKEY_CTX_free(verify);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair_of);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(from);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(build);
    return valid;
}

}  // namespace tests
