// A unit's certificate from request to revocation, and what is refused on the way.
// docs/certificates.md, 6.
#include "host/keys/city_register.hpp"
#include "platform/files.hpp"
#include "platform/tls.hpp"
#include "tests/host/keys/certificate_scene.hpp"

namespace {

using crypto::keys::RevocationReason;
using host::keys::RefusalKind;
using keys_test::CertificateScene;
using keys_test::day_ms;
using keys_test::kind_of;
using States = std::vector<std::string>;

constexpr RevocationReason compromised = RevocationReason::key_compromise;

/// The word of the library in a refusal.
template <class T>
bool says(const host::keys::Result<T>& result, const char* word) {
    return !result && result.error().detail.find(word) != std::string::npos;
}

std::string text_of(const std::filesystem::path& file) {
    return platform::read_text_file(file, 1 << 20).value();
}
void write_text(const std::filesystem::path& file, const std::string& text) {
    REQUIRE(platform::replace_file(file, std::string_view{text}));
}

}  // namespace

TEST_CASE("certificate: requested, issued, installed, and the program takes the new key") {
    CertificateScene scene;
    const std::string before = scene.serial_in_use();
    const auto made = scene.request({}).value();
    CHECK_FALSE(made.resumed);
    CHECK(scene.key_states() == States{"active", "planned"});
    CHECK(scene.serial_in_use() == before);
    const auto issued = scene.issue(made.pem, scene.order_for(made)).value();
    CHECK_FALSE(issued.repeated);
    CHECK(issued.entry.subject == "OU=desk, O=3100, CN=desk-1");
    CHECK(scene.starts());
    const auto installed = scene.install(issued.pem).value();
    CHECK(installed.changed);
    CHECK(scene.key_states() == States{"active", "active"});
    CHECK(scene.serial_in_use() == issued.entry.serial);
    CHECK(scene.starts());
    CHECK_FALSE(scene.install(issued.pem).value().changed);
    CHECK_FALSE(scene
                    .install("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n" +
                             issued.pem + "and a word\n")
                    .value()
                    .changed);
    CHECK(text_of(scene.directory / host::keys::certificate_file) == issued.pem);
    CHECK(scene.key_states() == States{"destroyed", "active"});
    CHECK(scene.starts());

    const auto unit = scene.unit();
    platform::TlsMaterial material;
    material.certificate_pem = unit.certificate_pem;
    material.trusted_pem = unit.root_pem;
    material.private_key = crypto::keys::reveal_tls_key(*unit.store, unit.certificate_pem).value();
    CHECK(platform::TlsContext::make(platform::TlsContext::Side::client, material,
                                     scene.founded.random));
}

TEST_CASE("certificate: a renewal needs no fingerprint, and the key before last is destroyed") {
    CertificateScene scene;
    const std::string first = scene.serial_in_use();
    const auto renewal = scene.request({.renew = true}).value();
    const auto renewed = scene.renew(renewal.pem).value();
    CHECK(renewed.entry.renews == first);
    REQUIRE(scene.install(renewed.pem));
    CHECK(scene.key_states() == States{"active", "active"});
    const auto next = scene.request({.renew = true}).value();
    const auto last = scene.renew(next.pem).value();
    CHECK(last.entry.renews == renewed.entry.serial);
    REQUIRE(scene.install(last.pem));
    CHECK(scene.key_states() == States{"destroyed", "active", "active"});
    CHECK(scene.starts());
    const auto places = host::keys::fold_log(scene.founded.city.store->log()).value().places;
    REQUIRE(places.size() == 1);
    CHECK(places.front().certificate == last.entry.serial);
    CHECK(places.front().in_service());
}

