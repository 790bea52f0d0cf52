#include "platform/peer_identity.hpp"

#include <algorithm>
#include <span>

#include <mbedtls/oid.h>

#include "platform/tls_state.hpp"

namespace platform {
namespace {

constexpr std::size_t unit_name_size_max = 64;  // X.520 ub-common-name

struct SubjectNames {
    std::string role;
    std::string organisation;
    std::string unit;
};

bool is_attribute(const mbedtls_x509_name& part, std::string_view oid) {
    return std::ranges::equal(std::span{part.oid.p, part.oid.len}, oid, {}, {},
                              [](char c) { return static_cast<unsigned char>(c); });
}

/// Nothing when an attribute is missing, repeated or not one of the three.
std::optional<SubjectNames> read_names(const mbedtls_x509_name& subject) {
    SubjectNames names;
    for (const mbedtls_x509_name* part = &subject; part != nullptr; part = part->next) {
        std::string* into = nullptr;
        if (is_attribute(*part, MBEDTLS_OID_AT_ORG_UNIT)) into = &names.role;
        if (is_attribute(*part, MBEDTLS_OID_AT_ORGANIZATION)) {
            into = &names.organisation;
        }
        if (is_attribute(*part, MBEDTLS_OID_AT_CN)) into = &names.unit;
        if (into == nullptr || !into->empty() || part->val.len == 0) return std::nullopt;
        into->assign(reinterpret_cast<const char*>(part->val.p), part->val.len);
    }
    if (names.role.empty() || names.organisation.empty() || names.unit.empty()) return std::nullopt;
    return names;
}

bool is_city(std::string_view text) {
    return text.size() == 4 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
bool is_id(std::string_view text) {
    return text.size() == 16 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
           });
}
bool is_unit_name(std::string_view text) {
    return text.size() <= unit_name_size_max && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '-' || c == '.' || c == '_';
           });
}

bool well_formed(const PeerIdentity& identity) {
    switch (identity.role) {
        case PeerRole::terminal: return is_id(identity.organisation) && is_id(identity.unit);
        case PeerRole::operator_admin:
            return is_id(identity.organisation) && is_unit_name(identity.unit);
        case PeerRole::city_host:
        case PeerRole::desk:
        case PeerRole::issuer: return is_city(identity.organisation) && is_unit_name(identity.unit);
    }
    return false;
}

}  // namespace

const char* name(PeerRole role) {
    switch (role) {
        case PeerRole::terminal: return "terminal";
        case PeerRole::city_host: return "city-host";
        case PeerRole::desk: return "desk";
        case PeerRole::issuer: return "issuer";
        case PeerRole::operator_admin: return "operator-admin";
    }
    return "unknown";
}

std::optional<PeerRole> parse_peer_role(std::string_view word) {
    for (const PeerRole role : {PeerRole::terminal, PeerRole::city_host, PeerRole::desk,
                                PeerRole::issuer, PeerRole::operator_admin}) {
        if (word == name(role)) return role;
    }
    return std::nullopt;
}

std::optional<PeerIdentity> parse_subject(const mbedtls_x509_name& subject) {
    auto names = read_names(subject);
    if (!names) return std::nullopt;
    const auto role = parse_peer_role(names->role);
    if (!role) return std::nullopt;
    PeerIdentity identity{*role, std::move(names->organisation), std::move(names->unit), {}};
    if (!well_formed(identity)) return std::nullopt;
    return identity;
}

std::optional<std::string> parse_authority(const mbedtls_x509_name& subject) {
    auto names = read_names(subject);
    if (!names || names->role != authority_role || !is_city(names->organisation)) {
        return std::nullopt;
    }
    return std::move(names->organisation);
}

bool authority_may_vouch(const PeerIdentity& identity) {
    switch (identity.role) {
        case PeerRole::terminal:
        case PeerRole::operator_admin: return true;  // operators work in many cities
        case PeerRole::city_host:
        case PeerRole::desk:
        case PeerRole::issuer: return identity.organisation == identity.city;
    }
    return false;
}

}  // namespace platform
