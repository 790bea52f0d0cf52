// crypto/keys/enrolment: requests, certificates from them, renewals. docs/certificates.md, 2 and 3.
#include "crypto/keys/enrolment.hpp"

#include "crypto/keys/x509_der.hpp"
#include "tests/crypto/vectors.hpp"
#include "tests/crypto/x509_people.hpp"

using namespace tests::x509;
using tests::from_hex;
using Error = EnrolmentError;

namespace {

constexpr const char* label = "CERTIFICATE REQUEST";

struct Enrolment : Nation {
    Person host{{"city-host", "3100", "host-3100"}, random};
    std::string pem = write_enrolment_request(host.subject, host.issuer(random)).value();
    Data bytes = der::from_pem(label, pem).value().front();

    /// A request of our own making, with the parts given.
    [[nodiscard]] Data made(const Data& name, const Data& attributes, std::uint64_t version = 0) {
        return der::sign(der::sequence({der::integer(version), name, der::public_key_info(host.key),
                                        attributes}),
                         host.issuer(random))
            .value();
    }
    [[nodiscard]] UnitGrant grant() {
        return {host.subject, generate_serial(random), at(2026), at(2027)};
    }
    [[nodiscard]] IssueError issue_error(const UnitGrant& what,
                                         protocol::DateTime now = at(2026, 6)) {
        return issue_unit({host.subject, host.key}, what, city.certificate, city.signer(random),
                          now)
            .error()
            .error;
    }
};

const Data no_attributes = der::object(der::Tag::context_0, {});

}  // namespace

TEST_CASE("enrolment: a request is read as it was written (RFC 2986)") {
    Enrolment scene;
    const auto read = read_enrolment_request(scene.pem);
    REQUIRE(read.has_value());
    CHECK(read->wish == scene.host.subject);
    CHECK(read->key == scene.host.key);
    CHECK(parse_enrolment_request(scene.made(der::name(scene.host.subject), no_attributes)));
}

TEST_CASE("enrolment: each byte changed in a request is refused") {
    Enrolment scene;
    for (std::size_t at = 0; at < scene.bytes.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            Data changed = scene.bytes;
            changed[at] ^= static_cast<std::uint8_t>(1U << bit);
            INFO("byte " << at << " bit " << bit);
            CHECK_FALSE(parse_enrolment_request(changed).has_value());
        }
    }
    for (std::size_t size = 0; size < scene.bytes.size(); ++size) {
        CHECK(parse_enrolment_request(Bytes{scene.bytes}.first(size)).error() == Error::malformed);
    }
    CHECK(read_enrolment_request(scene.pem + scene.pem).error() == Error::malformed);
    CHECK(read_enrolment_request("").error() == Error::malformed);
    CHECK(parse_enrolment_request(Data(5000, 0x30)).error() == Error::malformed);
}

TEST_CASE("enrolment: the key must have signed the request that carries it") {
    Enrolment scene;
    X509Issuer thief = scene.unit.issuer(scene.random);
    thief.key = scene.host.key;
    CHECK(write_enrolment_request(scene.host.subject, thief).error() ==
          X509Error::signature_mismatch);
    // A request whose last part is another request's signature.
    const Data other =
        der::from_pem(
            label,
            write_enrolment_request(scene.host.subject, scene.unit.issuer(scene.random)).value())
            .value()
            .front();
    Data mixed = other;  // same sizes but for the signature's: take the key of one into the other
    const auto at = std::ranges::search(mixed, scene.unit.key);
    REQUIRE(!at.empty());
    std::ranges::copy(scene.host.key, at.begin());
    CHECK(parse_enrolment_request(mixed).error() == Error::proof_wrong);
}

