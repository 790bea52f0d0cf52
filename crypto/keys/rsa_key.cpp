#include "crypto/keys/rsa_key.hpp"

#include <mbedtls/pk.h>
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
    mbedtls_rsa_context value{};
};
struct PrivateKeyFile {
    PrivateKeyFile() { mbedtls_pk_init(&value); }
    ~PrivateKeyFile() { mbedtls_pk_free(&value); }
    PrivateKeyFile(const PrivateKeyFile&) = delete;
    PrivateKeyFile& operator=(const PrivateKeyFile&) = delete;
    mbedtls_pk_context value{};
};

/// n, e and d; the factors are found from them. False when they do not belong together.
bool load(mbedtls_rsa_context& rsa, const RsaPrivateKey& key) {
    const RsaPublicKey& open = key.public_key;
    return mbedtls_rsa_import_raw(&rsa, open.modulus.data(), open.modulus.size(), nullptr, 0,
                                  nullptr, 0, key.exponent.bytes().data(), key.exponent.size(),
                                  open.exponent.data(), open.exponent.size()) == 0 &&
           mbedtls_rsa_complete(&rsa) == 0 && mbedtls_rsa_check_privkey(&rsa) == 0;
}

/// n, e and d; nothing unless e is one of ours.
std::optional<RsaPrivateKey> taken_from(const mbedtls_rsa_context& rsa) {
    const std::size_t size = mbedtls_rsa_get_len(&rsa);
    std::array<std::uint8_t, 3> exponent{};
    RsaPrivateKey key;
    key.public_key.modulus.resize(size);
    key.exponent = SecretBuffer{size};
    if (mbedtls_rsa_export_raw(&rsa, key.public_key.modulus.data(), size, nullptr, 0, nullptr, 0,
                               key.exponent.bytes().data(), size, exponent.data(),
                               exponent.size()) != 0) {
        return std::nullopt;
    }
    if (exponent == std::array<std::uint8_t, 3>{0, 0, 3}) {
        key.public_key.exponent = {0x03};
    } else if (exponent == std::array<std::uint8_t, 3>{1, 0, 1}) {
        key.public_key.exponent = {0x01, 0x00, 0x01};
    } else {
        return std::nullopt;
    }
    return key;
}

}  // namespace

RsaSigner software_signer(const RsaPrivateKey& key, Random& random) {
    return {key.public_key,
            [&key, &random](Bytes frame) -> std::optional<std::vector<std::uint8_t>> {
                Rsa rsa;
                std::vector<std::uint8_t> out(key.public_key.modulus.size());
                if (frame.size() != out.size() || !load(rsa.value, key) ||
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
    auto key = taken_from(rsa.value);
    if (!key) __builtin_trap();
    return key;
}

std::optional<SecretBuffer> encode_rsa(const RsaPrivateKey& key) {
    constexpr std::size_t size_max = 2048;
    PrivateKeyFile file;
    if (mbedtls_pk_setup(&file.value, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) != 0 ||
        !load(*mbedtls_pk_rsa(file.value), key)) {
        return std::nullopt;
    }
    SecretBuffer scratch{size_max};
    const int size = mbedtls_pk_write_key_der(&file.value, scratch.bytes().data(), size_max);
    if (size <= 0) return std::nullopt;
    return SecretBuffer{Bytes{scratch.bytes()}.last(static_cast<std::size_t>(size))};
}

std::optional<RsaPrivateKey> decode_rsa(Bytes der) {
    PrivateKeyFile file;
    if (mbedtls_pk_parse_key(&file.value, der.data(), der.size(), nullptr, 0) != 0 ||
        mbedtls_pk_get_type(&file.value) != MBEDTLS_PK_RSA) {
        return std::nullopt;
    }
    return taken_from(*mbedtls_pk_rsa(file.value));
}

}  // namespace crypto::keys
