#pragma once
// DER (ISO/IEC 8825-1:2021, 10) for what an authority or a unit signs: certificate, request,
// revocation list. Values are composed from the inside out. For this room's own .cpp files.
#include <string>
#include <string_view>
#include <vector>

#include "crypto/keys/p256.hpp"
#include "crypto/keys/x509.hpp"

namespace crypto::keys::der {

using Der = std::vector<std::uint8_t>;

enum class Tag : std::uint8_t {  // ISO/IEC 8824-1:2021, 8.6; constructed where it must be
    boolean = 0x01,
    integer = 0x02,
    bit_string = 0x03,
    octet_string = 0x04,
    object_identifier = 0x06,
    enumerated = 0x0A,
    utf8_string = 0x0C,
    utc_time = 0x17,
    generalized_time = 0x18,
    sequence = 0x30,
    set = 0x31,
    context_0_primitive = 0x80,
    context_0 = 0xA0,
    context_3 = 0xA3,
};

[[nodiscard]] Der object(Tag tag, std::initializer_list<Bytes> parts);
[[nodiscard]] Der sequence(std::initializer_list<Bytes> parts);
/// A number that is not negative; leading zeros are dropped, one is put before a high bit. 8.3.
[[nodiscard]] Der integer(Bytes magnitude);
[[nodiscard]] Der integer(std::uint64_t value);
[[nodiscard]] Der boolean_true();
[[nodiscard]] Der bit_string(Bytes bits, std::uint8_t unused = 0);
/// UTC. UTCTime from 1950 through 2049, GeneralizedTime otherwise: RFC 5280, 4.1.2.5.
[[nodiscard]] Der time(const protocol::DateTime& when);
/// OU, O, CN, each an RDN of its own, UTF8String. RFC 5280, 4.1.2.4.
[[nodiscard]] Der name(const X509Subject& subject);
[[nodiscard]] Der public_key_info(const P256PublicKey& key);
/// ecdsa-with-SHA256, without parameters: RFC 5758, 3.2.
[[nodiscard]] Der signature_algorithm();
/// `id`: the arcs under id-ce (2.5.29). RFC 5280, 4.2.
[[nodiscard]] Der extension(std::uint8_t id, bool critical, Bytes value);
[[nodiscard]] Der authority_key_identifier(const P256PublicKey& issuer);
/// SHA-1 of the key's BIT STRING: RFC 5280, 4.2.1.2, method 1.
[[nodiscard]] Sha1Digest key_identifier(const P256PublicKey& key);

/// SEQUENCE { to_be_signed, algorithm, signature }. Asks the signer once and verifies its answer.
[[nodiscard]] std::expected<Der, X509Error> sign(Bytes to_be_signed, const X509Issuer& issuer);
/// ECDSA-Sig-Value (RFC 3279, 2.2.3) as r | s; nothing when it is not DER, or a number is too
/// large.
[[nodiscard]] std::optional<P256Signature> read_signature(Bytes der);

/// RFC 7468, 2.
[[nodiscard]] std::string to_pem(std::string_view label, Bytes der);
/// Every block of that label, in order; blocks of other labels are passed over. Nothing when one is
/// broken, or there is none.
[[nodiscard]] std::optional<std::vector<Der>> from_pem(std::string_view label,
                                                       std::string_view pem);

}  // namespace crypto::keys::der