TEST_CASE("enrolment: attributes are refused, whatever they ask for") {
    Enrolment scene;
    const Data name = der::name(scene.host.subject);
    const auto attribute = [](const char* oid, const Data& value) {
        return der::object(
            der::Tag::context_0,
            {der::sequence({der::object(der::Tag::object_identifier, {from_hex(oid)}),
                            der::object(der::Tag::set, {value})})});
    };
    const Data password = der::object(der::Tag::utf8_string, {from_hex("31323334")});
    // RFC 2985, 5.4.1 and 5.4.2: challengePassword, extensionRequest.
    for (const Data& one : {attribute("2A864886F70D010907", password),
                            attribute("2A864886F70D01090E", der::sequence({}))}) {
        CHECK(parse_enrolment_request(scene.made(name, one)).error() == Error::attributes_present);
    }
    CHECK(parse_enrolment_request(scene.made(name, no_attributes, 1)).error() == Error::malformed);
    CHECK(parse_enrolment_request(scene.made(name, {})).error() == Error::malformed);
    Data behind = no_attributes;  // two bytes more inside what is signed
    behind.insert(behind.end(), {0x05, 0x00});
    CHECK(parse_enrolment_request(scene.made(name, behind)).error() == Error::malformed);
}

TEST_CASE("enrolment: subjects are ours or refused") {
    Enrolment scene;
    const auto refused = [&](const Data& name) {
        return parse_enrolment_request(scene.made(name, no_attributes)).error() ==
               Error::subject_wrong;
    };
    const Data empty = der::sequence({});
    CHECK(parse_enrolment_request(scene.made(empty, no_attributes)).error() == Error::malformed);
    Data good = der::name(scene.host.subject);
    Data twice{good.begin() + 2, good.end()};
    twice.insert(twice.end(), good.begin() + 2, good.end());
    CHECK(refused(der::sequence({twice})));  // two of each
    CHECK(refused(der::name({"city-host", "3100", "host 3100"})));
    CHECK(refused(der::name({"city-host", "3100", ""})));
    CHECK(refused(der::name({"city-host", "3100", std::string{"a\0b", 3}})));
    const Data country = der::sequence(
        {der::object(der::Tag::set,
                     {der::sequence({der::object(der::Tag::object_identifier, {from_hex("550406")}),
                                     der::object(der::Tag::utf8_string, {from_hex("434E")})})})});
    CHECK(refused(country));
}

TEST_CASE("enrolment: the authority decides the subject, and hands its own certificate over") {
    Enrolment scene;
    const EnrolmentRequest greedy{{"national-ca", "national", "root"}, scene.host.key};
    const auto pem = issue_unit(greedy, scene.grant(), scene.city.certificate,
                                scene.city.signer(scene.random), at(2026, 6));
    REQUIRE(pem.has_value());
    const auto chain = read_certificates(*pem);
    REQUIRE(chain.has_value());
    REQUIRE(chain->size() == 2);
    CHECK(chain->front().kind == X509Kind::unit);
    CHECK(chain->front().subject == scene.host.subject);
    CHECK(chain->front().key == scene.host.key);
    CHECK(chain->front().signed_by(scene.city.certificate));
    CHECK(chain->back().der == scene.city.certificate.der);
}

TEST_CASE("enrolment: who may issue, and for how long") {
    Enrolment scene;
    CHECK(scene.issue_error(scene.grant(), at(2033)) == IssueError::authority_unfit);
    CHECK(scene.issue_error(scene.grant(), at(2021)) == IssueError::authority_unfit);
    CHECK(issue_unit({scene.host.subject, scene.host.key}, scene.grant(), scene.root.certificate,
                     scene.root.signer(scene.random), at(2026))
              .error()
              .error == IssueError::authority_unfit);
    auto grant = scene.grant();
    grant.not_after = at(2032, 1, 2);
    CHECK(scene.issue_error(grant) == IssueError::outlives_authority);
    grant.not_after = at(2027);
    grant.not_before = at(2021);
    CHECK(scene.issue_error(grant) == IssueError::outlives_authority);
    CHECK(issue_unit({scene.host.subject, scene.city.key}, scene.grant(), scene.city.certificate,
                     scene.city.signer(scene.random), at(2026))
              .error()
              .error == IssueError::authority_key_reused);
    const auto other =
        issue_unit({scene.host.subject, scene.host.key}, scene.grant(), scene.city.certificate,
                   scene.root.signer(scene.random), at(2026));
    CHECK(other.error().error == IssueError::writing_failed);
    CHECK(other.error().writing == X509Error::signature_mismatch);
}

