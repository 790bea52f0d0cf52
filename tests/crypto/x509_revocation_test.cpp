// crypto/keys/x509_revocation: lists (RFC 5280, 5). docs/certificates.md, 4.
#include "crypto/keys/x509_revocation.hpp"

#include "crypto/keys/x509_der.hpp"
#include "tests/crypto/vectors.hpp"
#include "tests/crypto/x509_people.hpp"

using namespace tests::x509;
using tests::from_hex;
using tests::to_hex;
using Error = X509ListError;
using Reason = RevocationReason;

namespace {

constexpr const char* label = "X509 CRL";

struct Lists : Nation {
    [[nodiscard]] X509RevocationList some() const {
        return {city.subject,
                7,
                at(2026, 11, 29),
                at(2026, 12, 6),
                {{unit.certificate.serial, at(2026, 11, 1), Reason::key_compromise},
                 {{0x01}, at(2026, 10, 1), Reason::unspecified},
                 {from_hex("7F00000000000000000000000000000000000001"), at(2026, 11, 29),
                  Reason::certificate_hold}}};
    }
    [[nodiscard]] Data bytes(const X509RevocationList& list) {
        const auto pem = write_x509_revocation_list(list, city.issuer(random));
        REQUIRE(pem.has_value());
        return der::from_pem(label, *pem).value().front();
    }
    [[nodiscard]] Error writing(const X509RevocationList& list) {
        const auto out = write_x509_revocation_list(list, city.issuer(random));
        REQUIRE_FALSE(out.has_value());
        return out.error();
    }
    /// A list of our own making: entries and extensions as given.
    [[nodiscard]] Data made(const Data& entries, const Data& extensions) {
        return der::sign(der::sequence({der::integer(std::uint64_t{1}), der::signature_algorithm(),
                                        der::name(city.subject), der::time(at(2026, 11, 29)),
                                        der::time(at(2026, 12, 6)), entries, extensions}),
                         city.issuer(random))
            .value();
    }
};

const Data number_7 = der::extension(20, false, der::integer(std::uint64_t{7}));

Data extensions(std::initializer_list<Bytes> parts) {
    return der::object(der::Tag::context_0, {der::sequence(parts)});
}

Error parse_error(Bytes bytes) {
    const auto read = parse_x509_revocation_list(bytes);
    REQUIRE_FALSE(read.has_value());
    return read.error();
}

}  // namespace

TEST_CASE("x509 list: what was written is read, in the order of serials") {
    Lists scene;
    const auto read = parse_x509_revocation_list(scene.bytes(scene.some()));
    REQUIRE(read.has_value());
    CHECK(verify_x509_revocation_list(*read, scene.city.certificate).has_value());
    const X509RevocationList& list = read->list;
    CHECK(list.issuer == scene.city.subject);
    CHECK(list.number == 7);
    CHECK(list.this_update == at(2026, 11, 29));
    CHECK(list.next_update == at(2026, 12, 6));
    REQUIRE(list.revoked.size() == 3);
    CHECK(list.revoked[0].serial == Data{0x01});
    CHECK(list.revoked[0].reason == Reason::unspecified);
    CHECK(list.contains(scene.unit.certificate.serial));
    CHECK_FALSE(list.contains(scene.city.certificate.serial));
    CHECK(list.serials().size() == 3);
    const auto found =
        std::ranges::find(list.revoked, scene.unit.certificate.serial, &RevokedX509::serial);
    REQUIRE(found != list.revoked.end());
    CHECK(found->reason == Reason::key_compromise);
    CHECK(found->when == at(2026, 11, 1));
}

TEST_CASE("x509 list: an empty list is a list, and numbers go to 64 bits") {
    Lists scene;
    auto list = scene.some();
    list.revoked.clear();
    for (const std::uint64_t number :
         {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, ~std::uint64_t{0}}) {
        list.number = number;
        const auto read = parse_x509_revocation_list(scene.bytes(list));
        REQUIRE(read.has_value());
        CHECK(read->list.number == number);
        CHECK(read->list.revoked.empty());
    }
}

