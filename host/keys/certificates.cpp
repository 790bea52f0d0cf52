#include "host/keys/certificates.hpp"

#include <boost/json.hpp>

#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::EnrolmentRequest;
using crypto::keys::UnitGrant;
using crypto::keys::X509Certificate;
using crypto::keys::X509Subject;

constexpr std::int64_t clock_tolerance_seconds = 600;
constexpr std::int64_t seconds_of_day = 86400;

protocol::DateTime utc_now(const platform::Clock& clock) {
    return platform::local_date_time(clock.unix_ms(), 0);
}
protocol::DateTime after(const protocol::DateTime& when, std::int64_t seconds) {
    return platform::local_date_time((protocol::seconds_since_epoch(when) + seconds) * 1000, 0);
}

Result<X509Certificate> only_certificate(const std::string& pem, const char* whose) {
    auto read = crypto::keys::read_certificates(pem);
    if (read && read->size() == 1) return std::move(read->front());
    return refuse(RefusalKind::certificate_mismatch,
                  std::string{whose} + ": " +
                      (read ? "not one certificate" : crypto::keys::name(read.error())));
}

/// `signer` is the root, or the certificate itself when it is one.
Result<Authority> authority_with(KeyStore& store, KeyName key, X509Certificate certificate,
                                 const X509Certificate& signer) {
    ONECARD_TRY(issuer, authority_in(store, key));
    if (issuer.key != certificate.key || !certificate.signed_by(signer)) {
        return refuse(RefusalKind::certificate_mismatch,
                      text(key) +
                          ": the directory's certificate.pem is not this key's, or its "
                          "root did not sign it");
    }
    return Authority{&store, std::move(key), std::move(certificate)};
}

std::string without_spaces(std::string text) {
    std::erase(text, ' ');
    std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' ? c - 'a' + 'A' : c; });
    return text;
}

/// Log line and certificate of a unit say the same.
KnownCertificate entry_of(const UnitGrant& grant, const EnrolmentRequest& request) {
    return {"unit",
            text(grant.subject),
            serial_text(grant.serial),
            fingerprint_text(request.key),
            grant.not_before,
            grant.not_after,
            {},
            {},
            {}};
}

json::object detail_of(const KnownCertificate& entry, const X509Subject& subject) {
    json::object detail{{"role", subject.role},
                        {"organisation", subject.organisation},
                        {"unit", subject.unit},
                        {"certificate", entry.serial},
                        {"fingerprint", entry.fingerprint},
                        {"not_before", utc_text(entry.not_before)},
                        {"not_after", utc_text(entry.not_after)}};
    if (!entry.renews.empty()) detail["renews"] = entry.renews;
    return detail;
}

/// A serial that this authority has not used.
crypto::keys::X509Serial fresh_serial(const CertificateRegister& known, crypto::Random& random) {
    crypto::keys::X509Serial serial = crypto::keys::generate_serial(random);
    while (known.find(serial_text(serial)) != nullptr) {
        serial = crypto::keys::generate_serial(random);
    }
    return serial;
}

class Issuing {
public:
    Issuing(const Authority& authority, CertificateRegister known, crypto::Random& random,
            const platform::Clock& clock)
        : authority_{authority}, known_{std::move(known)}, random_{random}, clock_{clock} {}
    [[nodiscard]] const CertificateRegister& known() const { return known_; }
    /// Signs, logs, answers. `renews`: a serial or empty.
    Result<IssuedCertificate> issue(const EnrolmentRequest& request, const X509Subject& subject,
                                    unsigned days, const std::string& renews);

private:
    Result<IssuedCertificate> again(const EnrolmentRequest& request, const X509Subject& subject,
                                    const KnownCertificate& held, const std::string& renews);
    Result<std::string> sign(const EnrolmentRequest& request, const UnitGrant& grant);
    [[nodiscard]] UnitGrant grant_of(const X509Subject& subject, unsigned days);

