#include "host/keys/certificate_register.hpp"

#include "host/keys/log_line.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::X509Subject;

constexpr std::size_t serial_size = 16;  // of ours
constexpr std::size_t serial_size_max = 20;
constexpr std::int64_t seconds_of_day = 86400;

std::optional<protocol::DateTime> time_of(const json::object& object, std::string_view member) {
    const auto text = text_of(object, member);
    return text ? parse_utc(*text) : std::nullopt;
}

/// OU, O, CN of a unit.
std::string unit_text(const json::object& detail) {
    return text(X509Subject{text_of(detail, "role").value_or("?"),
                            text_of(detail, "organisation").value_or("?"),
                            text_of(detail, "unit").value_or("?")});
}

class Fold {
public:
    /// What is wrong with it, or nothing.
    const char* take(const json::object& line);
    CertificateRegister finish() { return std::move(out_); }

private:
    const char* certified(const char* kind, std::string subject, const json::object& detail);
    const char* found_city(const json::object& detail);
    const char* revoked(const json::object& line, const json::object& detail);
    const char* list(const json::object& detail);
    KnownCertificate* find(std::string_view serial);
    CertificateRegister out_;
};

KnownCertificate* Fold::find(std::string_view serial) {
    const auto found = std::ranges::find(out_.certificates, serial, &KnownCertificate::serial);
    return found == out_.certificates.end() ? nullptr : &*found;
}

const char* Fold::certified(const char* kind, std::string subject, const json::object& detail) {
    const auto text = text_of(detail, "certificate");
    const auto serial = text ? parse_serial(*text) : std::nullopt;
    const auto not_after = time_of(detail, "not_after");
    if (!serial || !not_after) return "a certificate with its end";
    out_.certificates.push_back({kind,
                                 std::move(subject),
                                 serial_text(*serial),
                                 text_of(detail, "fingerprint").value_or(""),
                                 time_of(detail, "not_before").value_or(protocol::DateTime{}),
                                 *not_after,
                                 text_of(detail, "renews").value_or(""),
                                 {},
                                 {}});
    return nullptr;
}

/// A city's own log has the command, too, and a nation's older one: both without a certificate.
const char* Fold::found_city(const json::object& detail) {
    if (!detail.contains("certificate")) return nullptr;
    const auto city = text_of(detail, "city");
    const auto founded = city ? parse_city_code(*city) : std::nullopt;
    if (!founded) return "which city it founded";
    const auto subject = text_of(detail, "subject");
    return certified("authority",
                     subject.value_or(text(authority_subject(*founded, protocol::Mark::live))),
                     detail);
}

const char* Fold::revoked(const json::object& line, const json::object& detail) {
    const auto text = text_of(detail, "certificate");
    const auto serial = text ? parse_serial(*text) : std::nullopt;
    const auto at = time_of(line, "at");
    if (!serial || !at) return "which certificate it revoked, and when";
    KnownCertificate* known = find(serial_text(*serial));
    if (known == nullptr) {  // made before logs said so: the entry describes it
        const auto kind = text_of(detail, "kind");
        const auto subject = text_of(detail, "subject");
        if (!kind || !subject) return "what it revoked";
        if (const char* what = certified(kind->c_str(), *subject, detail)) return what;
        known = &out_.certificates.back();
    }
    if (!known->revoked) known->revoked = at;
    known->reason = text_of(detail, "reason").value_or("unspecified");
    return nullptr;
}

const char* Fold::list(const json::object& detail) {
    const json::value* number = detail.if_contains("number");
    const auto this_update = time_of(detail, "this_update");
    if (number == nullptr || !number->is_int64() || number->get_int64() < 1 || !this_update) {
        return "the number and date of its list";
    }
    out_.list = {static_cast<std::uint64_t>(number->get_int64()), *this_update};
    return nullptr;
}

const char* Fold::take(const json::object& line) {
    const auto command = text_of(line, "command");
    const json::value* value = line.if_contains("detail");
    if (!command || value == nullptr || !value->is_object()) return "a command with its detail";
    const json::object& detail = value->get_object();
    if (*command == "deploy" && !detail.empty())
        return certified("unit", unit_text(detail), detail);
    if (*command == "certificate-issue" || *command == "certificate-renew") {
        return certified("unit", unit_text(detail), detail);
    }
    if (*command == "found-city") return found_city(detail);
    if (*command == "certificate-revoked") return revoked(line, detail);
    if (*command == "certificate-list") return list(detail);
    return nullptr;
}

}  // namespace

const char* name(CertificateState state) {
    switch (state) {
        case CertificateState::valid: return "valid";
        case CertificateState::expiring: return "expiring";
        case CertificateState::expired: return "expired";
        case CertificateState::revoked: return "revoked";
    }
    return "unknown";
}

CertificateState state_of(const KnownCertificate& certificate, const protocol::DateTime& utc,
                          unsigned days) {
    if (certificate.revoked) return CertificateState::revoked;
    if (certificate.not_after < utc) return CertificateState::expired;
    const std::int64_t left =
        protocol::seconds_since_epoch(certificate.not_after) - protocol::seconds_since_epoch(utc);
    return left < days * seconds_of_day ? CertificateState::expiring : CertificateState::valid;
}

const KnownCertificate* CertificateRegister::find(std::string_view serial) const {
    const auto found = std::ranges::find(certificates, serial, &KnownCertificate::serial);
    return found == certificates.end() ? nullptr : &*found;
}

const KnownCertificate* CertificateRegister::with_key(std::string_view fingerprint) const {
    const auto found = std::ranges::find(certificates, fingerprint, &KnownCertificate::fingerprint);
    return found == certificates.end() ? nullptr : &*found;
}

std::vector<std::vector<std::uint8_t>> CertificateRegister::revoked_serials() const {
    std::vector<std::vector<std::uint8_t>> out;
    for (const KnownCertificate& each : certificates) {
        if (each.revoked) out.push_back(parse_serial(each.serial).value());
    }
    return out;
}

std::vector<crypto::keys::RevokedX509> CertificateRegister::entries() const {
    std::vector<crypto::keys::RevokedX509> out;
    for (const KnownCertificate& each : certificates) {
        if (!each.revoked || each.not_after < list.this_update) continue;
        const auto reason = crypto::keys::parse_revocation_reason(each.reason);
        out.push_back({parse_serial(each.serial).value(), *each.revoked,
                       reason.value_or(crypto::keys::RevocationReason::unspecified)});
    }
    return out;
}

Result<CertificateRegister> fold_certificates(std::span<const crypto::keys::LogEntry> log) {
    return fold_lines(log, Fold{});
}

std::string serial_text(crypto::Bytes serial) {
    std::vector<std::uint8_t> padded(serial.begin(), serial.end());
    if (padded.size() < serial_size) padded.insert(padded.begin(), serial_size - padded.size(), 0);
    return platform::to_hex(padded);
}

std::optional<std::vector<std::uint8_t>> parse_serial(std::string_view text) {
    auto bytes = platform::from_hex(text);
    if (!bytes) return std::nullopt;
    const auto first = std::ranges::find_if(*bytes, [](std::uint8_t byte) { return byte != 0; });
    bytes->erase(bytes->begin(), first);
    if (bytes->empty() || bytes->size() > serial_size_max) return std::nullopt;
    return bytes;
}

}  // namespace host::keys
