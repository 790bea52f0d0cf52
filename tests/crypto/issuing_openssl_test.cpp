// Certificates inside cards, written through signers that lie elsewhere, under OpenSSL 3's eyes.
// docs/card_certificates.md.
#include <doctest/doctest.h>
#include <openssl/bn.h>

#include "crypto/keys/emv_certificate.hpp"
#include "crypto/keys/revocation_list.hpp"
#include "crypto/keys/scheme_key.hpp"
#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/sm2_openssl.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
namespace sm2 = crypto::sm2;
using crypto::Bytes;
using tests::from_hex;
using tests::to_hex;
using Data = std::vector<std::uint8_t>;

const Data pan = from_hex("6210220110002707355F");
const Data static_data = from_hex("5F24033112315A0A6210220110002707355F");

Sm2CertificateRequest sm2_request(Sm2CertificateKind kind) {
    const char* subject = kind == Sm2CertificateKind::root     ? "A00000033301"
                          : kind == Sm2CertificateKind::issuer ? "621022FF"
                          : kind == Sm2CertificateKind::card   ? "6210220110002707355F"
                                                               : "00000000000000000042";
    return {kind, from_hex(subject), {0x12, 0x31}, {0x00, 0x00, 0x07}, static_data};
}

/// OpenSSL holds the private key; we see the public one and signatures.
Sm2Signer openssl_signer(const sm2::PrivateKey& key) {
    auto module = std::make_shared<tests::openssl::Sm2Key>(key.public_key().bytes(), key.bytes());
    return {key.public_key(), [module](Bytes message) -> std::optional<sm2::Signature> {
                sm2::Signature out{};
                std::ranges::copy(module->sign(sm2::default_id, message), out.begin());
                return out;
            }};
}

bool openssl_verifies(const Sm2Certificate& certificate, const sm2::PublicKey& signer,
                      Bytes covered) {
    Data message = certificate.signed_part;
    message.insert(message.end(), covered.begin(), covered.end());
    return tests::openssl::Sm2Key{signer.bytes()}.verify(sm2::default_id, message,
                                                         certificate.signature);
}

/// data^e mod n by OpenSSL's numbers.
Data openssl_power(Bytes data, Bytes exponent, Bytes modulus) {
    using tests::openssl::Number;
    const auto number = [](Bytes bytes) {
        return Number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
    };
    const tests::openssl::Owned<BN_CTX, BN_CTX_free> context{BN_CTX_new()};
    const Number out{BN_new()};
    REQUIRE(BN_mod_exp(out.get(), number(data).get(), number(exponent).get(), number(modulus).get(),
                       context.get()) == 1);
    Data bytes(modulus.size());
    REQUIRE(BN_bn2binpad(out.get(), bytes.data(), static_cast<int>(bytes.size())) > 0);
    return bytes;
}

EmvCertificateRequest emv_request(EmvCertificateKind kind, const RsaPublicKey& key) {
    return {kind,         kind == EmvCertificateKind::issuer ? from_hex("621022FF") : pan,
            {0x12, 0x31}, {0x00, 0x00, 0x07},
            key,          static_data};
}

}  // namespace

TEST_CASE("sm2 issuing: every kind signed by us is verified by OpenSSL") {
    crypto::SeededRandom random{7, "issuing"};
    const auto signer = *sm2::PrivateKey::generate(random);
    const auto subject = *sm2::PrivateKey::generate(random);
    for (const auto kind : {Sm2CertificateKind::root, Sm2CertificateKind::issuer,
                            Sm2CertificateKind::card, Sm2CertificateKind::sam}) {
        INFO(name(kind));
        const auto& key = kind == Sm2CertificateKind::root ? signer : subject;
        const auto bytes = issue_sm2_certificate(sm2_request(kind), key.public_key(),
                                                 software_signer(signer, random));
        REQUIRE(bytes.has_value());
        const auto read = parse_sm2_certificate(*bytes);
        REQUIRE(read.has_value());
        CHECK(read->kind == kind);
        CHECK(to_hex(read->subject) == to_hex(sm2_request(kind).subject));
        CHECK(read->key == key.public_key());
        const Bytes covered = kind == Sm2CertificateKind::card ? Bytes{static_data} : Bytes{};
        CHECK(openssl_verifies(*read, signer.public_key(), covered));
        CHECK_FALSE(openssl_verifies(*read, subject.public_key(), covered));
    }
}

