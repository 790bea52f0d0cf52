#include "crypto/keys/p256.hpp"

#include <mbedtls/ecdsa.h>

namespace crypto::keys {
namespace {

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<Random*>(random)->fill({out, size});
    return 0;
}

/// Group, d, and two numbers or a point for the result. mbedTLS wipes what it frees.
struct Workspace {
    Workspace() {
        mbedtls_ecp_group_init(&group);
        mbedtls_ecp_point_init(&point);
        for (mbedtls_mpi* number : {&d, &r, &s}) mbedtls_mpi_init(number);
    }
    ~Workspace() {
        for (mbedtls_mpi* number : {&d, &r, &s}) mbedtls_mpi_free(number);
        mbedtls_ecp_point_free(&point);
        mbedtls_ecp_group_free(&group);
    }
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    [[nodiscard]] std::expected<void, P256Error> load(std::span<const std::uint8_t, 32> secret) {
        if (mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
            mbedtls_mpi_read_binary(&d, secret.data(), secret.size()) != 0) {
            return std::unexpected{P256Error::out_of_memory};
        }
        if (mbedtls_ecp_check_privkey(&group, &d) != 0) {
            return std::unexpected{P256Error::key_out_of_range};
        }
        return {};
    }
    /// Two coordinates or numbers of 32 bytes each.
    [[nodiscard]] static std::expected<P256Bytes, P256Error> bytes_of(const mbedtls_mpi& first,
                                                                      const mbedtls_mpi& second) {
        P256Bytes out{};
        if (mbedtls_mpi_write_binary(&first, out.data(), 32) != 0 ||
            mbedtls_mpi_write_binary(&second, out.data() + 32, 32) != 0) {
            return std::unexpected{P256Error::out_of_memory};
        }
        return out;
    }

    mbedtls_ecp_group group{};
    mbedtls_ecp_point point{};
    mbedtls_mpi d{};
    mbedtls_mpi r{};
    mbedtls_mpi s{};
};

}  // namespace

std::expected<P256Bytes, P256Error> p256_public_key(std::span<const std::uint8_t, 32> d,
                                                    Random& random) {
    Workspace work;
    ONECARD_CHECK(work.load(d));
    if (mbedtls_ecp_mul(&work.group, &work.point, &work.d, &work.group.G, draw, &random) != 0) {
        return std::unexpected{P256Error::out_of_memory};
    }
    return Workspace::bytes_of(work.point.X, work.point.Y);
}

std::expected<P256Bytes, P256Error> p256_sign(std::span<const std::uint8_t, 32> d,
                                              std::span<const std::uint8_t, 32> digest,
                                              Random& random) {
    Workspace work;
    ONECARD_CHECK(work.load(d));
    if (mbedtls_ecdsa_sign_det_ext(&work.group, &work.r, &work.s, &work.d, digest.data(),
                                   digest.size(), MBEDTLS_MD_SHA256, draw, &random) != 0) {
        return std::unexpected{P256Error::out_of_memory};
    }
    return Workspace::bytes_of(work.r, work.s);
}

}  // namespace crypto::keys