TEST_CASE("request: asked again it is the same key, unless another one is wanted") {
    CertificateScene scene;
    const auto made = scene.request({}).value();
    const auto same = scene.request({}).value();
    CHECK(same.resumed);
    CHECK(same.fingerprint == made.fingerprint);
    CHECK(same.pem == made.pem);
    const auto other = scene.request({.again = true}).value();
    CHECK_FALSE(other.resumed);
    CHECK(other.fingerprint != made.fingerprint);
    CHECK(scene.key_states() == States{"active", "destroyed", "planned"});
    const auto late = scene.issue(made.pem, scene.order_for(made)).value();
    CHECK(kind_of(scene.install(late.pem)) == "certificate_mismatch");
    CHECK(scene.starts());
}

TEST_CASE("request: refused for another passphrase, another mark, an expired certificate") {
    CertificateScene scene;
    auto& random = scene.founded.random;
    CHECK(kind_of(host::keys::open_unit(scene.directory, keys_test::bytes_of("another"), random)) ==
          "store_failed");
    scene.founded.clock.advance_ms(366 * day_ms);
    CHECK(kind_of(scene.request({.renew = true})) == "certificate_expired");
    CHECK(kind_of(scene.request({})) == "accepted");
    const auto file = scene.directory / host::keys::deployment_file;
    std::string deployment = text_of(file);
    deployment.replace(deployment.find("rehearsal"), 9, "live");
    write_text(file, deployment);
    CHECK(kind_of(host::keys::open_unit(scene.directory, keys_test::bytes_of(keys_test::words),
                                        random)) == "mark_mismatch");
}

TEST_CASE("issue: what the custodians do not confirm is not signed") {
    CertificateScene scene;
    const auto made = scene.request({}).value();
    const std::size_t entries = scene.founded.city.store->log().size();
    auto order = scene.order_for(made);
    order.fingerprint[0] = order.fingerprint[0] == '0' ? '1' : '0';
    const auto wrong = scene.issue(made.pem, order);
    CHECK(kind_of(wrong) == "fingerprint_wrong");
    CHECK_FALSE(says(wrong, made.fingerprint.substr(0, 9).c_str()));
    order.fingerprint = made.fingerprint.substr(0, 40);
    CHECK(kind_of(scene.issue(made.pem, order)) == "fingerprint_wrong");
    order.fingerprint.clear();
    CHECK(kind_of(scene.issue(made.pem, order)) == "fingerprint_wrong");

    order = scene.order_for(made);
    CHECK(says(scene.issue("", order), "malformed"));
    CHECK(says(scene.issue(made.pem + made.pem, order), "malformed"));
    CHECK(says(scene.issue(std::string(5000, 'A'), order), "malformed"));
    std::string changed = made.pem;
    changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
    CHECK(kind_of(scene.issue(changed, order)) == "request_refused");

    order.unit = "no name of ours";
    CHECK(says(scene.issue(made.pem, order), "subject_wrong"));
    order = scene.order_for(made);
    order.days = 3653;  // the authority has ten years
    CHECK(says(scene.issue(made.pem, order), "outlives_authority"));
    CHECK(scene.founded.city.store->log().size() == entries);
    for (char& c : order.fingerprint) c = static_cast<char>(std::tolower(c));
    std::erase(order.fingerprint, ' ');
    order.days = 1;
    CHECK(kind_of(scene.issue(made.pem, order)) == "accepted");
}

TEST_CASE("issue: a city does not certify another city's units") {
    CertificateScene scene;
    const auto wish = [&](const crypto::keys::X509Subject& subject) {
        const auto key = crypto::keys::generate_p256(scene.founded.random);
        const auto point = crypto::keys::public_key_of(key, scene.founded.random).value();
        const auto pem =
            crypto::keys::write_enrolment_request(
                subject, {point, crypto::keys::software_signer(key, scene.founded.random)})
                .value();
        return scene.issue(pem, {platform::PeerRole::city_host, "3100", "host-1", 365,
                                 crypto::keys::key_fingerprint(point)});
    };
    CHECK(kind_of(wish({"city-host", "4403", "host-1"})) == "city_mismatch");
    CHECK(kind_of(wish({"desk", "4403", "host-1"})) == "city_mismatch");
    CHECK(kind_of(wish({"city-host", "3100", "host-1"})) == "accepted");
    CHECK(kind_of(wish({"terminal", "0000000000004403", "host-1"})) == "accepted");
}