TEST_CASE("sm2 issuing: what OpenSSL signs becomes a certificate that we verify") {
    crypto::SeededRandom random{8, "issuing"};
    const auto root = *sm2::PrivateKey::generate(random);
    const auto issuer = *sm2::PrivateKey::generate(random);
    const auto signer = openssl_signer(root);
    const auto top = parse_sm2_certificate(
        issue_sm2_certificate(sm2_request(Sm2CertificateKind::root), root.public_key(), signer)
            .value());
    const auto below = parse_sm2_certificate(
        issue_sm2_certificate(sm2_request(Sm2CertificateKind::issuer), issuer.public_key(), signer)
            .value());
    CHECK(verify_sm2_certificate(*top, *top, {}).has_value());
    CHECK(verify_sm2_certificate(*below, *top, {}).has_value());
    const RevocationList list{top->subject, 1, *protocol::Date::make(2026, 11, 29), {{0, 0, 7}}};
    const auto written = write_revocation_list(list, signer);
    REQUIRE(written.has_value());
    const auto read = open_revocation_list(*written, *top, 0);
    REQUIRE(read.has_value());
    CHECK(verify_sm2_certificate(*below, *top, {{}, std::nullopt, read->entries()}) ==
          std::unexpected{Sm2CertificateError::revoked});
}

TEST_CASE("sm2 issuing: no signer is trusted") {
    crypto::SeededRandom random{9, "issuing"};
    const auto key = *sm2::PrivateKey::generate(random);
    const auto other = *sm2::PrivateKey::generate(random);
    Sm2Signer wrong = software_signer(other, random);
    wrong.key = key.public_key();
    const Sm2Signer silent{key.public_key(), [](Bytes) { return std::nullopt; }};
    const auto error = [&](const Sm2Signer& signer) {
        return issue_sm2_certificate(sm2_request(Sm2CertificateKind::issuer), other.public_key(),
                                     signer)
            .error();
    };
    CHECK(error(wrong) == Sm2CertificateError::signature_mismatch);
    CHECK(error(silent) == Sm2CertificateError::signer_failed);
    CHECK(issue_sm2_certificate(sm2_request(Sm2CertificateKind::root), other.public_key(),
                                software_signer(key, random))
              .error() == Sm2CertificateError::wrong_signer);
    const RevocationList list{from_hex("621022FF"), 1, *protocol::Date::make(2026, 1, 1), {}};
    CHECK(write_revocation_list(list, wrong).error() == RevocationListError::signature_mismatch);
    CHECK(write_revocation_list(list, silent).error() == RevocationListError::signer_failed);
    RevocationList named = list;
    named.signer.assign(256, 0);
    CHECK(write_revocation_list(named, silent).error() == RevocationListError::wrong_signer);
}

TEST_CASE("emv issuing: OpenSSL recovers what we signed, for both exponents (Book 2, A2.1.2)") {
    crypto::SeededRandom random{10, "issuing"};
    const auto root = generate_rsa(1152, RsaExponent::three, random);
    const auto issuer = generate_rsa(1032, RsaExponent::fermat, random);
    REQUIRE(root.has_value());
    REQUIRE(issuer.has_value());
    const auto check = [&](EmvCertificateKind kind, const RsaPrivateKey& signer,
                           const RsaPublicKey& subject, std::size_t room) {
        const auto written =
            issue_emv_certificate(emv_request(kind, subject), software_signer(signer, random));
        REQUIRE(written.has_value());
        const auto& open = signer.public_key;
        const Data text = openssl_power(written->certificate, open.exponent, open.modulus);
        CHECK(text.front() == 0x6A);
        CHECK(text[1] == static_cast<std::uint8_t>(kind));
        CHECK(text.back() == 0xBC);
        CHECK(written->remainder.size() == subject.modulus.size() - room);
        const auto read = recover_emv_certificate(
            open, written->certificate, {written->remainder, subject.exponent, static_data});
        REQUIRE(read.has_value());
        CHECK(read->key == subject);
        CHECK(check_emv_certificate(*read, pan, std::nullopt).has_value());
    };
    check(EmvCertificateKind::issuer, *root, issuer->public_key, 144 - 36);  // table 1
    const auto card = generate_rsa(1024, RsaExponent::three, random);
    check(EmvCertificateKind::card, *issuer, card->public_key, 129 - 42);  // table 2
}

