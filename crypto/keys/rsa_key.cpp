#include "crypto/keys/rsa_key.hpp"

#include <mbedtls/rsa.h>

namespace crypto::keys {
namespace {

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<Random*>(random)->fill({out, size});
    return 0;
}

/// Frees its memory wiped.
struct Rsa {
    Rsa() { mbedtls_rsa_init(&value, MBEDTLS_RSA_PKCS_V15, 0); }
    ~Rsa() { mbedtls_rsa_free(&value); }
    Rsa(const Rsa&) = delete;
    Rsa& operator=(const Rsa&) = delete;
    /// n, e and d; the factors are found from them. False when they do not belong together.
    [[nodiscard]] bool load(const RsaPrivateKey& key) {
        const RsaPublicKey& open = key.public_key;
        return mbedtls_rsa_import_raw(&value, open.modulus.data(), open.modulus.size(), nullptr, 0,
                                      nullptr, 0, key.exponent.bytes().data(), key.exponent.size(),
                                      open.exponent.data(), open.exponent.size()) == 0 &&
               mbedtls_rsa_complete(&value) == 0 && mbedtls_rsa_check_privkey(&value) == 0;
    }
    mbedtls_rsa_context value{};
};

}  // namespace

RsaSigner software_signer(const RsaPrivateKey& key, Random& random) {
    return {key.public_key,
            [&key, &random](Bytes frame) -> std::optional<std::vector<std::uint8_t>> {
                Rsa rsa;
                std::vector<std::uint8_t> out(key.public_key.modulus.size());
                if (frame.size() != out.size() || !rsa.load(key) ||
                    mbedtls_rsa_private(&rsa.value, draw, &random, frame.data(), out.data()) != 0) {
                    return std::nullopt;
                }
                return out;
            }};
}

std::optional<RsaPrivateKey> generate_rsa(unsigned bits, RsaExponent exponent, Random& random) {
    if (bits < rsa_bits_min || bits > rsa_bits_max || bits % 8 != 0) return std::nullopt;
    const bool three = exponent == RsaExponent::three;
    Rsa rsa;
    if (mbedtls_rsa_gen_key(&rsa.value, draw, &random, bits, three ? 3 : 65537) != 0) {
        __builtin_trap();  // out of memory
    }
    RsaPrivateKey key;
    key.public_key.modulus.resize(bits / 8);
    key.public_key.exponent =
        three ? std::vector<std::uint8_t>{0x03} : std::vector<std::uint8_t>{0x01, 0x00, 0x01};
    key.exponent = SecretBuffer{bits / 8};
    if (mbedtls_rsa_export_raw(&rsa.value, key.public_key.modulus.data(), bits / 8, nullptr, 0,
                               nullptr, 0, key.exponent.bytes().data(), bits / 8, nullptr,
                               0) != 0) {
        __builtin_trap();
    }
    return key;
}

}  // namespace crypto::keys
