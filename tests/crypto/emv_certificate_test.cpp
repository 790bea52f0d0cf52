// crypto/keys/emv_certificate: a published chain, chains of our own, and what breaks them.
#include "crypto/keys/emv_certificate.hpp"

#include <doctest/doctest.h>
#include <mbedtls/rsa.h>

#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
using crypto::Bytes;
using tests::from_hex;
using tests::to_hex;
using Error = EmvCertificateError;
using Kind = EmvCertificateKind;
using Data = std::vector<std::uint8_t>;

const Data three{0x03};

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<crypto::SeededRandom*>(random)->fill({out, size});
    return 0;
}

/// A throw-away key from a seed.
RsaPrivateKey make_key(unsigned bits, std::uint64_t seed, int exponent = 3) {
    crypto::SeededRandom random{seed, "rsa"};
    mbedtls_rsa_context rsa;
    mbedtls_rsa_init(&rsa, MBEDTLS_RSA_PKCS_V15, 0);
    REQUIRE(mbedtls_rsa_gen_key(&rsa, draw, &random, bits, exponent) == 0);
    RsaPrivateKey key;
    key.public_key.modulus.resize(bits / 8);
    key.public_key.exponent = exponent == 3 ? three : Data{0x01, 0x00, 0x01};
    key.exponent = SecretBuffer{bits / 8};
    REQUIRE(mbedtls_rsa_export_raw(&rsa, key.public_key.modulus.data(), bits / 8, nullptr, 0,
                                   nullptr, 0, key.exponent.bytes().data(), bits / 8, nullptr,
                                   0) == 0);
    mbedtls_rsa_free(&rsa);
    return key;
}

EmvCertificateRequest request_for(Kind kind, const RsaPublicKey& key) {
    return {kind,
            kind == Kind::issuer ? from_hex("621022FF") : from_hex("6210220110002707355F"),
            {0x12, 0x31},
            {0x00, 0x00, 0x07},
            key,
            {}};
}

const Data pan = from_hex("6210220110002707355F");
const auto today = *protocol::Date::make(2031, 12, 31);

}  // namespace

TEST_CASE("emv certificate: a published chain is recovered (EMV 4.4 Book 2, 5.3 and 6.4)") {
    for (const auto& vector : tests::read_vectors("crypto/emv_certificate.vec")) {
        INFO(vector.place());
        const RsaPublicKey signer{vector.bytes("Signer"), vector.bytes("SignerExponent")};
        const auto remainder = vector.bytes("Remainder");
        const auto exponent = vector.bytes("Exponent");
        const auto certificate =
            recover_emv_certificate(signer, vector.bytes("Certificate"), {remainder, exponent, {}});
        REQUIRE(certificate.has_value());
        const bool issuer = vector.text("Kind") == "issuer";
        CHECK((certificate->kind == Kind::issuer) == issuer);
        CHECK(to_hex(certificate->subject) == vector.text("Subject"));
        CHECK(to_hex(certificate->expiry) == vector.text("Expiry"));
        CHECK(to_hex(certificate->serial) == vector.text("Serial"));
        CHECK(to_hex(certificate->key.modulus) == vector.text("Modulus"));
        CHECK(to_hex(certificate->hash) == vector.text("Hash"));
        CHECK(certificate->hash_right == issuer);  // the card's static data is missing
        if (issuer) {
            CHECK(check_emv_certificate(*certificate, vector.bytes("Pan"), today).has_value());
        }
    }
}

TEST_CASE("emv certificate: each single bit changed in a published certificate is refused") {
    const auto vector = tests::read_vectors("crypto/emv_certificate.vec").front();
    const RsaPublicKey signer{vector.bytes("Signer"), vector.bytes("SignerExponent")};
    const auto good = vector.bytes("Certificate");
    for (std::size_t bit = 0; bit < 8 * good.size(); bit += 3) {
        Data changed = good;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        const auto read = recover_emv_certificate(signer, changed, {{}, three, {}});
        const bool accepted = read && check_emv_certificate(*read, {}, std::nullopt);
        CHECK_FALSE(accepted);
    }
}

TEST_CASE("emv certificate: what is written is recovered, for each relation of sizes") {
    crypto::SeededRandom random{1, "emv"};
    const auto root = make_key(1408, 1);
    const auto small_root = make_key(1024, 2, 65537);
    const auto issuer = make_key(1024, 3);
    const auto card = make_key(512, 4, 65537);
    const auto static_data = from_hex("5A0862102201100027075F24032512315F2A020156");
    const auto chain = [&](const RsaPrivateKey& top) {
        const auto request = request_for(Kind::issuer, issuer.public_key);
        const auto first = issue_emv_certificate(request, top, random);
        REQUIRE(first.has_value());
        const auto read = recover_emv_certificate(
            top.public_key, first->certificate, {first->remainder, issuer.public_key.exponent, {}});
        REQUIRE(read.has_value());
        CHECK(read->key.modulus == issuer.public_key.modulus);
        REQUIRE(check_emv_certificate(*read, pan, today).has_value());

        auto card_request = request_for(Kind::card, card.public_key);
        card_request.static_data = static_data;
        const auto second = issue_emv_certificate(card_request, issuer, random);
        REQUIRE(second.has_value());
        const auto card_read =
            recover_emv_certificate(read->key, second->certificate,
                                    {second->remainder, card.public_key.exponent, static_data});
        REQUIRE(card_read.has_value());
        CHECK(card_read->key.modulus == card.public_key.modulus);
        CHECK(check_emv_certificate(*card_read, pan, today).has_value());
        const auto other = recover_emv_certificate(
            read->key, second->certificate, {second->remainder, card.public_key.exponent, {}});
        REQUIRE(other.has_value());
        CHECK(check_emv_certificate(*other, pan, today).error() == Error::hash_mismatch);
        return first->remainder.size();
    };
    CHECK(chain(root) == 0);
    CHECK(chain(small_root) == 36);
}

