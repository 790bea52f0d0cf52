// SM2 against OpenSSL 3: each makes what the other must take, and refuses what the other refuses.
#include "tests/crypto/sm2_openssl.hpp"

#include <random>
#include <string>

#include <doctest/doctest.h>

#include "crypto/core/sm2.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto;
using tests::openssl::Sm2Key;

constexpr int case_count = ONECARD_SM2_CASES;  // fewer where the code is slow

class TestRandom final : public Random {
public:
    explicit TestRandom(std::uint64_t seed) : engine_{seed} {}
    void fill(MutableBytes out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
    }
    std::size_t below(std::size_t bound) { return engine_() % bound; }
    std::vector<std::uint8_t> bytes(std::size_t size) {
        std::vector<std::uint8_t> out(size);
        fill(out);
        return out;
    }

private:
    std::mt19937_64 engine_;
};

/// A private key: mostly uniform, sometimes with long runs of zeros or ones, small or just below n.
sm2::PrivateKey any_key(TestRandom& random) {
    for (;;) {
        auto d = random.bytes(32);
        const std::size_t shape = random.below(8);
        const std::size_t from = random.below(32);
        if (shape == 0) std::fill(d.begin(), d.begin() + static_cast<std::ptrdiff_t>(from), 0);
        if (shape == 1) std::fill(d.begin() + static_cast<std::ptrdiff_t>(from), d.end(), 0xFF);
        if (shape == 2) std::fill(d.begin() + static_cast<std::ptrdiff_t>(from), d.end(), 0);
        auto key = sm2::PrivateKey::load(d, random);
        if (key) return std::move(*key);
    }
}

}  // namespace

TEST_CASE("sm2 and OpenSSL verify each other's signatures and refuse the same changed ones") {
    TestRandom random{20};
    for (int i = 0; i < case_count; ++i) {
        INFO("case ", i);
        const auto key = any_key(random);
        const Sm2Key theirs{key.public_key().bytes(), key.bytes()};
        const auto id = random.bytes(1 + random.below(40));
        auto message = random.bytes(random.below(200));

        const auto ours = sm2::sign(key, id, message, random);
        REQUIRE(ours);
        CHECK(theirs.verify(id, message, *ours));
        auto signature = theirs.sign(id, message);
        CHECK(sm2::verify(key.public_key(), id, message, signature));

        signature[random.below(64)] ^= static_cast<std::uint8_t>(1 + random.below(255));
        CHECK_FALSE(sm2::verify(key.public_key(), id, message, signature));
        CHECK_FALSE(theirs.verify(id, message, signature));
    }
}

TEST_CASE("sm2 and OpenSSL decrypt each other's ciphertexts and refuse the same changed ones") {
    TestRandom random{21};
    for (int i = 0; i < case_count; ++i) {
        INFO("case ", i);
        const auto key = any_key(random);
        const Sm2Key theirs{key.public_key().bytes(), key.bytes()};
        const auto plaintext = random.bytes(1 + random.below(200));

        std::vector<std::uint8_t> ours(plaintext.size() + sm2::ciphertext_overhead);
        REQUIRE(sm2::encrypt(key.public_key(), plaintext, random, ours));
        CHECK(theirs.decrypt(ours) == plaintext);

        auto ciphertext = theirs.encrypt(plaintext);
        REQUIRE(ciphertext.size() == ours.size());
        std::vector<std::uint8_t> out(plaintext.size());
        REQUIRE(sm2::decrypt(key, ciphertext, out));
        CHECK(out == plaintext);

        ciphertext[1 + random.below(ciphertext.size() - 1)] ^=
            static_cast<std::uint8_t>(1 + random.below(255));
        CHECK_FALSE(sm2::decrypt(key, ciphertext, out));
        CHECK(theirs.decrypt(ciphertext).empty());
    }
}

TEST_CASE("sm2 and OpenSSL agree on public keys: [d]G, and which points are none") {
    TestRandom random{22};
    for (int i = 0; i < case_count; ++i) {
        INFO("case ", i);
        const auto key = any_key(random);
        auto x_y = tests::from_hex<64>(tests::to_hex(key.public_key().bytes()));
        CHECK_NOTHROW(Sm2Key{x_y, key.bytes()});
        x_y[random.below(64)] ^= static_cast<std::uint8_t>(1 + random.below(255));
        CHECK_FALSE(sm2::PublicKey::parse(x_y));
        CHECK_THROWS(Sm2Key{x_y});
    }
}

TEST_CASE("sm2 and OpenSSL give the same answer to the edge signatures that have a message") {
    TestRandom random{23};
    const auto key = any_key(random);
    const Sm2Key theirs{key.public_key().bytes(), key.bytes()};
    const auto message = random.bytes(20);
    const auto good = theirs.sign(sm2::default_id, message);
    const auto n =
        tests::from_hex("FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123");
    const std::vector<std::vector<std::uint8_t>> halves{std::vector<std::uint8_t>(32, 0),
                                                        std::vector<std::uint8_t>(32, 0xFF),
                                                        n,
                                                        {good.begin(), good.begin() + 32},
                                                        {good.begin() + 32, good.end()}};
    int accepted = 0;
    for (const auto& r : halves) {
        for (const auto& s : halves) {
            auto signature = r;
            signature.insert(signature.end(), s.begin(), s.end());
            const bool ours =
                sm2::verify(key.public_key(), sm2::default_id, message, signature).has_value();
            CHECK(ours == theirs.verify(sm2::default_id, message, signature));
            accepted += ours ? 1 : 0;
        }
    }
    CHECK(accepted == 1);
}

TEST_CASE("sm2: the card's constant [2^128]G is what OpenSSL computes") {
    const tests::openssl::Owned<EC_GROUP, EC_GROUP_free> group{EC_GROUP_new_by_curve_name(NID_sm2)};
    const tests::openssl::Owned<EC_POINT, EC_POINT_free> point{EC_POINT_new(group.get())};
    std::array<std::uint8_t, 32> d{};
    d[15] = 1;
    const tests::openssl::Number k{BN_bin2bn(d.data(), 32, nullptr)};
    REQUIRE(EC_POINT_mul(group.get(), point.get(), k.get(), nullptr, nullptr, nullptr) == 1);
    std::array<std::uint8_t, 65> expected{};
    REQUIRE(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED,
                               expected.data(), 65, nullptr) == 65);
    TestRandom random{24};
    const auto key = sm2::PrivateKey::load(d, random);
    REQUIRE(key);
    CHECK(tests::to_hex(key->public_key().bytes()) ==
          tests::to_hex(std::span{expected}.subspan<1>()));
}
