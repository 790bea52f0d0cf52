// crypto/keys/sm2_certificate: chains of our own keys, and what breaks them.
#include "crypto/keys/sm2_certificate.hpp"

#include <doctest/doctest.h>

#include "crypto/keys/revocation_list.hpp"
#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
namespace sm2 = crypto::sm2;
using crypto::Bytes;
using tests::from_hex;
using Error = Sm2CertificateError;
using Kind = Sm2CertificateKind;
using Data = std::vector<std::uint8_t>;

const Data static_data = from_hex("5F24033112315A0A6210220110002707355F");
const auto today = *protocol::Date::make(2031, 12, 31);

Sm2CertificateRequest request_for(Kind kind) {
    const char* subject = kind == Kind::root     ? "A00000033301"
                          : kind == Kind::issuer ? "621022FF"
                          : kind == Kind::card   ? "6210220110002707355F"
                                                 : "00000000000000000042";
    return {kind, from_hex(subject), {0x12, 0x31}, {0x00, 0x00, 0x07}, static_data};
}

/// Root, issuer, card and SAM with fresh keys.
struct Chain {
    crypto::SeededRandom random{1, "certificate"};
    sm2::PrivateKey root_key = *sm2::PrivateKey::generate(random);
    sm2::PrivateKey issuer_key = *sm2::PrivateKey::generate(random);
    sm2::PrivateKey card_key = *sm2::PrivateKey::generate(random);
    Sm2Certificate root = make(Kind::root, root_key, root_key);
    Sm2Certificate issuer = make(Kind::issuer, issuer_key, root_key);
    Sm2Certificate card = make(Kind::card, card_key, issuer_key);
    Sm2Certificate sam = make(Kind::sam, card_key, issuer_key);

    Data bytes(Kind kind, const sm2::PrivateKey& subject, const sm2::PrivateKey& signer) {
        const auto out =
            issue_sm2_certificate(request_for(kind), subject.public_key(), signer, random);
        REQUIRE(out.has_value());
        return *out;
    }
    Sm2Certificate make(Kind kind, const sm2::PrivateKey& subject, const sm2::PrivateKey& signer) {
        const auto parsed = parse_sm2_certificate(bytes(kind, subject, signer));
        REQUIRE(parsed.has_value());
        return *parsed;
    }
};

Sm2CertificateResult<void> verify(const Sm2Certificate& certificate, const Sm2Certificate& signer,
                                  std::span<const RevokedSerial> revoked = {},
                                  protocol::Date date = today) {
    return verify_sm2_certificate(certificate, signer, {static_data, date, revoked});
}

Error parse_error(Bytes bytes) {
    const auto parsed = parse_sm2_certificate(bytes);
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
}

}  // namespace

TEST_CASE("sm2 certificate: root, issuer, card and SAM verify down the chain (JR/T 0025.17)") {
    Chain chain;
    CHECK(verify(chain.root, chain.root).has_value());
    CHECK(verify(chain.issuer, chain.root).has_value());
    CHECK(verify(chain.card, chain.issuer).has_value());
    CHECK(verify(chain.sam, chain.issuer).has_value());
    CHECK(chain.bytes(Kind::issuer, chain.issuer_key, chain.root_key).size() == 142);
    CHECK(chain.bytes(Kind::card, chain.card_key, chain.issuer_key).size() == 148);
}

TEST_CASE("sm2 certificate: each changed byte of each kind is refused") {
    Chain chain;
    const auto check = [](const Data& good, const Sm2Certificate& signer) {
        for (std::size_t at = 0; at < good.size(); ++at) {
            for (const unsigned bit : {0U, 3U, 7U}) {
                Data changed = good;
                changed[at] ^= static_cast<std::uint8_t>(1U << bit);
                const auto parsed = parse_sm2_certificate(changed);
                const bool accepted = parsed && verify(*parsed, signer);
                INFO("byte " << at << " bit " << bit);
                CHECK_FALSE(accepted);
            }
        }
    };
    check(chain.bytes(Kind::issuer, chain.issuer_key, chain.root_key), chain.root);
    check(chain.bytes(Kind::card, chain.card_key, chain.issuer_key), chain.issuer);
    check(chain.bytes(Kind::sam, chain.card_key, chain.issuer_key), chain.issuer);
}

TEST_CASE("sm2 certificate: who may sign what") {
    Chain chain;
    const auto wrong = std::unexpected{Error::wrong_signer};
    CHECK(verify(chain.card, chain.root) == wrong);
    CHECK(verify(chain.issuer, chain.issuer) == wrong);
    CHECK(verify(chain.issuer, chain.card) == wrong);
    CHECK(verify(chain.sam, chain.card) == wrong);
    CHECK(verify(chain.root, chain.issuer) == wrong);
    Sm2Certificate other = chain.issuer;
    other.subject = from_hex("621023FF");  // a card of another issuer's range
    CHECK(verify(chain.card, other) == wrong);
    Sm2Certificate impostor = chain.make(Kind::root, chain.card_key, chain.card_key);
    CHECK(verify(chain.issuer, impostor) == std::unexpected{Error::signature_mismatch});
}

TEST_CASE("sm2 certificate: static data, revocation and dates each have their refusal") {
    Chain chain;
    const Sm2Verification without{{}, today, {}};
    CHECK(verify_sm2_certificate(chain.card, chain.issuer, without) ==
          std::unexpected{Error::signature_mismatch});
    CHECK(verify_sm2_certificate(chain.sam, chain.issuer, without).has_value());
    const std::vector<RevokedSerial> list{{chain.issuer.subject, {0x00, 0x00, 0x08}},
                                          {chain.root.subject, {0x00, 0x00, 0x07}}};
    CHECK(verify(chain.card, chain.issuer, list).has_value());
    CHECK(verify(chain.issuer, chain.root, list) == std::unexpected{Error::revoked});
    const auto next_day = *protocol::Date::make(2032, 1, 1);
    CHECK(verify(chain.card, chain.issuer, {}, next_day) == std::unexpected{Error::expired});
}

