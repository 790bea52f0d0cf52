#include "crypto/keys/x509_revocation.hpp"

#include <algorithm>

#include <mbedtls/asn1.h>
#include <mbedtls/x509_crl.h>

#include "crypto/keys/x509_der.hpp"
#include "crypto/keys/x509_parts.hpp"

namespace crypto::keys {
namespace {

using Error = X509ListError;
using Reason = RevocationReason;
using der::Der;

constexpr std::size_t list_size_max = std::size_t{16} * 1024 * 1024;
constexpr std::size_t serial_size_max = 20;
constexpr const char* list_label = "X509 CRL";  // RFC 7468, 6
constexpr std::uint8_t crl_number_id = 20;      // 2.5.29.20, RFC 5280, 5.2.3
constexpr std::uint8_t reason_code_id = 21;     // 2.5.29.21, 5.3.1

constexpr std::array reasons{Reason::unspecified,          Reason::key_compromise,
                             Reason::authority_compromise, Reason::affiliation_changed,
                             Reason::superseded,           Reason::cessation_of_operation,
                             Reason::certificate_hold,     Reason::privilege_withdrawn};

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

struct Parser {
    Parser() { mbedtls_x509_crl_init(&value); }
    ~Parser() { mbedtls_x509_crl_free(&value); }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    [[nodiscard]] X509ListResult<void> read(Bytes der) {
        if (der.empty() || der.size() > list_size_max) return refuse(Error::malformed);
        const int code = mbedtls_x509_crl_parse_der(&value, der.data(), der.size());
        if (code == unknown_extension) return refuse(Error::extension_unknown);
        if (parts::is_foreign(code)) return refuse(Error::algorithm_foreign);
        if (code != 0 || value.raw.len != der.size() || value.version != 2) {
            return refuse(Error::malformed);
        }
        return {};
    }
    /// A critical one: mbedTLS knows none in lists.
    static constexpr int unknown_extension =
        MBEDTLS_ERR_X509_INVALID_EXTENSIONS + MBEDTLS_ERR_ASN1_UNEXPECTED_TAG;
    mbedtls_x509_crl value{};
};

bool is_serial(Bytes serial) {
    return !serial.empty() && serial.size() <= serial_size_max && serial[0] != 0 &&
           serial[0] < 0x80;
}

X509ListResult<void> check_fields(const X509RevocationList& list) {
    if (list.next_update <= list.this_update) return refuse(Error::dates_wrong);
    for (const RevokedX509& entry : list.revoked) {
        if (entry.when > list.this_update) return refuse(Error::dates_wrong);
    }
    for (const RevokedX509& entry : list.revoked) {
        if (!is_serial(entry.serial)) return refuse(Error::serial_wrong);
    }
    std::vector<Bytes> serials;
    for (const RevokedX509& entry : list.revoked) serials.emplace_back(entry.serial);
    const auto less = [](Bytes a, Bytes b) { return std::ranges::lexicographical_compare(a, b); };
    std::ranges::sort(serials, less);
    const auto same = [](Bytes a, Bytes b) { return std::ranges::equal(a, b); };
    if (std::ranges::adjacent_find(serials, same) != serials.end()) {
        return refuse(Error::serial_repeated);
    }
    return {};
}

Der entry_of(const RevokedX509& entry) {
    const Der serial = der::integer(entry.serial);
    const Der when = der::time(entry.when);
    if (entry.reason == Reason::unspecified) return der::sequence({serial, when});  // 5.3.1
    const std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(entry.reason)};
    const Der reason =
        der::extension(reason_code_id, false, der::object(der::Tag::enumerated, {code}));
    return der::sequence({serial, when, der::sequence({reason})});
}

/// TBSCertList. RFC 5280, 5.1.2. An empty list leaves `revokedCertificates` out: 5.1.2.6.
Der to_be_signed(const X509RevocationList& list, const P256PublicKey& issuer) {
    constexpr std::uint64_t version_2 = 1;
    Der entries;
    for (const RevokedX509& entry : list.revoked) {
        const Der one = entry_of(entry);
        entries.insert(entries.end(), one.begin(), one.end());
    }
    if (!entries.empty()) entries = der::sequence({entries});
    const Der number = der::extension(crl_number_id, false, der::integer(list.number));
    return der::sequence(
        {der::integer(version_2), der::signature_algorithm(), der::name(list.issuer),
         der::time(list.this_update), der::time(list.next_update), entries,
         der::object(der::Tag::context_0,
                     {der::sequence({der::authority_key_identifier(issuer), number})})});
}

Error list_error(X509Error error) {
    switch (error) {
        case X509Error::signer_failed: return Error::signer_failed;
        case X509Error::point_not_on_curve:
        case X509Error::key_out_of_range: return Error::point_not_on_curve;
        case X509Error::subject_wrong: return Error::issuer_wrong;
        case X509Error::validity_wrong: return Error::dates_wrong;
        case X509Error::signature_mismatch: return Error::signature_mismatch;
    }
    return Error::signature_mismatch;
}

/// One extension: OID, critical, what its OCTET STRING holds. RFC 5280, 4.1.
struct Extension {
    std::optional<std::uint8_t> id;  ///< under id-ce; nothing: of another arc
    bool critical = false;
    Bytes value;
};
/// Reads one and moves on; nothing when it is broken.
std::optional<Extension> take_extension(unsigned char*& at, const unsigned char* end) {
    Extension out;
    std::size_t size = 0;
    if (mbedtls_asn1_get_tag(&at, end, &size, 0x30) != 0) return std::nullopt;
    const unsigned char* const inner_end = at + size;
    if (mbedtls_asn1_get_tag(&at, inner_end, &size, 0x06) != 0) return std::nullopt;
    if (size == 3 && at[0] == 0x55 && at[1] == 0x1D) out.id = at[2];
    at += size;
    int critical = 0;
    const int given = mbedtls_asn1_get_bool(&at, inner_end, &critical);
    if (given != 0 && given != MBEDTLS_ERR_ASN1_UNEXPECTED_TAG) return std::nullopt;
    out.critical = given == 0 && critical != 0;
    if (mbedtls_asn1_get_tag(&at, inner_end, &size, 0x04) != 0 || at + size != inner_end) {
        return std::nullopt;
    }
    out.value = {at, size};
    at += size;
    return out;
}

/// All of a SEQUENCE of extensions. `visit` answers what is wrong with one.
template <class Visit>
X509ListResult<void> each_extension(Bytes extensions, Visit visit) {
    auto* at = const_cast<unsigned char*>(extensions.data());  // mbedTLS's cursor; it only reads
    const unsigned char* const end = at + extensions.size();
    std::size_t size = 0;
    if (mbedtls_asn1_get_tag(&at, end, &size, 0x30) != 0 || at + size != end) {
        return refuse(Error::malformed);
    }
    while (at != end) {
        const auto extension = take_extension(at, end);
        if (!extension) return refuse(Error::malformed);
        if (extension->critical) return refuse(Error::extension_unknown);
        ONECARD_CHECK(visit(*extension));
    }
    return {};
}

std::optional<std::uint64_t> number_of(Bytes der) {
    auto* at = const_cast<unsigned char*>(der.data());
    const unsigned char* const end = at + der.size();
    std::size_t size = 0;
    if (mbedtls_asn1_get_tag(&at, end, &size, 0x02) != 0 || at + size != end) return std::nullopt;
    Bytes value{at, size};
    if (value.empty() || value[0] >= 0x80) return std::nullopt;
    while (!value.empty() && value[0] == 0) value = value.subspan(1);
    if (value.size() > sizeof(std::uint64_t)) return std::nullopt;
    std::uint64_t out = 0;
    for (const std::uint8_t byte : value) out = out << 8 | byte;
    return out;
}

X509ListResult<std::uint64_t> list_number(const mbedtls_x509_crl& read) {
    if (read.crl_ext.len == 0) return refuse(Error::number_missing);
    std::optional<std::uint64_t> number;
    ONECARD_CHECK(each_extension(parts::bytes(read.crl_ext),
                                 [&](const Extension& extension) -> X509ListResult<void> {
                                     if (extension.id == crl_number_id) {
                                         number = number_of(extension.value);
                                     }
                                     return {};
                                 }));
    if (!number) return refuse(Error::number_missing);
    return *number;
}

/// A reason that we do not know is no better than none: the entry counts all the same.
X509ListResult<Reason> reason_of(const mbedtls_x509_crl_entry& entry) {
    Reason out = Reason::unspecified;
    if (entry.entry_ext.p == nullptr) return out;
    // mbedTLS gives where they begin and not how far they go: to the end of the entry.
    const Bytes extensions{entry.entry_ext.p, entry.raw.p + entry.raw.len};
    ONECARD_CHECK(
        each_extension(extensions, [&](const Extension& extension) -> X509ListResult<void> {
            const Bytes value = extension.value;
            if (extension.id != reason_code_id) return {};
            if (value.size() != 3 || value[0] != 0x0A || value[1] != 1) {
                return refuse(Error::malformed);
            }
            const auto reason = static_cast<Reason>(value[2]);
            if (std::ranges::find(reasons, reason) != reasons.end()) {
                out = reason;
            }
            return {};
        }));
    return out;
}

X509ListResult<std::vector<RevokedX509>> entries_of(const mbedtls_x509_crl& read) {
    std::vector<RevokedX509> out;
    for (const auto* entry = &read.entry; entry != nullptr; entry = entry->next) {
        if (entry->raw.len == 0) continue;  // the empty list's, and what follows the last
        ONECARD_TRY(reason, reason_of(*entry));
        const auto when = parts::time(entry->revocation_date);
        if (!when) return refuse(Error::dates_wrong);
        auto serial = parts::serial(entry->serial);
        if (!serial) return refuse(Error::serial_wrong);
        out.push_back({*std::move(serial), *when, reason});
    }
    return out;
}

}  // namespace

