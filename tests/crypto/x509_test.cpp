// crypto/keys/x509 and x509_reader: certificates against mbedTLS's writer, and what is refused.
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "crypto/keys/x509_der.hpp"
#include "crypto/keys/x509_reader.hpp"
#include "tests/crypto/vectors.hpp"
#include "tests/crypto/x509_people.hpp"

using namespace tests::x509;
using tests::from_hex;
using tests::to_hex;

namespace {

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<crypto::Random*>(random)->fill({out, size});
    return 0;
}

/// mbedTLS's own writer, the independent opinion.
struct Reference {
    mbedtls_x509write_cert writer{};
    mbedtls_pk_context subject{};
    mbedtls_pk_context issuer{};
    mbedtls_mpi serial{};
    crypto::Random& random;

    explicit Reference(crypto::Random& random_) : random{random_} {
        mbedtls_x509write_crt_init(&writer);
        mbedtls_pk_init(&subject);
        mbedtls_pk_init(&issuer);
        mbedtls_mpi_init(&serial);
    }
    ~Reference() {
        mbedtls_x509write_crt_free(&writer);
        mbedtls_pk_free(&subject);
        mbedtls_pk_free(&issuer);
        mbedtls_mpi_free(&serial);
    }
    void load(mbedtls_pk_context& key, const P256PrivateKey& d) {
        REQUIRE(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
        mbedtls_ecp_keypair& pair = *mbedtls_pk_ec(key);
        REQUIRE(mbedtls_ecp_group_load(&pair.grp, MBEDTLS_ECP_DP_SECP256R1) == 0);
        REQUIRE(mbedtls_mpi_read_binary(&pair.d, d.bytes().data(), 32) == 0);
        REQUIRE(mbedtls_ecp_mul(&pair.grp, &pair.Q, &pair.d, &pair.grp.G, draw, &random) == 0);
    }
    /// TBSCertificate as mbedTLS writes it.
    Data to_be_signed(const X509Request& request, const char* not_before, const char* not_after) {
        const auto dn = [](const X509Subject& s) {
            return "OU=" + s.role + ",O=" + s.organisation + ",CN=" + s.unit;
        };
        const bool authority = request.kind != X509Kind::unit;
        const int path = request.kind == X509Kind::root ? 1 : authority ? 0 : -1;
        const unsigned usage = authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                         : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
        const Data purposes = from_hex("301406082B0601050507030106082B06010505070302");
        mbedtls_x509write_crt_set_subject_key(&writer, &subject);
        mbedtls_x509write_crt_set_issuer_key(&writer, &issuer);
        mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
        mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
        REQUIRE(mbedtls_mpi_read_binary(&serial, request.serial.data(), 16) == 0);
        REQUIRE(mbedtls_x509write_crt_set_serial(&writer, &serial) == 0);
        REQUIRE(mbedtls_x509write_crt_set_subject_name(&writer, dn(request.subject).c_str()) == 0);
        REQUIRE(mbedtls_x509write_crt_set_issuer_name(&writer, dn(request.issuer).c_str()) == 0);
        REQUIRE(mbedtls_x509write_crt_set_validity(&writer, not_before, not_after) == 0);
        REQUIRE(mbedtls_x509write_crt_set_basic_constraints(&writer, authority, path) == 0);
        REQUIRE(mbedtls_x509write_crt_set_key_usage(&writer, usage) == 0);
        REQUIRE(mbedtls_x509write_crt_set_subject_key_identifier(&writer) == 0);
        REQUIRE(mbedtls_x509write_crt_set_authority_key_identifier(&writer) == 0);
        if (!authority) {
            REQUIRE(mbedtls_x509write_crt_set_extension(&writer, "\x55\x1D\x25", 3, 0,
                                                        purposes.data(), purposes.size()) == 0);
        }
        std::array<unsigned char, 4096> buffer{};
        const int size =
            mbedtls_x509write_crt_der(&writer, buffer.data(), buffer.size(), draw, &random);
        REQUIRE(size > 0);
        mbedtls_x509_crt read;
        mbedtls_x509_crt_init(&read);
        REQUIRE(mbedtls_x509_crt_parse_der(&read, buffer.data() + buffer.size() - size,
                                           static_cast<std::size_t>(size)) == 0);
        Data out{read.tbs.p, read.tbs.p + read.tbs.len};
        mbedtls_x509_crt_free(&read);
        return out;
    }
};

/// mbedTLS 2.28 writes NULL parameters where RFC 5758, 3.2, wants none: the one difference.
Data without_null_parameters(const Data& to_be_signed) {
    const Data with = from_hex("300C06082A8648CE3D0403020500");
    const Data without = from_hex("300A06082A8648CE3D040302");
    Data content{to_be_signed.begin() + 4, to_be_signed.end()};
    const auto found = std::ranges::search(content, with);
    REQUIRE(!found.empty());
    const auto at = content.erase(found.begin(), found.end());
    content.insert(at, without.begin(), without.end());
    return der::sequence({content});
}

Data to_be_signed_of(const X509Certificate& certificate) {
    mbedtls_x509_crt read;
    mbedtls_x509_crt_init(&read);
    REQUIRE(mbedtls_x509_crt_parse_der(&read, certificate.der.data(), certificate.der.size()) == 0);
    Data out{read.tbs.p, read.tbs.p + read.tbs.len};
    mbedtls_x509_crt_free(&read);
    return out;
}

X509Request request_for(const Nation& nation, X509Kind kind, protocol::DateTime to) {
    X509Request out{kind, nation.unit.subject, nation.city.subject, {}, at(2026, 11, 29), to};
    out.serial.fill(0x5A);
    return out;
}

}  // namespace