namespace {

struct Renewal : Nation {
    Person next{{"ignored", "ignored", "ignored"}, random};
    std::string pem =
        write_renewal_request(unit.certificate, next.issuer(random), unit.signer(random)).value();

    [[nodiscard]] EnrolmentResult<RenewalRequest> read(
        const std::string& text, protocol::DateTime now = at(2026, 12),
        std::span<const std::vector<std::uint8_t>> revoked = {}) {
        return read_renewal_request(text, {city.certificate, now, revoked});
    }
    [[nodiscard]] Data block(const char* name) { return der::from_pem(name, pem).value().front(); }
    [[nodiscard]] std::string assembled(const Data& certificate, const Data& request,
                                        const Data& proof) {
        return der::to_pem("CERTIFICATE", certificate) + der::to_pem(label, request) +
               der::to_pem("ONECARD RENEWAL PROOF", proof);
    }
};

}  // namespace

TEST_CASE("renewal: the old key vouches for the new one") {
    Renewal scene;
    const auto read = scene.read(scene.pem);
    REQUIRE(read.has_value());
    CHECK(read->held.subject == scene.unit.subject);
    CHECK(read->request.key == scene.next.key);
    CHECK(read->request.wish == scene.unit.subject);
}

TEST_CASE("renewal: every refusal has its scene") {
    Renewal scene;
    const Data held = scene.block("CERTIFICATE");
    const Data request = scene.block(label);
    const Data proof = scene.block("ONECARD RENEWAL PROOF");
    CHECK(scene.read(scene.pem, at(2027, 2)).error() == Error::certificate_expired);
    CHECK(scene.read(scene.pem, at(2025)).error() == Error::certificate_expired);
    const std::vector<Data> revoked{{1, 2, 3}, scene.unit.certificate.serial};
    CHECK(scene.read(scene.pem, at(2026, 12), revoked).error() == Error::certificate_revoked);
    CHECK(scene.read("").error() == Error::malformed);
    CHECK(scene.read(scene.pem + der::to_pem("CERTIFICATE", held)).error() == Error::malformed);
    Data shorter = proof;
    shorter.pop_back();
    CHECK(scene.read(scene.assembled(held, request, shorter)).error() == Error::malformed);
    Data changed = proof;
    changed[40] ^= 1;
    CHECK(scene.read(scene.assembled(held, request, changed)).error() == Error::proof_wrong);
    changed = held;
    changed.back() ^= 1;
    CHECK(scene.read(scene.assembled(changed, request, proof)).error() ==
          Error::certificate_untrusted);
    CHECK(scene.read(scene.assembled(scene.city.certificate.der, request, proof)).error() ==
          Error::certificate_untrusted);
    changed = request;
    changed.back() ^= 1;
    CHECK(scene.read(scene.assembled(held, changed, proof)).error() == Error::proof_wrong);

    const auto same = write_renewal_request(scene.unit.certificate, scene.unit.issuer(scene.random),
                                            scene.unit.signer(scene.random));
    CHECK(scene.read(same.value()).error() == Error::key_reused);
    CHECK(write_renewal_request(scene.unit.certificate, scene.next.issuer(scene.random),
                                scene.next.signer(scene.random))
              .error() == X509Error::signature_mismatch);
    CHECK(write_renewal_request(scene.unit.certificate, scene.next.issuer(scene.random),
                                [](const Sha256Digest&) { return std::nullopt; })
              .error() == X509Error::signer_failed);
}

TEST_CASE("renewal: a proof for one request is none for another") {
    Renewal scene;
    Renewal other;
    other.next = Person{{"ignored", "ignored", "ignored"}, other.random};
    const auto second =
        write_renewal_request(scene.unit.certificate, other.next.issuer(other.random),
                              scene.unit.signer(scene.random))
            .value();
    const Data request = der::from_pem(label, second).value().front();
    CHECK(scene
              .read(scene.assembled(scene.block("CERTIFICATE"), request,
                                    scene.block("ONECARD RENEWAL PROOF")))
              .error() == Error::proof_wrong);
}
