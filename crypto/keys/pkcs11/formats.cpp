#include "crypto/keys/pkcs11/formats.hpp"

#include <algorithm>

namespace crypto::keys::pkcs11 {
namespace {

constexpr std::array<std::uint8_t, 4> magic{'O', 'C', 'S', 'B'};
constexpr std::uint8_t version = 1;

std::unexpected<Error> malformed(const char* why) {
    return refusal(Refusal::blob_malformed, why);
}

/// Nonce and body, whose sizes the header has fixed.
Result<SealedBlob> split(SealedBlob blob, Bytes rest) {
    const bool gcm = blob.mechanism == SealMechanism::aes_gcm;
    const std::size_t nonce_size = gcm ? seal_nonce_size : 0;
    const std::size_t body_size =
        gcm ? blob.size + seal_tag_size : seal_package_size(blob.size) + key_wrap_overhead;
    if (rest.size() != nonce_size + body_size) return malformed("shorter or longer than it says");
    blob.nonce = rest.first(nonce_size);
    blob.sealed = rest.subspan(nonce_size);
    return blob;
}

}  // namespace

SealHeader seal_header(SealMechanism mechanism, std::size_t size) {
    return {magic[0],
            magic[1],
            magic[2],
            magic[3],
            version,
            static_cast<std::uint8_t>(mechanism),
            static_cast<std::uint8_t>(size >> 8),
            static_cast<std::uint8_t>(size)};
}

Result<SealedBlob> parse_sealed_blob(Bytes bytes) {
    if (bytes.size() < seal_header_size) return malformed("no header");
    const Bytes header = bytes.first(seal_header_size);
    if (!std::ranges::equal(header.first(magic.size()), magic)) return malformed("not a blob");
    if (header[4] != version) return malformed("of another version");
    const auto mechanism = static_cast<SealMechanism>(header[5]);
    if (mechanism != SealMechanism::aes_gcm && mechanism != SealMechanism::aes_key_wrap) {
        return malformed("of an unknown mechanism");
    }
    const std::size_t size = static_cast<std::size_t>(header[6]) << 8 | header[7];
    if (size == 0 || size > sealed_secret_size_max) return malformed("of a size that cannot be");
    return split(SealedBlob{header, mechanism, size, {}, {}}, bytes.subspan(seal_header_size));
}

Result<P256Point> parse_ec_point(Bytes attribute) {
    constexpr std::array<std::uint8_t, 2> octet_string{0x04, p256_point_size};  // X.690, 8.7, 8.1.3
    constexpr std::uint8_t uncompressed = 0x04;                                 // SEC 1, 2.3.3
    Bytes point = attribute;
    if (point.size() == octet_string.size() + p256_point_size &&
        std::ranges::equal(point.first(octet_string.size()), octet_string)) {
        point = point.subspan(octet_string.size());
    }
    if (point.size() != p256_point_size || point[0] != uncompressed) {
        return refusal(Refusal::answer_malformed, "CKA_EC_POINT: not an uncompressed P-256 point");
    }
    P256Point out{};
    std::ranges::copy(point, out.begin());
    return out;
}

}  // namespace crypto::keys::pkcs11