TEST_CASE("p256: deterministic signatures are the published ones (RFC 6979, A.2.5)") {
    crypto::SeededRandom random{1};
    P256PrivateKey d;
    std::ranges::copy(from_hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"),
                      d.bytes().begin());
    const auto q = public_key_of(d, random);
    REQUIRE(q.has_value());
    CHECK(to_hex(*q) ==
          "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
          "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299");
    const auto digest = sha256(Data{'s', 'a', 'm', 'p', 'l', 'e'});
    const auto signature = software_signer(d, random)(digest);
    REQUIRE(signature.has_value());
    CHECK(to_hex(*signature) ==
          "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
          "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    CHECK(verify_p256(*q, digest, *signature));
    for (std::size_t at = 0; at < 64; ++at) {
        auto changed = *signature;
        changed[at] ^= 1;
        CHECK_FALSE(verify_p256(*q, digest, changed));
        auto off = *q;
        off[at] ^= 1;
        CHECK_FALSE(is_on_curve(off));
        CHECK_FALSE(verify_p256(off, digest, *signature));
    }
    CHECK_FALSE(verify_p256(*q, digest, {}));
    CHECK_FALSE(is_on_curve({}));
    P256PrivateKey none;
    CHECK_FALSE(public_key_of(none, random).has_value());
    CHECK_FALSE(software_signer(none, random)(digest).has_value());
    std::ranges::fill(none.bytes(), 0xFF);
    CHECK_FALSE(public_key_of(none, random).has_value());
}

TEST_CASE("x509: what is signed is mbedTLS's byte for byte but for RFC 5758's parameters") {
    Nation nation;
    struct Dates {
        protocol::DateTime to;
        const char* text;
    };
    for (const auto kind : {X509Kind::root, X509Kind::authority, X509Kind::unit}) {
        for (const Dates& dates : {Dates{at(2049, 12, 31), "20491231000000"},
                                   Dates{at(2050), "20500101000000"}}) {  // RFC 5280, 4.1.2.5
            auto request = request_for(nation, kind, dates.to);
            if (kind == X509Kind::authority) request.serial = {0x00, 0x80};  // both of 8.3's rules
            Reference reference{nation.random};
            reference.load(reference.subject, nation.unit.secret);
            reference.load(reference.issuer, nation.city.secret);
            const auto pem =
                write_certificate(request, nation.unit.secret, nation.city.secret, nation.random);
            REQUIRE(pem.has_value());
            const auto ours = read_certificates(*pem).value().front();
            CHECK(to_hex(to_be_signed_of(ours)) ==
                  to_hex(without_null_parameters(
                      reference.to_be_signed(request, "20261129000000", dates.text))));
        }
    }
}

TEST_CASE("x509: a signer elsewhere and a key at hand give the same bytes") {
    Nation nation;
    const auto request = request_for(nation, X509Kind::unit, at(2027));
    const auto at_hand =
        write_certificate(request, nation.unit.secret, nation.city.secret, nation.random);
    const auto elsewhere =
        write_certificate(request, nation.unit.key, nation.city.issuer(nation.random));
    REQUIRE(at_hand.has_value());
    CHECK(*at_hand == elsewhere.value());
}

TEST_CASE("x509: a certificate is read as it was written, and its signer is known") {
    Nation nation;
    const X509Certificate& read = nation.unit.certificate;
    CHECK(read.kind == X509Kind::unit);
    CHECK(read.subject == nation.unit.subject);
    CHECK(read.issuer == nation.city.subject);
    CHECK(read.serial.size() == 16);
    CHECK(read.not_before == at(2026));
    CHECK(read.not_after == at(2027));
    CHECK(read.key == nation.unit.key);
    CHECK(read.valid_at(at(2027)));
    CHECK_FALSE(read.valid_at(at(2027, 1, 2)));
    CHECK_FALSE(read.valid_at(at(2025, 12, 31)));
    CHECK(nation.root.certificate.kind == X509Kind::root);
    CHECK(nation.city.certificate.kind == X509Kind::authority);
    CHECK(text(read.subject) == "OU=terminal, O=0000000000310001, CN=0000000031000101");

    CHECK(nation.root.certificate.signed_by(nation.root.certificate));
    CHECK(nation.city.certificate.signed_by(nation.root.certificate));
    CHECK(read.signed_by(nation.city.certificate));
    CHECK_FALSE(read.signed_by(nation.root.certificate));
    CHECK_FALSE(read.signed_by(read));
    X509Certificate stranger = nation.city.certificate;  // the name, and another key
    stranger.key = nation.root.key;
    CHECK_FALSE(read.signed_by(stranger));
    X509Certificate root = nation.root.certificate;  // a root vouches for no unit
    root.subject = nation.city.subject;
    root.key = nation.city.key;
    CHECK_FALSE(read.signed_by(root));
}

TEST_CASE("x509: each byte changed in a certificate breaks it") {
    const Nation nation;
    const Data good = nation.unit.certificate.der;
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const unsigned bit : {0U, 5U, 7U}) {
            Data changed = good;
            changed[at] ^= static_cast<std::uint8_t>(1U << bit);
            const auto read = parse_certificate(changed);
            INFO("byte " << at << " bit " << bit);
            CHECK_FALSE((read && read->signed_by(nation.city.certificate)));
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK(parse_certificate(Bytes{good}.first(size)).error() == X509ReadError::malformed);
    }
    Data longer = good;
    longer.push_back(0);
    CHECK(parse_certificate(longer).error() == X509ReadError::malformed);
    CHECK(read_certificates("").error() == X509ReadError::malformed);
    const std::string broken = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    CHECK(read_certificates(broken).error() == X509ReadError::malformed);
}