TEST_CASE("issue: a request that comes twice gets the same certificate, and no other") {
    CertificateScene scene;
    const auto made = scene.request({}).value();
    const auto first = scene.issue(made.pem, scene.order_for(made)).value();
    scene.founded.clock.advance_ms(day_ms);
    const auto second = scene.issue(made.pem, scene.order_for(made)).value();
    CHECK(second.repeated);
    CHECK(second.pem == first.pem);
    CHECK(scene.known().certificates.size() == 2);
    auto order = scene.order_for(made);
    order.unit = "desk-2";
    CHECK(kind_of(scene.issue(made.pem, order)) == "key_certified");
    REQUIRE(scene.revoke(first.entry.serial));
    CHECK(kind_of(scene.issue(made.pem, scene.order_for(made))) == "already_revoked");
    CHECK(scene.known().certificates.size() == 2);
}

TEST_CASE("issue: a key whose certificate has ended needs another key") {
    CertificateScene scene;
    const auto made = scene.request({}).value();
    REQUIRE(scene.issue(made.pem, scene.order_for(made)));
    scene.founded.clock.advance_ms(366 * day_ms);
    CHECK(kind_of(scene.issue(made.pem, scene.order_for(made))) == "certificate_expired");
    const auto other = scene.request({.again = true}).value();
    CHECK(kind_of(scene.issue(other.pem, scene.order_for(other))) == "accepted");
}

TEST_CASE("renew: refused after revocation and expiry, for replays and for another city's unit") {
    CertificateScene scene;
    const auto renewal = scene.request({.renew = true}).value();
    const auto renewed = scene.renew(renewal.pem).value();
    const auto again = scene.renew(renewal.pem).value();
    CHECK(again.repeated);
    CHECK(again.pem == renewed.pem);
    // The same key cannot be enrolled beside it.
    const auto enrolment = scene.request({}).value();
    CHECK(enrolment.fingerprint == renewal.fingerprint);
    CHECK(kind_of(scene.issue(enrolment.pem, scene.order_for(enrolment))) == "key_certified");

    CertificateScene foreign{2};
    const auto theirs = foreign.request({.renew = true}).value();
    CHECK(says(scene.renew(theirs.pem), "certificate_untrusted"));
    CHECK(says(scene.renew(enrolment.pem), "malformed"));
    CHECK(says(scene.renew(renewal.pem.substr(0, renewal.pem.size() / 2)), "malformed"));

    REQUIRE(scene.revoke(scene.serial_in_use()));
    CHECK(says(scene.renew(renewal.pem), "certificate_revoked"));
    CHECK(says(foreign.renew(theirs.pem, 3653), "outlives_authority"));
    foreign.founded.clock.advance_ms(366 * day_ms);
    CHECK(says(foreign.renew(theirs.pem), "certificate_expired"));
}