    const Authority& authority_;
    CertificateRegister known_;
    crypto::Random& random_;
    const platform::Clock& clock_;
};

UnitGrant Issuing::grant_of(const X509Subject& subject, unsigned days) {
    const protocol::DateTime now = utc_now(clock_);
    return {subject, fresh_serial(known_, random_),
            std::max(after(now, -clock_tolerance_seconds), authority_.certificate.not_before),
            after(now, days * seconds_of_day)};
}

Result<std::string> Issuing::sign(const EnrolmentRequest& request, const UnitGrant& grant) {
    ONECARD_TRY(issuer, authority_in(*authority_.store, authority_.key));
    auto pem = crypto::keys::issue_unit(request, grant, authority_.certificate, issuer.sign,
                                        utc_now(clock_));
    if (pem) return *std::move(pem);
    using crypto::keys::IssueError;
    const bool writing = pem.error().error == IssueError::writing_failed;
    std::string detail = text(grant.subject) + ": " +
                         (writing ? name(pem.error().writing) : name(pem.error().error));
    if (pem.error().error == IssueError::outlives_authority) {
        detail +=
            ": the authority ends " + utc_text(authority_.certificate.not_after) + ": fewer --days";
    }
    return refuse(RefusalKind::certificate_refused, std::move(detail));
}

/// A request that was answered: the same certificate again, from what the log says of it. An
/// interrupted command ends so, and a replayed request gets nothing new.
Result<IssuedCertificate> Issuing::again(const EnrolmentRequest& request,
                                         const X509Subject& subject, const KnownCertificate& held,
                                         const std::string& renews) {
    if (held.subject != text(subject) || held.renews != renews) {
        return refuse(
            RefusalKind::key_certified,
            "this key has certificate " + held.serial + " of " + held.subject +
                ": each certificate is for a key of its own, `request --again` makes one");
    }
    if (held.revoked) {
        return refuse(
            RefusalKind::already_revoked,
            held.serial + ", this key's certificate: make another key, `request --again`");
    }
    if (held.not_after < utc_now(clock_)) {
        return refuse(RefusalKind::certificate_expired,
                      held.serial + ", this key's certificate, ended " + utc_text(held.not_after) +
                          ": make another key, `request --again`");
    }
    UnitGrant grant{subject, {}, held.not_before, held.not_after};
    const auto serial = platform::from_hex<16>(held.serial);
    if (!serial) return refuse(RefusalKind::log_malformed, held.serial + " is no serial of ours");
    grant.serial = *serial;
    ONECARD_TRY(pem, sign(request, grant));
    return IssuedCertificate{std::move(pem), held, true};
}

Result<IssuedCertificate> Issuing::issue(const EnrolmentRequest& request,
                                         const X509Subject& subject, unsigned days,
                                         const std::string& renews) {
    const KnownCertificate* held = known_.with_key(fingerprint_text(request.key));
    if (held != nullptr) return again(request, subject, *held, renews);
    const UnitGrant grant = grant_of(subject, days);
    ONECARD_TRY(pem, sign(request, grant));
    KnownCertificate entry = entry_of(grant, request);
    entry.renews = renews;
    const char* const name = renews.empty() ? "certificate-issue" : "certificate-renew";
    ONECARD_CHECK(record(*authority_.store,
                         command(clock_, name, json::serialize(detail_of(entry, subject)))));
    return IssuedCertificate{std::move(pem), std::move(entry), false};
}

std::unexpected<Refusal> request_refused(crypto::keys::EnrolmentError error) {
    using Error = crypto::keys::EnrolmentError;
    std::string detail = name(error);
    if (error == Error::certificate_expired || error == Error::certificate_revoked) {
        detail += ": no renewal: let the unit make a request, and enrol it again";
    }
    return refuse(RefusalKind::request_refused, std::move(detail));
}

