#include "crypto/keys/x509_reader.hpp"

#include <algorithm>

#include <mbedtls/x509_crt.h>

#include "crypto/keys/x509_der.hpp"
#include "crypto/keys/x509_parts.hpp"

namespace crypto::keys {
namespace {

using Error = X509ReadError;

constexpr std::size_t certificate_size_max = 4096;
constexpr std::int64_t seconds_of_day = 86'400;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

struct Parser {
    Parser() { mbedtls_x509_crt_init(&value); }
    ~Parser() { mbedtls_x509_crt_free(&value); }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    [[nodiscard]] X509ReadResult<void> read(Bytes der) {
        if (der.size() > certificate_size_max) return refuse(Error::malformed);
        const int code = mbedtls_x509_crt_parse_der(&value, der.data(), der.size());
        if (parts::is_foreign(code)) return refuse(Error::algorithm_foreign);
        if (code != 0 || value.raw.len != der.size()) return refuse(Error::malformed);
        return {};
    }
    mbedtls_x509_crt value{};
};

/// mbedTLS counts path lengths from one: 0 is "no limit". RFC 5280, 4.2.1.9.
X509Kind kind_of(const mbedtls_x509_crt& certificate) {
    if (certificate.ca_istrue == 0) return X509Kind::unit;
    return certificate.max_pathlen == 1 ? X509Kind::authority : X509Kind::root;
}

bool may_sign(X509Kind signer, X509Kind subject) {
    switch (subject) {
        case X509Kind::root:
        case X509Kind::authority: return signer == X509Kind::root;
        case X509Kind::unit: return signer == X509Kind::authority;
    }
    return false;
}

}  // namespace

const char* name(X509ReadError error) {
    switch (error) {
        case Error::malformed: return "malformed";
        case Error::algorithm_foreign: return "algorithm_foreign";
        case Error::subject_wrong: return "subject_wrong";
    }
    return "unknown";
}

X509ReadResult<X509Certificate> parse_certificate(Bytes der) {
    Parser parser;
    ONECARD_CHECK(parser.read(der));
    const mbedtls_x509_crt& read = parser.value;
    const auto not_before = parts::time(read.valid_from);
    const auto not_after = parts::time(read.valid_to);
    auto serial = parts::serial(read.serial);
    if (!not_before || !not_after || !serial) return refuse(Error::malformed);
    const auto key = parts::public_key(read.pk);
    if (!key || !parts::is_our_algorithm(read.sig_oid)) return refuse(Error::algorithm_foreign);
    auto subject = parts::subject(read.subject);
    auto issuer = parts::subject(read.issuer);
    if (!subject || !issuer) return refuse(Error::subject_wrong);
    return X509Certificate{kind_of(read),
                           *std::move(subject),
                           *std::move(issuer),
                           *std::move(serial),
                           *not_before,
                           *not_after,
                           *key,
                           {der.begin(), der.end()}};
}

bool X509Certificate::signed_by(const X509Certificate& authority) const {
    if (issuer != authority.subject || !may_sign(authority.kind, kind)) return false;
    Parser parser;
    if (!parser.read(der)) return false;
    const auto signature = der::read_signature(parts::bytes(parser.value.sig));
    return signature &&
           verify_p256(authority.key, sha256(parts::bytes(parser.value.tbs)), *signature);
}

X509ReadResult<std::vector<X509Certificate>> read_certificates(std::string_view pem) {
    const auto blocks = der::from_pem("CERTIFICATE", pem);
    if (!blocks) return refuse(Error::malformed);
    std::vector<X509Certificate> out;
    for (const der::Der& block : *blocks) {
        ONECARD_TRY(certificate, parse_certificate(block));
        out.push_back(std::move(certificate));
    }
    return out;
}

std::vector<X509Certificate> expiring(std::vector<X509Certificate> certificates,
                                      const protocol::DateTime& utc, unsigned days) {
    const std::int64_t limit = protocol::seconds_since_epoch(utc) + days * seconds_of_day;
    std::erase_if(certificates, [&](const X509Certificate& certificate) {
        return protocol::seconds_since_epoch(certificate.not_after) >= limit;
    });
    std::ranges::sort(certificates, {}, &X509Certificate::not_after);
    return certificates;
}

}  // namespace crypto::keys