TEST_CASE("x509 list: a long one, and several in one file") {
    Lists scene;
    auto list = scene.some();
    list.revoked.clear();
    for (unsigned i = 1; i <= 5000; ++i) {
        list.revoked.push_back(
            {{static_cast<std::uint8_t>(1 + i / 256 % 100), static_cast<std::uint8_t>(i)},
             at(2026),
             Reason::superseded});
    }
    const auto city = write_x509_revocation_list(list, scene.city.issuer(scene.random)).value();
    list = scene.some();
    list.issuer = scene.root.subject;
    const auto root = write_x509_revocation_list(list, scene.root.issuer(scene.random)).value();
    const auto both = read_x509_revocation_lists(city + root);
    REQUIRE(both.has_value());
    REQUIRE(both->size() == 2);
    CHECK(both->front().list.revoked.size() == 5000);
    CHECK(verify_x509_revocation_list(both->back(), scene.root.certificate).has_value());
}

TEST_CASE("x509 list: each byte changed is refused") {
    Lists scene;
    const Data good = scene.bytes(scene.some());
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const unsigned bit : {0U, 4U, 7U}) {
            Data changed = good;
            changed[at] ^= static_cast<std::uint8_t>(1U << bit);
            const auto read = parse_x509_revocation_list(changed);
            INFO("byte " << at << " bit " << bit);
            CHECK_FALSE((read && verify_x509_revocation_list(*read, scene.city.certificate)));
        }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK(parse_error(Bytes{good}.first(size)) == Error::malformed);
    }
    Data longer = good;
    longer.push_back(0);
    CHECK(parse_error(longer) == Error::malformed);
    CHECK(read_x509_revocation_lists("").error() == Error::malformed);
}

TEST_CASE("x509 list: only its authority stands behind it") {
    Lists scene;
    const auto read = parse_x509_revocation_list(scene.bytes(scene.some())).value();
    const auto error = [&](const X509Certificate& authority) {
        return verify_x509_revocation_list(read, authority).error();
    };
    CHECK(error(scene.root.certificate) == Error::signer_wrong);
    CHECK(error(scene.unit.certificate) == Error::signer_wrong);
    X509Certificate unit = scene.unit.certificate;
    unit.subject = scene.city.subject;  // the name does not make a unit an authority
    CHECK(error(unit) == Error::signer_wrong);
    X509Certificate forged = scene.city.certificate;
    forged.key = scene.root.key;
    CHECK(error(forged) == Error::signature_mismatch);
}

TEST_CASE(
    "x509 list: parts of lists and unknown critical extensions are refused (5.2.4 and 5.2.5)") {
    Lists scene;
    const Data one = der::integer(std::uint64_t{1});
    CHECK(parse_x509_revocation_list(scene.made({}, extensions({number_7}))).has_value());
    CHECK(parse_error(scene.made({}, extensions({number_7, der::extension(27, true, one)}))) ==
          Error::extension_unknown);  // delta
    CHECK(parse_error(scene.made({}, extensions({number_7, der::extension(28, true, one)}))) ==
          Error::extension_unknown);  // issuing distribution point
    CHECK(parse_x509_revocation_list(
              scene.made({}, extensions({number_7, der::extension(46, false, one)})))
              .has_value());
    const Data serial = der::integer(std::uint64_t{5});
    const Data when = der::time(at(2026));
    const auto entry = [&](const Data& extension) {
        return der::sequence({der::sequence({serial, when, der::sequence({extension})})});
    };
    CHECK(parse_error(scene.made(entry(der::extension(29, true, one)), extensions({number_7}))) ==
          Error::extension_unknown);  // certificate issuer: an indirect list
    const Data odd_reason = der::extension(21, false, from_hex("0A0107"));
    const auto odd =
        parse_x509_revocation_list(scene.made(entry(odd_reason), extensions({number_7})));
    REQUIRE(odd.has_value());
    CHECK(odd->list.revoked.at(0).reason == Reason::unspecified);
    CHECK(parse_error(scene.made(entry(der::extension(21, false, from_hex("0A020001"))),
                                 extensions({number_7}))) == Error::malformed);
}