TEST_CASE("emv issuing: the largest key, and a signer that lies elsewhere") {
    crypto::SeededRandom random{11, "issuing"};
    const auto root = generate_rsa(1984, RsaExponent::three, random);
    REQUIRE(root.has_value());
    CHECK(root->public_key.modulus.size() == 248);
    CHECK(root->public_key.modulus[0] >= 0x80);
    const RsaSigner module{root->public_key, [&](Bytes frame) -> std::optional<Data> {
                               return openssl_power(frame, root->exponent.bytes(),
                                                    root->public_key.modulus);
                           }};
    const auto issuer = generate_rsa(1024, RsaExponent::three, random);
    const auto request = emv_request(EmvCertificateKind::issuer, issuer->public_key);
    const auto elsewhere = issue_emv_certificate(request, module);
    const auto at_hand = issue_emv_certificate(request, *root, random);
    REQUIRE(elsewhere.has_value());
    CHECK(elsewhere->certificate == at_hand.value().certificate);
    CHECK(elsewhere->remainder.empty());

    RsaSigner wrong = module;
    wrong.apply = [](Bytes) { return std::nullopt; };
    CHECK(issue_emv_certificate(request, wrong).error() == EmvCertificateError::key_wrong);
    for (const std::size_t size : {std::size_t{0}, std::size_t{247}, std::size_t{248}}) {
        wrong.apply = [size](Bytes) { return Data(size, 0x01); };
        CHECK(issue_emv_certificate(request, wrong).error() == EmvCertificateError::key_wrong);
    }
}

TEST_CASE("emv issuing: key sizes outside the limits are not made") {
    crypto::SeededRandom random{12, "issuing"};
    for (const unsigned bits : {0U, 512U, 1016U, 1025U, 1028U, 1992U, 2048U}) {
        CHECK_FALSE(generate_rsa(bits, RsaExponent::three, random).has_value());
    }
}

TEST_CASE("scheme key: a published one is read and written again (Book 2, 11.2.2)") {
    // UnionPay's test key 01; its checksum is part of what is published.
    const std::string modulus =
        "BBE9066D2517511D239C7BFA77884144AE20C7372F515147E8CE6537C54C0A6A4D45F8CA4D290870CDA59F1344"
        "EF71D17D3F35D92F3F06778D0D511EC2A7DC4FFEADF4FB1253CE37A7B2B5A3741227BEF72524DA7A2B7B1CB426"
        "BEE27BC513B0CB11AB99BC1BC61DF5AC6CC4D831D0848788CD74F6D543AD37C5A2B4C5D5A93B";
    const std::string head = "9F0605A0000003339F220101";
    const std::string rest = "DF060101DF070101DF028180" + modulus +
                             "DF040103DF0314E881E390675D44C2DD81234DCE29C3F5AB2297A0";
    const Data ascii_date = from_hex(head + "DF05083230333131323331" + rest);
    const Data record = from_hex(head + "DF050420311231" + rest);
    const auto read = read_scheme_key(record);
    REQUIRE(read.has_value());
    CHECK(to_hex(read->rid) == "A000000333");
    CHECK(read->index == 1);
    CHECK(read->expiry == *protocol::Date::make(2031, 12, 31));
    CHECK(to_hex(read->key.modulus) == modulus);
    CHECK(to_hex(checksum(*read)) == "E881E390675D44C2DD81234DCE29C3F5AB2297A0");
    CHECK(write_scheme_key(*read).value() == record);
    CHECK(read_scheme_key(ascii_date).value().expiry == read->expiry);

    using Error = SchemeKeyError;
    const auto error = [](const Data& bytes) { return read_scheme_key(bytes).error(); };
    for (std::size_t size = 0; size < record.size(); ++size) {
        CHECK(error({record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size)}) ==
              Error::malformed);
    }
    for (std::size_t at = 0; at < record.size(); ++at) {
        if (at >= 15 && at < 19) continue;  // the date stands outside the checksum
        Data changed = record;
        changed[at] ^= 0x01;
        INFO("byte " << at);
        CHECK_FALSE(read_scheme_key(changed).has_value());
    }
    CHECK(error(from_hex(head + "DF050420311331" + rest)) == Error::wrong_expiry);
    CHECK(error(from_hex(head + "DF0508323033313132333A" + rest)) == Error::wrong_expiry);
    CHECK(error(from_hex(head + head + "DF050420311231" + rest)) == Error::malformed);
    CHECK(error(from_hex(head + "DF050420311231" + rest + "9F3701FF")) == Error::malformed);
    Data changed = record;
    changed[22] = 0x02;
    CHECK(error(changed) == Error::unknown_algorithm);
    changed = record;
    changed.back() ^= 1;
    CHECK(error(changed) == Error::checksum_mismatch);
    SchemeKey key = *read;
    key.key.exponent = {0x05};
    CHECK(write_scheme_key(key).error() == Error::wrong_exponent);
    key.key.modulus.back() ^= 1;
    CHECK(write_scheme_key(key).error() == Error::wrong_length);
    key.expiry = {};
    CHECK(write_scheme_key(key).error() == Error::wrong_expiry);
}