TEST_CASE("install: refuses what is not this unit's, not below its root, not good now") {
    CertificateScene scene;
    const std::string before = scene.serial_in_use();
    const auto made = scene.request({}).value();
    auto order = scene.order_for(made);
    order.unit = "desk-2";
    const auto misnamed = scene.issue(made.pem, order).value();
    CHECK(kind_of(scene.install(misnamed.pem)) == "certificate_mismatch");

    CertificateScene foreign{2};
    const auto theirs = foreign.issued();
    CHECK(kind_of(scene.install(theirs.pem)) == "certificate_mismatch");
    const auto authority_at = [](const std::string& pem) { return pem.find("-----BEGIN", 1); };
    const auto other = scene.request({.again = true}).value();
    const auto right = scene.issue(other.pem, scene.order_for(other)).value();
    const std::string alone = right.pem.substr(0, authority_at(right.pem));
    CHECK(kind_of(scene.install(alone)) == "certificate_mismatch");
    CHECK(kind_of(scene.install(alone + theirs.pem.substr(authority_at(theirs.pem)))) ==
          "certificate_mismatch");
    CHECK(kind_of(scene.install(right.pem.substr(authority_at(right.pem)))) ==
          "certificate_mismatch");
    CHECK(kind_of(scene.install(right.pem + right.pem)) == "certificate_mismatch");
    CHECK(kind_of(scene.install("")) == "input_wrong");
    CHECK(kind_of(scene.install(std::string(5000, 'A'))) == "input_wrong");
    scene.founded.clock.advance_ms(-day_ms);
    CHECK(kind_of(scene.install(right.pem)) == "certificate_expired");  // not valid yet
    scene.founded.clock.advance_ms(367 * day_ms);
    CHECK(kind_of(scene.install(right.pem)) == "certificate_expired");
    CHECK(scene.serial_in_use() == before);
    CHECK(scene.key_states() == States{"active", "destroyed", "planned"});
    CHECK(scene.starts());
}

TEST_CASE("install: an older certificate does not come back, nor a revoked one in") {
    CertificateScene scene;
    const std::string first = scene.unit().certificate_pem;
    const auto issued = scene.issued();
    REQUIRE(scene.install(issued.pem));
    CHECK(kind_of(scene.install(first)) == "step_out_of_order");
    CHECK(scene.serial_in_use() == issued.entry.serial);

    const auto next = scene.issued();
    REQUIRE(scene.revoke(next.entry.serial));
    const auto list =
        write_list(authority_of(scene.founded.city).value(), 7, scene.founded.clock).value();
    REQUIRE(host::keys::install_lists(scene.directory, list.pem).value() == 1);
    CHECK(kind_of(scene.install(next.pem)) == "already_revoked");
}

TEST_CASE("revoke: by serial or file, once, and only what this authority has signed") {
    CertificateScene scene;
    const auto issued = scene.issued();
    const auto authority = authority_of(scene.founded.city).value();
    const auto revoke = [&](const host::keys::RevocationTarget& target,
                            RevocationReason reason = compromised) {
        return revoke_certificate(authority, target, reason, scene.founded.clock);
    };
    CHECK(kind_of(revoke({})) == "input_wrong");
    CHECK(kind_of(revoke({issued.entry.serial, issued.pem})) == "input_wrong");
    CHECK(kind_of(revoke({"nothing", {}})) == "input_wrong");
    CHECK(kind_of(revoke({std::string(42, '1'), {}})) == "input_wrong");
    CHECK(kind_of(revoke({"00", {}})) == "input_wrong");
    CHECK(kind_of(revoke({std::string(32, '1'), {}})) == "certificate_unknown");
    CHECK(kind_of(revoke({{}, "no certificate"})) == "input_wrong");
    CHECK(kind_of(revoke({{}, scene.founded.city.root_pem})) == "certificate_unknown");
    CHECK(kind_of(revoke({{}, CertificateScene{2}.issued().pem})) == "certificate_unknown");
    CHECK(kind_of(revoke({issued.entry.serial, {}}, RevocationReason::certificate_hold)) ==
          "input_wrong");
    CHECK(kind_of(revoke({{}, issued.pem})) == "accepted");
    CHECK(kind_of(revoke({issued.entry.serial, {}})) == "already_revoked");
    CHECK(scene.known().find(issued.entry.serial)->reason == "keyCompromise");
}

TEST_CASE("revoke: names the renewals that are still good, and takes the place out of service") {
    CertificateScene scene;
    const std::string first = scene.serial_in_use();
    const auto renewed = scene.renew(scene.request({.renew = true}).value().pem).value();
    CHECK(scene.revoke(first).value().renewed == std::vector{renewed.entry.serial});
    const auto place = [&] {
        return host::keys::fold_log(scene.founded.city.store->log()).value().places.front();
    };
    CHECK(place().in_service());  // it goes on with the renewal
    CHECK(scene.revoke(renewed.entry.serial).value().renewed.empty());
    CHECK_FALSE(place().in_service());
}

