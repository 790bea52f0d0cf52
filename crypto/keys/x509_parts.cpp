#include "crypto/keys/x509_parts.hpp"

#include <algorithm>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>

namespace crypto::keys::parts {
namespace {

constexpr std::size_t serial_size_max = 20;

bool same(const mbedtls_x509_buf& value, std::string_view oid) {
    return std::ranges::equal(bytes(value), oid, {}, {},
                              [](char c) { return static_cast<std::uint8_t>(c); });
}

}  // namespace

std::optional<X509Subject> subject(const mbedtls_x509_name& name) {
    X509Subject out;
    for (const mbedtls_x509_name* part = &name; part != nullptr; part = part->next) {
        std::string* into = nullptr;
        if (same(part->oid, MBEDTLS_OID_AT_ORG_UNIT)) into = &out.role;
        if (same(part->oid, MBEDTLS_OID_AT_ORGANIZATION)) into = &out.organisation;
        if (same(part->oid, MBEDTLS_OID_AT_CN)) into = &out.unit;
        if (into == nullptr || !into->empty()) return std::nullopt;
        into->assign(reinterpret_cast<const char*>(part->val.p), part->val.len);
    }
    if (!is_plain(out)) return std::nullopt;
    return out;
}

std::optional<protocol::DateTime> time(const mbedtls_x509_time& time) {
    const auto number = [](int value) { return value < 0 ? 0U : static_cast<unsigned>(value); };
    const auto date = protocol::Date::make(number(time.year), number(time.mon), number(time.day));
    const auto clock = protocol::Time::make(number(time.hour), number(time.min), number(time.sec));
    if (!date || !clock) return std::nullopt;
    return protocol::DateTime{*date, *clock};
}

std::optional<P256PublicKey> public_key(const mbedtls_pk_context& key) {
    if (mbedtls_pk_get_type(&key) != MBEDTLS_PK_ECKEY) return std::nullopt;
    const mbedtls_ecp_keypair& pair = *mbedtls_pk_ec(key);
    P256PublicKey out{};
    if (pair.grp.id != MBEDTLS_ECP_DP_SECP256R1 ||
        mbedtls_mpi_write_binary(&pair.Q.X, out.data(), 32) != 0 ||
        mbedtls_mpi_write_binary(&pair.Q.Y, out.data() + 32, 32) != 0) {
        return std::nullopt;
    }
    return out;
}

std::optional<std::vector<std::uint8_t>> serial(const mbedtls_x509_buf& value) {
    Bytes number = bytes(value);
    if (number.empty() || number[0] >= 0x80) return std::nullopt;
    while (!number.empty() && number[0] == 0) number = number.subspan(1);
    if (number.empty() || number.size() > serial_size_max) return std::nullopt;
    return std::vector<std::uint8_t>{number.begin(), number.end()};
}

bool is_our_algorithm(const mbedtls_x509_buf& oid) {
    return same(oid, MBEDTLS_OID_ECDSA_SHA256);
}

bool is_foreign(int parse_code) {
    switch (parse_code) {
        case MBEDTLS_ERR_X509_UNKNOWN_SIG_ALG:
        case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
        case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE: return true;
        default: return false;
    }
}

}  // namespace crypto::keys::parts