TEST_CASE("sm2 certificate: what is not one is named, at every length") {
    Chain chain;
    const Data good = chain.bytes(Kind::issuer, chain.issuer_key, chain.root_key);
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK(parse_error(Bytes{good}.first(size)) == Error::wrong_length);
    }
    Data longer = good;
    longer.push_back(0);
    CHECK(parse_error(longer) == Error::wrong_length);
    const auto with = [&good](std::size_t at, std::uint8_t value) {
        Data out = good;
        out[at] = value;
        return out;
    };
    CHECK(parse_error(with(0, 0x13)) == Error::unknown_format);
    CHECK(parse_error(with(1, 0xA1)) == Error::wrong_subject);
    CHECK(parse_error(with(2, 0xF1)) == Error::wrong_subject);
    CHECK(parse_error(with(5, 0x00)) == Error::wrong_expiry);
    CHECK(parse_error(with(5, 0x13)) == Error::wrong_expiry);
    CHECK(parse_error(with(10, 0x01)) == Error::unknown_algorithm);
    CHECK(parse_error(with(13, 0x20)) == Error::unknown_algorithm);
    CHECK(parse_error(with(14, static_cast<std::uint8_t>(good[14] ^ 1))) ==
          Error::point_not_on_curve);
}

TEST_CASE("sm2 certificate: writing refuses subjects and dates that reading would") {
    Chain chain;
    const auto refusal = [&chain](Sm2CertificateRequest request) {
        return issue_sm2_certificate(request, chain.card_key.public_key(), chain.root_key,
                                     chain.random)
            .error();
    };
    auto request = request_for(Kind::card);
    request.subject = from_hex("62102201FFFFFFFFFFFF");
    CHECK(refusal(request) == Error::wrong_subject);
    request = request_for(Kind::sam);
    request.subject = from_hex("0000000000000000004F");
    CHECK(refusal(request) == Error::wrong_subject);
    request = request_for(Kind::issuer);
    request.subject.pop_back();
    CHECK(refusal(request) == Error::wrong_subject);
    request = request_for(Kind::issuer);
    request.expiry = {0x00, 0x31};
    CHECK(refusal(request) == Error::wrong_expiry);
}

namespace {

RevocationList some_list(const Chain& chain) {
    return {chain.issuer.subject,
            5,
            *protocol::Date::make(2026, 11, 23),
            {{0, 0, 9}, {0, 0, 7}, {0, 1, 0}, {0, 0, 7}}};
}

using ListError = RevocationListError;

}  // namespace

TEST_CASE("revocation list: what an issuer signs revokes its cards, in one form") {
    Chain chain;
    const auto bytes = write_revocation_list(some_list(chain), chain.issuer_key, chain.random);
    REQUIRE(bytes.has_value());
    const auto list = open_revocation_list(*bytes, chain.issuer, 5);
    REQUIRE(list.has_value());
    CHECK(list->serials == std::vector<CertificateSerial>{{0, 0, 7}, {0, 0, 9}, {0, 1, 0}});
    CHECK(list->contains({0, 1, 0}));
    CHECK_FALSE(list->contains({0, 0, 8}));
    CHECK(verify(chain.card, chain.issuer, list->entries()) == std::unexpected{Error::revoked});
    CHECK(verify(chain.issuer, chain.root, list->entries()).has_value());  // another signer's
}

TEST_CASE("revocation list: replays, strangers and every changed byte are refused") {
    Chain chain;
    const auto bytes = write_revocation_list(some_list(chain), chain.issuer_key, chain.random);
    REQUIRE(bytes.has_value());
    CHECK(open_revocation_list(*bytes, chain.issuer, 6).error() == ListError::out_of_date);
    CHECK(open_revocation_list(*bytes, chain.root, 0).error() == ListError::wrong_signer);
    CHECK(open_revocation_list(*bytes, chain.card, 0).error() == ListError::wrong_signer);
    for (std::size_t at = 0; at < bytes->size(); ++at) {
        Data changed = *bytes;
        changed[at] ^= 0x01;
        INFO("byte " << at);
        CHECK_FALSE(open_revocation_list(changed, chain.issuer, 0).has_value());
    }
    for (std::size_t size = 0; size < bytes->size(); ++size) {
        const Bytes part = Bytes{*bytes}.first(size);
        CHECK(open_revocation_list(part, chain.issuer, 0).error() == ListError::wrong_length);
    }
    Data foreign = *bytes;
    foreign[0] = 0x12;
    CHECK(open_revocation_list(foreign, chain.issuer, 0).error() == ListError::unknown_format);
    Data undated = *bytes;
    undated[12] = 0x13;  // the month
    CHECK(open_revocation_list(undated, chain.issuer, 0).error() == ListError::wrong_date);
    Data unsorted = *bytes;
    unsorted[18] = 0x0A;  // the first serial above the second
    CHECK(open_revocation_list(unsorted, chain.issuer, 0).error() == ListError::not_sorted);
}

static_assert(is_expired({0x12, 0x31}, *protocol::Date::make(2032, 1, 1)));
static_assert(!is_expired({0x12, 0x31}, *protocol::Date::make(2031, 12, 31)));
static_assert(is_expired({0x12, 0x99}, *protocol::Date::make(2026, 1, 1)));  // 1999