TEST_CASE("crl: numbers rise by one, an entry stays until one list after its certificate's end") {
    CertificateScene scene;
    const auto issued = scene.issued();
    const auto authority = authority_of(scene.founded.city).value();
    const auto next_list = [&] { return write_list(authority, 7, scene.founded.clock).value(); };
    CHECK(next_list().list.revoked.empty());
    REQUIRE(scene.revoke(issued.entry.serial));
    const auto second = next_list();
    CHECK(second.list.number == 2);
    REQUIRE(second.list.revoked.size() == 1);
    const auto read = crypto::keys::read_x509_revocation_lists(second.pem).value();
    CHECK(verify_x509_revocation_list(read.front(), authority.certificate));
    scene.founded.clock.advance_ms(366 * day_ms);
    CHECK(next_list().list.revoked.size() == 1);
    const auto last = next_list();
    CHECK(last.list.number == 4);
    CHECK(last.list.revoked.empty());
    scene.founded.clock.advance_ms(-400 * day_ms);
    CHECK(kind_of(write_list(authority, 7, scene.founded.clock)) == "accepted");  // nothing listed
    REQUIRE(scene.revoke(scene.serial_in_use()));
    scene.founded.clock.advance_ms(-day_ms);
    CHECK(kind_of(write_list(authority, 7, scene.founded.clock)) == "list_refused");
}

TEST_CASE("crl: the nation's list names a city's authority, known from the founding") {
    CertificateScene scene;
    const auto root = authority_of(scene.founded.nation).value();
    const auto known = host::keys::fold_certificates(scene.founded.nation.store->log()).value();
    REQUIRE(known.certificates.size() == 1);
    CHECK(known.certificates.front().subject == "OU=city-ca, O=3100, CN=rehearsal-authority");
    const auto unit = scene.serial_in_use();
    CHECK(kind_of(revoke_certificate(root, {unit, {}}, compromised, scene.founded.clock)) ==
          "certificate_unknown");
    CHECK(kind_of(revoke_certificate(root, {{}, scene.founded.city.authority_pem}, compromised,
                                     scene.founded.clock)) == "accepted");
    CHECK(kind_of(revoke_certificate(root, {known.certificates.front().serial, {}}, compromised,
                                     scene.founded.clock)) == "already_revoked");
    CHECK(write_list(root, 7, scene.founded.clock).value().list.revoked.size() == 1);
}

TEST_CASE("authority: a directory whose certificate is another key's signs nothing") {
    CertificateScene scene;
    CertificateScene foreign{2};
    auto& city = scene.founded.city;
    const std::string own = city.authority_pem;
    for (const auto& wrong : {std::string{}, foreign.founded.city.authority_pem, city.root_pem,
                              own + own, std::string{"half a fi"}}) {
        city.authority_pem = wrong;
        CHECK(kind_of(authority_of(city)) == "certificate_mismatch");
    }
    city.authority_pem = own;
    city.root_pem = foreign.founded.city.root_pem;
    CHECK(kind_of(authority_of(city)) == "certificate_mismatch");
    scene.founded.nation.root_pem = foreign.founded.city.root_pem;
    CHECK(kind_of(authority_of(scene.founded.nation)) == "certificate_mismatch");
}