TEST_CASE("x509 list: the number is required (5.2.3)") {
    Lists scene;
    CHECK(parse_error(scene.made({}, {})) == Error::number_missing);
    const auto with = [&](const char* value) {
        return scene.made({}, extensions({der::extension(20, false, from_hex(value))}));
    };
    CHECK(parse_error(with("0209010000000000000000")) == Error::number_missing);  // above 64 bits
    CHECK(parse_error(with("020181")) == Error::number_missing);                  // negative
    CHECK(parse_error(with("0400")) == Error::number_missing);
    CHECK(parse_error(scene.made({}, extensions({der::extension(35, false, from_hex("3000"))}))) ==
          Error::number_missing);
}

TEST_CASE("x509 list: writing refuses in the documented order") {
    Lists scene;
    auto list = scene.some();
    list.revoked.push_back(list.revoked[0]);
    CHECK(scene.writing(list) == Error::serial_repeated);
    for (const char* serial :
         {"", "00", "0001", "80", "017F00000000000000000000000000000000000001"}) {
        list.revoked.back().serial = from_hex(serial);
        CHECK(scene.writing(list) == Error::serial_wrong);
    }
    list.revoked[0].when = at(2026, 11, 30);
    CHECK(scene.writing(list) == Error::dates_wrong);
    list.next_update = list.this_update;
    CHECK(scene.writing(list) == Error::dates_wrong);
    list.issuer.role = "";
    CHECK(scene.writing(list) == Error::issuer_wrong);
    X509Issuer issuer = scene.city.issuer(scene.random);
    const auto refusal = [&] { return write_x509_revocation_list(scene.some(), issuer).error(); };
    issuer.sign = scene.unit.signer(scene.random);
    CHECK(refusal() == Error::signature_mismatch);
    issuer.sign = [](const Sha256Digest&) { return std::nullopt; };
    CHECK(refusal() == Error::signer_failed);
    issuer.key[5] ^= 1;
    CHECK(refusal() == Error::point_not_on_curve);
}

TEST_CASE("x509 list: reading refuses what writing would") {
    Lists scene;
    const auto entry = [](const Data& serial, const Data& when) {
        return der::sequence({serial, when});
    };
    const Data one = entry(der::integer(std::uint64_t{1}), der::time(at(2026)));
    const Data number = extensions({number_7});
    CHECK(parse_x509_revocation_list(scene.made(der::sequence({one}), number)).has_value());
    CHECK(parse_error(scene.made(der::sequence({one, one}), number)) == Error::serial_repeated);
    const Data late = entry(der::integer(std::uint64_t{1}), der::time(at(2027)));
    CHECK(parse_error(scene.made(der::sequence({late}), number)) == Error::dates_wrong);
    const Data negative = entry(from_hex("020180"), der::time(at(2026)));
    CHECK(parse_error(scene.made(der::sequence({negative}), number)) == Error::serial_wrong);
    const Data zero = entry(from_hex("020100"), der::time(at(2026)));
    CHECK(parse_error(scene.made(der::sequence({zero}), number)) == Error::serial_wrong);
}

TEST_CASE("x509 list: reasons have the standard's words (5.3.1)") {
    CHECK(parse_revocation_reason("keyCompromise") == Reason::key_compromise);
    CHECK(parse_revocation_reason("privilegeWithdrawn") == Reason::privilege_withdrawn);
    CHECK_FALSE(parse_revocation_reason("removeFromCRL").has_value());
    CHECK_FALSE(parse_revocation_reason("").has_value());
}
