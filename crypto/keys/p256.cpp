#include "crypto/keys/p256.hpp"

#include <algorithm>

#include <mbedtls/ecdsa.h>

namespace crypto::keys {
namespace {

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<Random*>(random)->fill({out, size});
    return 0;
}

struct Group {
    Group() {
        mbedtls_ecp_group_init(&value);
        if (mbedtls_ecp_group_load(&value, MBEDTLS_ECP_DP_SECP256R1) != 0) __builtin_trap();
    }
    ~Group() { mbedtls_ecp_group_free(&value); }
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    mbedtls_ecp_group value{};
};

/// Frees its memory wiped, as mbedTLS does with every number.
struct Number {
    Number() { mbedtls_mpi_init(&value); }
    explicit Number(Bytes bytes) : Number{} {
        // Fails for want of memory only, and then nothing can be signed at all.
        if (mbedtls_mpi_read_binary(&value, bytes.data(), bytes.size()) != 0) __builtin_trap();
    }
    ~Number() { mbedtls_mpi_free(&value); }
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;
    void write(MutableBytes out) const {
        if (mbedtls_mpi_write_binary(&value, out.data(), out.size()) != 0) __builtin_trap();
    }
    mbedtls_mpi value{};
};

struct Point {
    Point() { mbedtls_ecp_point_init(&value); }
    ~Point() { mbedtls_ecp_point_free(&value); }
    Point(const Point&) = delete;
    Point& operator=(const Point&) = delete;
    /// False when it is no point of the group. SEC 1, 3.2.2.1.
    [[nodiscard]] bool read(const Group& group, const P256PublicKey& key) {
        const Number x{Bytes{key}.first(32)};
        const Number y{Bytes{key}.last(32)};
        if (mbedtls_mpi_copy(&value.X, &x.value) != 0 ||
            mbedtls_mpi_copy(&value.Y, &y.value) != 0 || mbedtls_mpi_lset(&value.Z, 1) != 0) {
            __builtin_trap();  // out of memory
        }
        return mbedtls_ecp_check_pubkey(&group.value, &value) == 0;
    }
    mbedtls_ecp_point value{};
};

}  // namespace

P256PrivateKey generate_p256(Random& random) {
    const Group group;
    P256PrivateKey key;
    for (;;) {  // FIPS 186-4, B.4.2: candidates outside [1, n-1] are drawn again
        random.fill(key.bytes());
        const Number d{key.bytes()};
        if (mbedtls_ecp_check_privkey(&group.value, &d.value) == 0) return key;
    }
}

std::optional<P256PublicKey> public_key_of(const P256PrivateKey& key, Random& random) {
    Group group;
    const Number d{key.bytes()};
    if (mbedtls_ecp_check_privkey(&group.value, &d.value) != 0) return std::nullopt;
    Point q;
    if (mbedtls_ecp_mul(&group.value, &q.value, &d.value, &group.value.G, draw, &random) != 0) {
        __builtin_trap();  // out of memory
    }
    std::array<std::uint8_t, 65> text{};  // SEC 1, 2.3.3: 04 | x | y
    std::size_t size = 0;
    if (mbedtls_ecp_point_write_binary(&group.value, &q.value, MBEDTLS_ECP_PF_UNCOMPRESSED, &size,
                                       text.data(), text.size()) != 0) {
        __builtin_trap();
    }
    P256PublicKey out{};
    std::ranges::copy(Bytes{text}.last(64), out.begin());
    return out;
}

bool is_on_curve(const P256PublicKey& key) {
    const Group group;
    Point q;
    return q.read(group, key);
}

P256Signer software_signer(const P256PrivateKey& key, Random& random) {
    return [&key, &random](const Sha256Digest& digest) -> std::optional<P256Signature> {
        Group group;
        const Number d{key.bytes()};
        Number r;
        Number s;
        if (mbedtls_ecdsa_sign_det_ext(&group.value, &r.value, &s.value, &d.value, digest.data(),
                                       digest.size(), MBEDTLS_MD_SHA256, draw, &random) != 0) {
            return std::nullopt;  // d is not in [1, n-1]
        }
        P256Signature out{};
        r.write(MutableBytes{out}.first(32));
        s.write(MutableBytes{out}.last(32));
        return out;
    };
}

bool verify_p256(const P256PublicKey& key, const Sha256Digest& digest,
                 const P256Signature& signature) {
    Group group;
    Point q;
    if (!q.read(group, key)) return false;
    const Number r{Bytes{signature}.first(32)};
    const Number s{Bytes{signature}.last(32)};
    return mbedtls_ecdsa_verify(&group.value, digest.data(), digest.size(), &q.value, &r.value,
                                &s.value) == 0;
}

}  // namespace crypto::keys