TEST_CASE("install-crl: each list in the place of its older one, and nothing older or forged") {
    CertificateScene scene;
    CertificateScene foreign{2};
    auto& clock = scene.founded.clock;
    const auto city = authority_of(scene.founded.city).value();
    const auto root = authority_of(scene.founded.nation).value();
    const auto first = write_list(city, 7, clock).value().pem;
    const auto second = write_list(city, 7, clock).value().pem;
    const auto install = [&](const std::string& pem) {
        return host::keys::install_lists(scene.directory, pem);
    };
    CHECK(install(second).value() == 1);
    CHECK(install(second).value() == 1);
    CHECK(install(write_list(root, 7, clock).value().pem).value() == 2);
    // Another city's, of the same nation: known by its authority's certificate, beside it or not at
    // all, or its number would keep the right one out.
    const auto at = scene.founded.directory.path / "other";
    const auto people = keys_test::two_people();
    REQUIRE(host::keys::found_city(
        {at, people, host::keys::Mark::rehearsal}, scene.founded.nation, protocol::CityCode{0x4401},
        protocol::IssuerId{{0x44, 0x01, 0, 0, 0, 0, 0, 1}}, scene.founded.random, clock));
    auto other = host::keys::open_city(at, people.people, scene.founded.random).value();
    const auto guests = write_list(authority_of(other).value(), 7, clock).value().pem;
    CHECK(kind_of(install(guests)) == "list_refused");
    CHECK(kind_of(install(guests + foreign.founded.city.authority_pem)) == "list_refused");
    CHECK(install(guests + other.authority_pem).value() == 3);
    const std::string before = text_of(scene.directory / platform::revoked_file_name);
    CHECK(kind_of(install(first)) == "list_refused");
    CHECK(kind_of(install("half a fi")) == "list_refused");
    const auto forged = authority_of(foreign.founded.city).value();
    std::string theirs;  // above ours, so that only the signature is wrong
    for (int i = 0; i < 3; ++i) theirs = write_list(forged, 7, foreign.founded.clock).value().pem;
    const auto refused = install(theirs);
    CHECK(kind_of(refused) == "list_refused");
    CHECK(says(refused, "signature_mismatch"));
    CHECK(text_of(scene.directory / platform::revoked_file_name) == before);
    CHECK(install(write_list(city, 7, clock).value().pem).value() == 3);
}

TEST_CASE("fold_certificates: an entry of ours that lacks a member is named") {
    const auto fold = [](const std::string& command, const std::string& detail) {
        const std::array log{
            crypto::keys::LogEntry{R"({"n":1,"at":"2026-01-01T00:00:00Z","command":")" + command +
                                       R"(","detail":)" + detail + "}",
                                   {}}};
        return host::keys::fold_certificates(log);
    };
    const std::string whole =
        R"({"role":"desk","organisation":"3100","unit":"desk-1","certificate":"11",)"
        R"("not_after":"2027-01-01T00:00:00Z"})";
    CHECK(fold("certificate-issue", whole).value().certificates.front().serial ==
          std::string(30, '0') + "11");
    for (const char* wrong : {"{}", R"({"certificate":"11"})",
                              R"({"certificate":"xx","not_after":"2027-01-01T00:00:00Z"})",
                              R"({"certificate":"11","not_after":"2027-13-01T00:00:00Z"})",
                              R"({"certificate":"11","not_after":"2027-01-01 00:00:00Z"})"}) {
        INFO(wrong);
        CHECK(kind_of(fold("certificate-issue", wrong)) == "log_malformed");
        CHECK(kind_of(fold("certificate-renew", wrong)) == "log_malformed");
        CHECK(kind_of(fold("certificate-revoked", wrong)) == "log_malformed");
    }
    CHECK(kind_of(fold("certificate-list", "{}")) == "log_malformed");
    CHECK(kind_of(fold("certificate-list",
                       R"({"number":0,"this_update":"2026-01-01T00:00:00Z"})")) == "log_malformed");
    CHECK(kind_of(fold("certificate-list", R"({"number":1})")) == "log_malformed");
    CHECK(kind_of(fold("found-city", R"({"city":"3100"})")) == "accepted");
    CHECK(kind_of(fold("found-city", R"({"city":"3100","certificate":"11"})")) == "log_malformed");
    CHECK(kind_of(fold("something-else", "{}")) == "accepted");
}
