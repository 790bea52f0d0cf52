#include "crypto/keys/x509_der.hpp"

#include <algorithm>

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/pem.h>

namespace crypto::keys::der {
namespace {

// Values of OBJECT IDENTIFIERs, without tag and length.
constexpr std::array<std::uint8_t, 8> ecdsa_with_sha256{
    // 1.2.840.10045.4.3.2, RFC 5758, 3.2
    0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02};
constexpr std::array<std::uint8_t, 7> ec_public_key{// 1.2.840.10045.2.1, RFC 5480, 2.1.1
                                                    0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
constexpr std::array<std::uint8_t, 8> secp256r1{// 1.2.840.10045.3.1.7, RFC 5480, 2.1.1.1
                                                0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::uint8_t common_name = 3;  // 2.5.4.x, X.520
constexpr std::uint8_t organisation_name = 10;
constexpr std::uint8_t organisational_unit_name = 11;
constexpr std::uint8_t authority_key_identifier_id = 35;  // 2.5.29.35, RFC 5280, 4.2.1.1

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Der identifier(Bytes arcs) {
    return object(Tag::object_identifier, {arcs});
}

/// RelativeDistinguishedName with one attribute.
Der rdn(std::uint8_t attribute, const std::string& value) {
    const std::array<std::uint8_t, 3> arcs{0x55, 0x04, attribute};
    const Der text = object(Tag::utf8_string, {bytes_of(value)});
    return object(Tag::set, {sequence({identifier(arcs), text})});
}

/// SEC 1, 2.3.3: 04 | x | y.
std::array<std::uint8_t, 65> point(const P256PublicKey& key) {
    std::array<std::uint8_t, 65> out{0x04};
    std::ranges::copy(key, out.begin() + 1);
    return out;
}

bool read_number(unsigned char*& at, const unsigned char* end, MutableBytes out) {
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    const bool read = mbedtls_asn1_get_mpi(&at, end, &number) == 0 && number.s > 0 &&
                      mbedtls_mpi_write_binary(&number, out.data(), out.size()) == 0;
    mbedtls_mpi_free(&number);
    return read;
}

}  // namespace

Der object(Tag tag, std::initializer_list<Bytes> parts) {
    std::size_t size = 0;
    for (const Bytes part : parts) size += part.size();
    Der out{static_cast<std::uint8_t>(tag)};
    if (size < 0x80) {  // 8.1.3.4
        out.push_back(static_cast<std::uint8_t>(size));
    } else {  // 8.1.3.5; DER: as few bytes as can be
        unsigned count = 1;
        while (size >> 8 * count != 0) ++count;
        out.push_back(static_cast<std::uint8_t>(0x80 | count));
        while (count-- > 0) out.push_back(static_cast<std::uint8_t>(size >> 8 * count));
    }
    for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

Der sequence(std::initializer_list<Bytes> parts) {
    return object(Tag::sequence, parts);
}

Der integer(Bytes magnitude) {
    while (magnitude.size() > 1 && magnitude[0] == 0) magnitude = magnitude.subspan(1);
    constexpr std::array<std::uint8_t, 1> zero{0x00};
    if (magnitude.empty()) return object(Tag::integer, {zero});
    if (magnitude[0] >= 0x80) return object(Tag::integer, {zero, magnitude});
    return object(Tag::integer, {magnitude});
}

Der integer(std::uint64_t value) {
    std::array<std::uint8_t, 8> bytes{};
    for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
    return integer(bytes);
}

Der boolean_true() {
    constexpr std::array<std::uint8_t, 1> value{0xFF};  // 11.1
    return object(Tag::boolean, {value});
}

Der bit_string(Bytes bits, std::uint8_t unused) {
    const std::array<std::uint8_t, 1> head{unused};
    return object(Tag::bit_string, {head, bits});
}

Der time(const protocol::DateTime& when) {
    std::string text;
    for (const std::uint8_t byte : when.bcd()) {
        text += static_cast<char>('0' + (byte >> 4));
        text += static_cast<char>('0' + (byte & 0x0F));
    }
    text += 'Z';
    const unsigned year = when.date.year();
    if (year >= 1950 && year < 2050) {
        return object(Tag::utc_time, {bytes_of(std::string_view{text}.substr(2))});
    }
    return object(Tag::generalized_time, {bytes_of(text)});
}

Der name(const X509Subject& subject) {
    return sequence({rdn(organisational_unit_name, subject.role),
                     rdn(organisation_name, subject.organisation), rdn(common_name, subject.unit)});
}

Der public_key_info(const P256PublicKey& key) {
    return sequence(
        {sequence({identifier(ec_public_key), identifier(secp256r1)}), bit_string(point(key))});
}

Der signature_algorithm() {
    return sequence({identifier(ecdsa_with_sha256)});
}

Der extension(std::uint8_t id, bool critical, Bytes value) {
    const std::array<std::uint8_t, 3> arcs{0x55, 0x1D, id};
    const Der octets = object(Tag::octet_string, {value});
    if (critical) return sequence({identifier(arcs), boolean_true(), octets});
    return sequence({identifier(arcs), octets});
}

Der authority_key_identifier(const P256PublicKey& issuer) {
    const Der id = object(Tag::context_0_primitive, {key_identifier(issuer)});
    return extension(authority_key_identifier_id, false, sequence({id}));
}

Sha1Digest key_identifier(const P256PublicKey& key) {
    return sha1(point(key));
}

std::expected<Der, X509Error> sign(Bytes to_be_signed, const X509Issuer& issuer) {
    const Sha256Digest digest = sha256(to_be_signed);
    const auto signature = issuer.sign(digest);
    if (!signature) return std::unexpected{X509Error::signer_failed};
    if (!verify_p256(issuer.key, digest, *signature)) {
        return std::unexpected{X509Error::signature_mismatch};
    }
    const Der value =
        sequence({integer(Bytes{*signature}.first(32)), integer(Bytes{*signature}.last(32))});
    return sequence({to_be_signed, signature_algorithm(), bit_string(value)});
}

std::optional<P256Signature> read_signature(Bytes der) {
    auto* at = const_cast<unsigned char*>(der.data());  // mbedTLS's cursor; it does not write
    const unsigned char* const end = at + der.size();
    std::size_t size = 0;
    P256Signature out{};
    if (mbedtls_asn1_get_tag(&at, end, &size, 0x30) != 0 || at + size != end ||
        !read_number(at, end, MutableBytes{out}.first(32)) ||
        !read_number(at, end, MutableBytes{out}.last(32)) || at != end) {
        return std::nullopt;
    }
    return out;
}

std::string to_pem(std::string_view label, Bytes der) {
    const std::string head = "-----BEGIN " + std::string{label} + "-----\n";
    const std::string tail = "-----END " + std::string{label} + "-----\n";
    std::size_t size = 0;
    mbedtls_pem_write_buffer(head.c_str(), tail.c_str(), der.data(), der.size(), nullptr, 0, &size);
    std::string out(size, '\0');
    if (mbedtls_pem_write_buffer(head.c_str(), tail.c_str(), der.data(), der.size(),
                                 reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                 &size) != 0) {
        __builtin_trap();  // out of memory
    }
    out.resize(size - 1);  // it ends what it writes with a zero
    return out;
}

std::optional<std::vector<Der>> from_pem(std::string_view label, std::string_view pem) {
    const std::string head = "-----BEGIN " + std::string{label} + "-----";
    const std::string tail = "-----END " + std::string{label} + "-----";
    std::string rest{pem};
    if (rest.find('\0') != std::string::npos) return std::nullopt;
    std::vector<Der> out;
    while (rest.find(head) != std::string::npos) {
        mbedtls_pem_context block;
        mbedtls_pem_init(&block);
        std::size_t used = 0;
        const bool read =
            mbedtls_pem_read_buffer(&block, head.c_str(), tail.c_str(),
                                    reinterpret_cast<const unsigned char*>(rest.c_str()), nullptr,
                                    0, &used) == 0;
        if (read) out.emplace_back(block.buf, block.buf + block.buflen);
        mbedtls_pem_free(&block);
        if (!read) return std::nullopt;
        rest.erase(0, used);
    }
    if (out.empty()) return std::nullopt;
    return out;
}

}  // namespace crypto::keys::der