const char* name(RevocationReason reason) {
    switch (reason) {
        case Reason::unspecified: return "unspecified";
        case Reason::key_compromise: return "keyCompromise";
        case Reason::authority_compromise: return "cACompromise";
        case Reason::affiliation_changed: return "affiliationChanged";
        case Reason::superseded: return "superseded";
        case Reason::cessation_of_operation: return "cessationOfOperation";
        case Reason::certificate_hold: return "certificateHold";
        case Reason::privilege_withdrawn: return "privilegeWithdrawn";
    }
    return "unknown";
}

std::optional<RevocationReason> parse_revocation_reason(std::string_view word) {
    for (const Reason reason : reasons) {
        if (word == name(reason)) return reason;
    }
    return std::nullopt;
}

const char* name(X509ListError error) {
    switch (error) {
        case Error::malformed: return "malformed";
        case Error::algorithm_foreign: return "algorithm_foreign";
        case Error::issuer_wrong: return "issuer_wrong";
        case Error::extension_unknown: return "extension_unknown";
        case Error::number_missing: return "number_missing";
        case Error::dates_wrong: return "dates_wrong";
        case Error::serial_wrong: return "serial_wrong";
        case Error::serial_repeated: return "serial_repeated";
        case Error::signer_wrong: return "signer_wrong";
        case Error::signature_mismatch: return "signature_mismatch";
        case Error::point_not_on_curve: return "point_not_on_curve";
        case Error::signer_failed: return "signer_failed";
    }
    return "unknown";
}

