#pragma once
// A root, a city's authority and a unit with throw-away keys, for the tests of X.509.
#include <doctest/doctest.h>

#include "crypto/keys/enrolment.hpp"
#include "crypto/keys/x509_revocation.hpp"
#include "crypto/random/seeded_random.hpp"

namespace tests::x509 {

using namespace crypto::keys;
using crypto::Bytes;
using Data = std::vector<std::uint8_t>;

inline protocol::DateTime at(unsigned year, unsigned month = 1, unsigned day = 1) {
    return {*protocol::Date::make(year, month, day), {}};
}

/// A name and a key.
struct Person {
    X509Subject subject;
    P256PrivateKey secret;
    P256PublicKey key{};
    X509Certificate certificate{};

    Person(X509Subject subject_, crypto::Random& random)
        : subject{std::move(subject_)},
          secret{generate_p256(random)},
          key{*public_key_of(secret, random)} {}
    [[nodiscard]] P256Signer signer(crypto::Random& random) const {
        return software_signer(secret, random);
    }
    [[nodiscard]] X509Issuer issuer(crypto::Random& random) const { return {key, signer(random)}; }
};

struct Nation {
    crypto::SeededRandom random{1, "x509"};
    Person root{{"national-ca", "national", "root"}, random};
    Person city{{"city-ca", "3100", "authority"}, random};
    Person unit{{"terminal", "0000000000310001", "0000000031000101"}, random};

    Nation() {
        certify(X509Kind::root, root, root, at(2020), at(2040));
        certify(X509Kind::authority, city, root, at(2022), at(2032));
        certify(X509Kind::unit, unit, city, at(2026), at(2027));
    }
    void certify(X509Kind kind, Person& subject, const Person& signer, protocol::DateTime from,
                 protocol::DateTime to) {
        const auto pem = write_certificate(
            {kind, subject.subject, signer.subject, generate_serial(random), from, to}, subject.key,
            signer.issuer(random));
        REQUIRE(pem.has_value());
        subject.certificate = read_certificates(*pem).value().front();
    }
};

}  // namespace tests::x509