/// Whose organisation is a city names this one. A terminal's is its operator.
Result<void> check_wish(const X509Subject& wish, const City& city) {
    const auto role = platform::parse_peer_role(wish.role);
    const bool ours = role && *role != platform::PeerRole::terminal &&
                      *role != platform::PeerRole::operator_admin;
    if (!ours || wish.organisation == city_digits(city.identity.city)) return {};
    return refuse(
        RefusalKind::city_mismatch,
        "the request is of " + text(wish) + ", this is city " + city_digits(city.identity.city));
}

Result<KnownCertificate> described(const Authority& authority, const std::string& pem) {
    const auto read = crypto::keys::read_certificates(pem);
    if (!read) {
        return refuse(RefusalKind::input_wrong,
                      std::string{"--certificate: "} + crypto::keys::name(read.error()));
    }
    const X509Certificate& certificate = read->front();
    if (!certificate.signed_by(authority.certificate)) {
        return refuse(RefusalKind::certificate_unknown, text(certificate.subject) + ": " +
                                                            text(authority.certificate.subject) +
                                                            " did not sign it");
    }
    return KnownCertificate{
        certificate.kind == crypto::keys::X509Kind::authority ? "authority" : "unit",
        text(certificate.subject),
        serial_text(certificate.serial),
        fingerprint_text(certificate.key),
        certificate.not_before,
        certificate.not_after,
        {},
        {},
        {}};
}

/// What the log knows of it; for one from before logs said so, what the certificate itself says.
Result<KnownCertificate> target_of(const Authority& authority, const CertificateRegister& known,
                                   const RevocationTarget& target) {
    if (target.serial.empty() == target.certificate_pem.empty()) {
        return refuse(RefusalKind::input_wrong, "name the certificate: --serial or --certificate");
    }
    KnownCertificate wanted;
    if (target.serial.empty()) {
        ONECARD_TRY(from_file, described(authority, target.certificate_pem));
        wanted = std::move(from_file);
    } else {
        const auto serial = parse_serial(target.serial);
        if (!serial) return refuse(RefusalKind::input_wrong, "--serial: up to 40 hex digits");
        wanted.serial = serial_text(*serial);
    }
    if (const auto* found = known.find(wanted.serial)) return *found;
    if (!target.serial.empty()) {
        return refuse(RefusalKind::certificate_unknown,
                      wanted.serial +
                          ": the log of this store has no certificate of that serial; "
                          "if it is old, name its file with --certificate");
    }
    return wanted;
}

}  // namespace

Result<Authority> authority_of(City& city) {
    ONECARD_TRY(own, only_certificate(city.authority_pem, "the city's certificate.pem"));
    ONECARD_TRY(root, only_certificate(city.root_pem, "the city's national-root.pem"));
    if (own.subject != authority_subject(city.identity.city, city.identity.mark) ||
        root.subject != root_subject(city.identity.mark)) {
        return refuse(RefusalKind::certificate_mismatch,
                      text(own.subject) + " below " + text(root.subject) +
                          " is not the authority of city " + city_digits(city.identity.city));
    }
    return authority_with(*city.store, crypto::keys::city_authority(city.identity.city),
                          std::move(own), root);
}

Result<Authority> authority_of(Nation& nation) {
    ONECARD_TRY(root, only_certificate(nation.root_pem, "the nation's certificate.pem"));
    return authority_with(*nation.store, crypto::keys::national_authority(), root, root);
}

Result<IssuedCertificate> issue_certificate(City& city, std::string_view request,
                                            const UnitOrder& order, crypto::Random& random,
                                            const platform::Clock& clock) {
    const auto read = crypto::keys::read_enrolment_request(request);
    if (!read) return request_refused(read.error());
    ONECARD_CHECK(check_wish(read->wish, city));
    if (without_spaces(order.fingerprint) != fingerprint_text(read->key)) {
        return refuse(RefusalKind::fingerprint_wrong,
                      // Not shown: what the unit reads out must come from the unit.
                      "the request carries another key than the one that was read out: let the "
                      "unit read it out again; if that was right, the file was exchanged");
    }
    ONECARD_TRY(authority, authority_of(city));
    ONECARD_TRY(known, fold_certificates(city.store->log()));
    Issuing issuing{authority, std::move(known), random, clock};
    return issuing.issue(*read, {platform::name(order.role), order.organisation, order.unit},
                         order.days, {});
}