TEST_CASE("x509: writing refuses in the documented order, and trusts no signer") {
    Nation nation;
    auto request = request_for(nation, X509Kind::unit, at(2027));
    X509Issuer issuer = nation.city.issuer(nation.random);
    const auto refusal = [&] {
        return write_certificate(request, nation.unit.key, issuer).error();
    };
    issuer.sign = nation.root.signer(nation.random);
    CHECK(refusal() == X509Error::signature_mismatch);
    issuer.sign = [](const Sha256Digest&) { return std::nullopt; };
    CHECK(refusal() == X509Error::signer_failed);
    issuer.key[0] ^= 1;
    CHECK(refusal() == X509Error::point_not_on_curve);
    request.not_after = request.not_before;
    CHECK(refusal() == X509Error::validity_wrong);
    for (const char* part : {"", "a b", "a,b", "\xC3\xA9", "a+b"}) {
        request.subject.unit = part;
        CHECK(refusal() == X509Error::subject_wrong);
    }
    request.subject.unit = std::string(65, 'a');
    CHECK(refusal() == X509Error::subject_wrong);
    P256PrivateKey zero;
    CHECK(write_certificate(request_for(nation, X509Kind::unit, at(2027)), zero, nation.city.secret,
                            nation.random)
              .error() == X509Error::key_out_of_range);
}

TEST_CASE("x509: what ends within so many days is listed, soonest first") {
    Nation nation;
    const std::vector all{nation.root.certificate, nation.city.certificate,
                          nation.unit.certificate};
    CHECK(expiring(all, at(2026, 11, 1), 60).empty());  // the unit's 61st day
    const auto one = expiring(all, at(2026, 11, 1), 62);
    REQUIRE(one.size() == 1);
    CHECK(one[0].subject == nation.unit.subject);
    const auto late = expiring(all, at(2033), 0);  // over already
    REQUIRE(late.size() == 2);
    CHECK(late[0].subject == nation.unit.subject);
    CHECK(late[1].subject == nation.city.subject);
    CHECK(expiring(all, at(2033), 100'000).size() == 3);
}

TEST_CASE("x509: a fingerprint is the key's and nothing else's") {
    const Nation nation;
    CHECK(key_fingerprint(nation.unit.key) != key_fingerprint(nation.city.key));
    CHECK(key_fingerprint(nation.unit.key).size() == 64 + 15);
}