bool X509RevocationList::contains(Bytes serial) const {
    return std::ranges::any_of(revoked, [serial](const RevokedX509& entry) {
        return std::ranges::equal(entry.serial, serial);
    });
}

std::vector<std::vector<std::uint8_t>> X509RevocationList::serials() const {
    std::vector<std::vector<std::uint8_t>> out;
    for (const RevokedX509& entry : revoked) out.push_back(entry.serial);
    return out;
}

X509ListResult<std::string> write_x509_revocation_list(X509RevocationList list,
                                                       const X509Issuer& issuer) {
    if (!is_plain(list.issuer)) return refuse(Error::issuer_wrong);
    ONECARD_CHECK(check_fields(list));
    if (!is_on_curve(issuer.key)) return refuse(Error::point_not_on_curve);
    std::ranges::sort(list.revoked, {}, &RevokedX509::serial);
    const auto der = der::sign(to_be_signed(list, issuer.key), issuer);
    if (!der) return refuse(list_error(der.error()));
    return der::to_pem(list_label, *der);
}

std::string to_pem(const ReadX509List& list) {
    return der::to_pem(list_label, list.der);
}

X509ListResult<ReadX509List> parse_x509_revocation_list(Bytes der) {
    Parser parser;
    ONECARD_CHECK(parser.read(der));
    const mbedtls_x509_crl& read = parser.value;
    if (!parts::is_our_algorithm(read.sig_oid)) return refuse(Error::algorithm_foreign);
    ReadX509List out;
    auto issuer = parts::subject(read.issuer);
    if (!issuer) return refuse(Error::issuer_wrong);
    out.list.issuer = *std::move(issuer);
    ONECARD_TRY(number, list_number(read));
    out.list.number = number;
    const auto this_update = parts::time(read.this_update);
    const auto next_update = parts::time(read.next_update);
    if (!this_update || !next_update) return refuse(Error::dates_wrong);
    out.list.this_update = *this_update;
    out.list.next_update = *next_update;
    ONECARD_TRY(entries, entries_of(read));
    out.list.revoked = std::move(entries);
    ONECARD_CHECK(check_fields(out.list));
    out.der.assign(der.begin(), der.end());
    return out;
}

X509ListResult<std::vector<ReadX509List>> read_x509_revocation_lists(std::string_view pem) {
    const auto blocks = der::from_pem(list_label, pem);
    if (!blocks) return refuse(Error::malformed);
    std::vector<ReadX509List> out;
    for (const Der& block : *blocks) {
        ONECARD_TRY(list, parse_x509_revocation_list(block));
        out.push_back(std::move(list));
    }
    return out;
}

X509ListResult<void> verify_x509_revocation_list(const ReadX509List& list,
                                                 const X509Certificate& authority) {
    if (authority.kind == X509Kind::unit || list.list.issuer != authority.subject) {
        return refuse(Error::signer_wrong);
    }
    Parser parser;
    ONECARD_CHECK(parser.read(list.der));
    const auto signature = der::read_signature(parts::bytes(parser.value.sig));
    if (!signature ||
        !verify_p256(authority.key, sha256(parts::bytes(parser.value.tbs)), *signature)) {
        return refuse(Error::signature_mismatch);
    }
    return {};
}

}  // namespace crypto::keys