Result<IssuedCertificate> renew_certificate(City& city, std::string_view renewal, unsigned days,
                                            crypto::Random& random, const platform::Clock& clock) {
    ONECARD_TRY(authority, authority_of(city));
    ONECARD_TRY(known, fold_certificates(city.store->log()));
    const auto revoked = known.revoked_serials();
    const auto read = crypto::keys::read_renewal_request(
        renewal, {authority.certificate, utc_now(clock), revoked});
    if (!read) return request_refused(read.error());
    const std::string held = serial_text(read->held.serial);
    if (known.find(held) == nullptr) {
        return refuse(RefusalKind::certificate_unknown,
                      held +
                          ": the city's log has no such certificate: is an old copy of the store "
                          "in use?");
    }
    Issuing issuing{authority, std::move(known), random, clock};
    return issuing.issue(read->request, read->held.subject, days, held);
}

Result<Revoked> revoke_certificate(const Authority& authority, const RevocationTarget& target,
                                   crypto::keys::RevocationReason reason,
                                   const platform::Clock& clock) {
    if (reason == crypto::keys::RevocationReason::certificate_hold) {
        return refuse(RefusalKind::input_wrong,
                      "--reason certificateHold: a revocation here is for good");
    }
    ONECARD_TRY(known, fold_certificates(authority.store->log()));
    ONECARD_TRY(wanted, target_of(authority, known, target));
    if (wanted.revoked) {
        return refuse(RefusalKind::already_revoked,
                      wanted.serial + " of " + wanted.subject + ", " + utc_text(*wanted.revoked));
    }
    Revoked out{wanted, {}};
    out.certificate.revoked = utc_now(clock);
    out.certificate.reason = name(reason);
    const json::object detail{{"certificate", wanted.serial},
                              {"kind", wanted.kind},
                              {"subject", wanted.subject},
                              {"not_before", utc_text(wanted.not_before)},
                              {"not_after", utc_text(wanted.not_after)},
                              {"reason", out.certificate.reason}};
    ONECARD_CHECK(
        record(*authority.store, command(clock, "certificate-revoked", json::serialize(detail))));
    for (const KnownCertificate& each : known.certificates) {
        if (each.renews == wanted.serial && !each.revoked) out.renewed.push_back(each.serial);
    }
    return out;
}

Result<WrittenList> write_list(const Authority& authority, unsigned days,
                               const platform::Clock& clock) {
    ONECARD_TRY(known, fold_certificates(authority.store->log()));
    ONECARD_TRY(issuer, authority_in(*authority.store, authority.key));
    const protocol::DateTime now = utc_now(clock);
    crypto::keys::X509RevocationList list{authority.certificate.subject, known.list.number + 1, now,
                                          after(now, days * seconds_of_day), known.entries()};
    auto pem = crypto::keys::write_x509_revocation_list(list, issuer);
    if (!pem) {
        const bool clock_wrong = pem.error() == crypto::keys::X509ListError::dates_wrong;
        return refuse(
            RefusalKind::list_refused,
            std::string{name(pem.error())} +
                (clock_wrong ? ": a revocation is later than now: look at the clock" : ""));
    }
    const json::object detail{{"number", list.number},
                              {"this_update", utc_text(list.this_update)},
                              {"next_update", utc_text(list.next_update)},
                              {"entries", list.revoked.size()}};
    ONECARD_CHECK(
        record(*authority.store, command(clock, "certificate-list", json::serialize(detail))));
    return WrittenList{*std::move(pem), std::move(list)};
}

}  // namespace host::keys
