#include "crypto/keys/x509.hpp"

#include <algorithm>
#include <array>

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

namespace crypto::keys {
namespace {

/// RFC 5280, 4.2.1.12: SEQUENCE { serverAuth, clientAuth } (1.3.6.1.5.5.7.3.1 and .2).
constexpr std::array<std::uint8_t, 22> extended_key_usage{
    0x30, 0x14, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03,
    0x01, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
constexpr std::size_t certificate_size_max = 4096;

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<Random*>(random)->fill({out, size});
    return 0;
}

class KeyPair {
public:
    KeyPair() { mbedtls_pk_init(&key_); }
    ~KeyPair() { mbedtls_pk_free(&key_); }
    KeyPair(const KeyPair&) = delete;
    KeyPair& operator=(const KeyPair&) = delete;

    /// Q = dG. SEC 1, 3.2.1.
    [[nodiscard]] std::expected<void, X509Error> load(const P256PrivateKey& d, Random& random) {
        if (mbedtls_pk_setup(&key_, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0) {
            return std::unexpected{X509Error::out_of_memory};
        }
        mbedtls_ecp_keypair& pair = *mbedtls_pk_ec(key_);
        if (mbedtls_ecp_group_load(&pair.grp, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
            mbedtls_mpi_read_binary(&pair.d, d.bytes().data(), P256PrivateKey::size) != 0) {
            return std::unexpected{X509Error::out_of_memory};
        }
        if (mbedtls_ecp_check_privkey(&pair.grp, &pair.d) != 0) {
            return std::unexpected{X509Error::key_out_of_range};
        }
        if (mbedtls_ecp_mul(&pair.grp, &pair.Q, &pair.d, &pair.grp.G, draw, &random) != 0) {
            return std::unexpected{X509Error::out_of_memory};
        }
        return {};
    }
    [[nodiscard]] mbedtls_pk_context* get() { return &key_; }

private:
    mbedtls_pk_context key_;
};

struct Writer {
    Writer() { mbedtls_x509write_crt_init(&context); }
    ~Writer() { mbedtls_x509write_crt_free(&context); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    mbedtls_x509write_cert context{};
};

bool is_plain(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '-' || c == '.' || c == '_';
    });
}

std::expected<std::string, X509Error> distinguished_name(const X509Subject& subject) {
    if (!is_plain(subject.role) || !is_plain(subject.organisation) || !is_plain(subject.unit)) {
        return std::unexpected{X509Error::subject_wrong};
    }
    return "OU=" + subject.role + ",O=" + subject.organisation + ",CN=" + subject.unit;
}

std::string time_text(const protocol::DateTime& when) {
    std::string text;
    for (const std::uint8_t byte : when.bcd()) {
        text += static_cast<char>('0' + (byte >> 4));
        text += static_cast<char>('0' + (byte & 0x0F));
    }
    return text;
}

/// Names, serial number, dates. RFC 5280, 4.1.2.
std::expected<void, X509Error> set_fields(mbedtls_x509write_cert& writer,
                                          const X509Request& request) {
    ONECARD_TRY(subject, distinguished_name(request.subject));
    ONECARD_TRY(issuer, distinguished_name(request.issuer));
    if (request.not_after <= request.not_before) {
        return std::unexpected{X509Error::validity_wrong};
    }
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_mpi serial;
    mbedtls_mpi_init(&serial);
    const bool set =
        mbedtls_mpi_read_binary(&serial, request.serial.data(), request.serial.size()) == 0 &&
        mbedtls_x509write_crt_set_serial(&writer, &serial) == 0 &&
        mbedtls_x509write_crt_set_subject_name(&writer, subject.c_str()) == 0 &&
        mbedtls_x509write_crt_set_issuer_name(&writer, issuer.c_str()) == 0 &&
        mbedtls_x509write_crt_set_validity(&writer, time_text(request.not_before).c_str(),
                                           time_text(request.not_after).c_str()) == 0;
    mbedtls_mpi_free(&serial);
    if (!set) return std::unexpected{X509Error::out_of_memory};
    return {};
}

/// RFC 5280, 4.2.1.1-3, 4.2.1.9 and 4.2.1.12.
std::expected<void, X509Error> set_extensions(mbedtls_x509write_cert& writer, X509Kind kind) {
    const bool authority = kind != X509Kind::unit;
    const int path_length = kind == X509Kind::root ? 1 : kind == X509Kind::authority ? 0 : -1;
    const unsigned usage = authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                     : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
    const bool set =
        mbedtls_x509write_crt_set_basic_constraints(&writer, authority ? 1 : 0, path_length) == 0 &&
        mbedtls_x509write_crt_set_key_usage(&writer, usage) == 0 &&
        mbedtls_x509write_crt_set_subject_key_identifier(&writer) == 0 &&
        mbedtls_x509write_crt_set_authority_key_identifier(&writer) == 0 &&
        (authority || mbedtls_x509write_crt_set_extension(
                          &writer, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                          MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0,
                          extended_key_usage.data(), extended_key_usage.size()) == 0);
    if (!set) return std::unexpected{X509Error::out_of_memory};
    return {};
}

}  // namespace

const char* name(X509Error error) {
    switch (error) {
        case X509Error::key_out_of_range: return "key_out_of_range";
        case X509Error::subject_wrong: return "subject_wrong";
        case X509Error::validity_wrong: return "validity_wrong";
        case X509Error::out_of_memory: return "out_of_memory";
    }
    return "unknown";
}

P256PrivateKey generate_p256(Random& random) {
    mbedtls_ecp_group group;
    mbedtls_ecp_group_init(&group);
    mbedtls_mpi d;
    mbedtls_mpi_init(&d);
    P256PrivateKey key;
    bool found = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1) == 0;
    do {  // FIPS 186-4, B.4.2: candidates outside [1, n-1] are drawn again
        random.fill(key.bytes());
        found = found && mbedtls_mpi_read_binary(&d, key.bytes().data(), key.size) == 0;
    } while (found && mbedtls_ecp_check_privkey(&group, &d) != 0);
    mbedtls_mpi_free(&d);
    mbedtls_ecp_group_free(&group);
    if (!found) __builtin_trap();  // out of memory: no key can be made at all
    return key;
}

X509Serial generate_serial(Random& random) {
    X509Serial serial{};
    random.fill(serial);
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3F) | 0x40);  // positive, sixteen bytes
    return serial;
}

std::expected<std::string, X509Error> write_certificate(const X509Request& request,
                                                        const P256PrivateKey& subject_key,
                                                        const P256PrivateKey& issuer_key,
                                                        Random& random) {
    KeyPair subject;
    KeyPair issuer;
    ONECARD_CHECK(subject.load(subject_key, random));
    ONECARD_CHECK(issuer.load(issuer_key, random));
    Writer writer;
    mbedtls_x509write_crt_set_subject_key(&writer.context, subject.get());
    mbedtls_x509write_crt_set_issuer_key(&writer.context, issuer.get());
    ONECARD_CHECK(set_fields(writer.context, request));
    ONECARD_CHECK(set_extensions(writer.context, request.kind));
    std::array<unsigned char, certificate_size_max> pem{};
    if (mbedtls_x509write_crt_pem(&writer.context, pem.data(), pem.size(), draw, &random) != 0) {
        return std::unexpected{X509Error::out_of_memory};
    }
    return std::string{reinterpret_cast<const char*>(pem.data())};
}

}  // namespace crypto::keys