TEST_CASE("emv certificate: another PAN, a past date, another remainder have their names") {
    crypto::SeededRandom random{2, "emv"};
    const auto root = make_key(1024, 2);
    const auto issuer = make_key(1024, 3);
    const auto written =
        issue_emv_certificate(request_for(Kind::issuer, issuer.public_key), root, random);
    REQUIRE(written.has_value());
    const auto read = recover_emv_certificate(root.public_key, written->certificate,
                                              {written->remainder, three, {}});
    REQUIRE(read.has_value());
    CHECK(check_emv_certificate(*read, from_hex("6210230110002707355F"), today).error() ==
          Error::wrong_subject);
    CHECK(check_emv_certificate(*read, pan, protocol::Date::make(2032, 1, 1).value()).error() ==
          Error::expired);
    Data remainder = written->remainder;
    remainder[0] ^= 1;
    const auto mixed =
        recover_emv_certificate(root.public_key, written->certificate, {remainder, three, {}});
    REQUIRE(mixed.has_value());
    CHECK(check_emv_certificate(*mixed, pan, today).error() == Error::hash_mismatch);
    remainder.pop_back();
    CHECK(recover_emv_certificate(root.public_key, written->certificate, {remainder, three, {}})
              .error() == Error::wrong_key_length);
    CHECK(recover_emv_certificate(issuer.public_key, written->certificate,
                                  {written->remainder, three, {}})
              .error() == Error::wrong_frame);
}

TEST_CASE("emv certificate: keys and sizes outside the standard are refused (B2.1)") {
    crypto::SeededRandom random{3, "emv"};
    const auto root = make_key(1024, 2);
    const auto issuer = make_key(1024, 3);
    const Data certificate(128, 1);
    const auto refusal = [&](const RsaPublicKey& key, Bytes bytes) {
        return recover_emv_certificate(key, bytes, {{}, three, {}}).error();
    };
    CHECK(refusal(root.public_key, Bytes{certificate}.first(127)) == Error::wrong_length);
    CHECK(refusal({{}, three}, certificate) == Error::wrong_length);
    CHECK(refusal({Data(249, 0xFF), three}, Data(249, 1)) == Error::wrong_length);
    CHECK(refusal({Data(128, 0xFE), three}, certificate) == Error::not_below_modulus);  // even
    CHECK(refusal({root.public_key.modulus, {0x05}}, certificate) == Error::not_below_modulus);
    CHECK(refusal(root.public_key, Data(128, 0xFF)) == Error::not_below_modulus);
    CHECK(refusal(root.public_key, Data(128, 0x00)) == Error::wrong_frame);
    const auto writing = [&](const auto& request, const RsaPrivateKey& signer) {
        return issue_emv_certificate(request, signer, random).error();
    };
    auto request = request_for(Kind::issuer, make_key(1408, 1).public_key);
    CHECK(writing(request, root) == Error::wrong_key_length);
    request = request_for(Kind::issuer, issuer.public_key);
    request.subject = from_hex("62FF22FF");
    CHECK(writing(request, root) == Error::wrong_subject);
    request = request_for(Kind::issuer, issuer.public_key);
    request.expiry = {0x13, 0x31};
    CHECK(writing(request, root) == Error::wrong_expiry);
    RsaPrivateKey mixed{root.public_key, issuer.exponent.duplicate()};
    CHECK(writing(request_for(Kind::issuer, issuer.public_key), mixed) == Error::key_wrong);
}

TEST_CASE("rsa_key: what a store keeps is read again, and nothing else (RFC 8017, A.1.2)") {
    for (const int exponent : {3, 65537}) {
        const auto key = make_key(1024, 4, exponent);
        const auto der = encode_rsa(key).value();
        CHECK(der.bytes()[0] == 0x30);
        const auto again = decode_rsa(der.bytes()).value();
        CHECK(again.public_key == key.public_key);
        CHECK(std::ranges::equal(again.exponent.bytes(), key.exponent.bytes()));
    }
    const auto key = make_key(1024, 4);
    const auto der = encode_rsa(key).value();
    for (std::size_t size = 0; size < der.size(); ++size) {
        CHECK_FALSE(decode_rsa(der.bytes().first(size)));
    }
    CHECK_FALSE(decode_rsa(Data(600, 0x30)));
    CHECK_FALSE(encode_rsa({key.public_key, make_key(1024, 5).exponent.duplicate()}));
}
