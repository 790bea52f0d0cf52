// SM2 behind crypto/core/sm2.hpp. Compiled once, linked with each engine: both must pass the same
// cases.
#include "crypto/core/sm2.hpp"

#include <deque>
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto;
using tests::read_vectors;
using tests::to_hex;
using tests::Vector;

/// Repeatable numbers of no quality.
class TestRandom final : public Random {
public:
    explicit TestRandom(std::uint64_t seed) : engine_{seed} {}
    void fill(MutableBytes out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
    }

private:
    std::mt19937_64 engine_;
};

/// Answers the given numbers, one a call; asked once more, it fails the test.
class ScriptedRandom final : public Random {
public:
    explicit ScriptedRandom(const std::vector<std::uint8_t>& numbers) {
        for (std::size_t i = 0; i < numbers.size(); i += 32) {
            answers_.emplace_back(&numbers[i], &numbers[i] + 32);
        }
    }
    void fill(MutableBytes out) override {
        REQUIRE(!answers_.empty());
        REQUIRE(out.size() == answers_.front().size());
        std::ranges::copy(answers_.front(), out.begin());
        answers_.pop_front();
    }
    [[nodiscard]] bool used_up() const { return answers_.empty(); }

private:
    std::deque<std::vector<std::uint8_t>> answers_;
};

class StuckRandom final : public Random {
public:
    explicit StuckRandom(std::uint8_t byte) : byte_{byte} {}
    void fill(MutableBytes out) override { std::ranges::fill(out, byte_); }

private:
    std::uint8_t byte_;
};

template <class T>
std::string outcome(const sm2::Result<T>& result) {
    return result ? "ok" : name(result.error());
}

sm2::PrivateKey private_key(Bytes d) {
    TestRandom random{1};
    auto key = sm2::PrivateKey::load(d, random);
    REQUIRE(key);
    return std::move(*key);
}
sm2::PublicKey public_key(Bytes x_y) {
    const auto key = sm2::PublicKey::parse(x_y);
    REQUIRE(key);
    return *key;
}

std::vector<std::uint8_t> bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("sm2: the standard's signature (GB/T 32918.5-2017, annex A)") {
    for (const Vector& v : read_vectors("sm2/standard_signature.vec")) {
        INFO(v.place());
        const auto key = private_key(v.bytes("D"));
        CHECK(to_hex(key.public_key().bytes()) == to_hex(v.bytes("Key")));
        CHECK(sm2::z(v.bytes("Id"), key.public_key()) == v.bytes<32>("Z"));
        CHECK(sm2::digest(v.bytes("Id"), key.public_key(), v.bytes("Message")) == v.bytes<32>("E"));

        ScriptedRandom k{v.bytes("K")};
        const auto signature = sm2::sign(key, v.bytes("Id"), v.bytes("Message"), k);
        REQUIRE(signature);
        CHECK(to_hex(*signature) == to_hex(v.bytes("Signature")));
        CHECK(outcome(sm2::verify(key.public_key(), v.bytes("Id"), v.bytes("Message"),
                                  *signature)) == "ok");
    }
}

TEST_CASE("sm2: the standard's encryption (GB/T 32918.5-2017, annex C)") {
    for (const Vector& v : read_vectors("sm2/standard_encryption.vec")) {
        INFO(v.place());
        const auto plaintext = v.bytes("In");
        std::vector<std::uint8_t> out(plaintext.size() + sm2::ciphertext_overhead);
        ScriptedRandom k{v.bytes("K")};
        CHECK(outcome(sm2::encrypt(public_key(v.bytes("Key")), plaintext, k, out)) == "ok");
        CHECK(to_hex(out) == to_hex(v.bytes("Out")));

        std::vector<std::uint8_t> back(plaintext.size());
        CHECK(outcome(sm2::decrypt(private_key(v.bytes("D")), out, back)) == "ok");
        CHECK(back == plaintext);
    }
}

TEST_CASE("sm2: signatures at the edges of r, s, t, x1 and e (GB/T 32918.2-2016, 7.1)") {
    for (const Vector& v : read_vectors("sm2/edge_verify.vec")) {
        INFO(v.place(), " ", v.text("Why"));
        const auto key = public_key(v.bytes("Key"));
        CHECK(outcome(sm2::verify_digest(key, v.bytes<32>("E"), v.bytes("Signature"))) ==
              v.text("Outcome"));
    }
}

TEST_CASE("sm2: public keys that are and are not points (GB/T 32918.1-2016, 6.2)") {
    for (const Vector& v : read_vectors("sm2/edge_public_key.vec")) {
        INFO(v.place(), " ", v.text("Why"));
        const auto key = sm2::PublicKey::parse(v.bytes("Key"));
        CHECK(outcome(key) == v.text("Outcome"));
        if (key) CHECK(to_hex(key->bytes()) == v.text("Key"));
    }
}

TEST_CASE("sm2: private keys in and out of [1, n-2] (GB/T 32918.1-2016, 6.1)") {
    for (const Vector& v : read_vectors("sm2/edge_private_key.vec")) {
        INFO(v.place(), " ", v.text("Why"));
        TestRandom random{2};
        const auto key = sm2::PrivateKey::load(v.bytes("D"), random);
        CHECK(outcome(key) == v.text("Outcome"));
        if (key) {
            CHECK(to_hex(key->public_key().bytes()) == v.text("Key"));
            CHECK(to_hex(key->bytes()) == v.text("D"));
        }
    }
}

TEST_CASE(
    "sm2: k out of range, or with r, r + k or s of zero, is drawn again (GB/T 32918.2-2016, 6.1, "
    "A3-A6)") {
    for (const Vector& v : read_vectors("sm2/edge_sign.vec")) {
        INFO(v.place(), " ", v.text("Why"));
        const auto key = private_key(v.bytes("D"));
        ScriptedRandom k{v.bytes("K")};
        const auto signature = sm2::sign_digest(key, v.bytes<32>("E"), k);
        REQUIRE(signature);
        CHECK(to_hex(*signature) == v.text("Signature"));
        CHECK(k.used_up());
        CHECK(outcome(sm2::verify_digest(key.public_key(), v.bytes<32>("E"), *signature)) == "ok");
    }
}

TEST_CASE("sm2: a private key of another length is refused") {
    TestRandom random{3};
    for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 31, 33, 64}) {
        const std::vector<std::uint8_t> d(size, 0x11);
        CHECK(outcome(sm2::PrivateKey::load(d, random)) == "wrong_length");
    }
}

TEST_CASE("sm2: a random source that repeats one unusable number is refused, not waited for") {
    const auto key = private_key(std::vector<std::uint8_t>(32, 0x22));
    std::array<std::uint8_t, 1 + sm2::ciphertext_overhead> out{};
    const std::array<std::uint8_t, 1> in{7};
    for (const std::uint8_t byte : std::initializer_list<std::uint8_t>{0x00, 0xFF}) {
        StuckRandom stuck{byte};
        CHECK(outcome(sm2::PrivateKey::generate(stuck)) == "random_unusable");
        CHECK(outcome(sm2::PrivateKey::load(key.bytes(), stuck)) == "random_unusable");
        CHECK(outcome(sm2::sign(key, sm2::default_id, in, stuck)) == "random_unusable");
        CHECK(outcome(sm2::encrypt(key.public_key(), in, stuck, out)) == "random_unusable");
    }
}

TEST_CASE("sm2: one seed gives one nonce, so that a test can repeat a signature and a ciphertext") {
    const auto key = private_key(std::vector<std::uint8_t>(32, 0x33));
    const auto message = bytes_of("the same twice");
    const auto sign_with = [&](std::uint64_t seed) {
        TestRandom random{seed};
        const auto signature = sm2::sign(key, sm2::default_id, message, random);
        REQUIRE(signature);
        CHECK(sm2::verify(key.public_key(), sm2::default_id, message, *signature));
        return to_hex(*signature);
    };
    const auto encrypt_with = [&](std::uint64_t seed) {
        TestRandom random{seed};
        std::vector<std::uint8_t> out(message.size() + sm2::ciphertext_overhead);
        REQUIRE(sm2::encrypt(key.public_key(), message, random, out));
        return to_hex(out);
    };
    CHECK(sign_with(31) == sign_with(31));
    CHECK(sign_with(31) != sign_with(32));
    CHECK(encrypt_with(31) == encrypt_with(31));
    CHECK(encrypt_with(31) != encrypt_with(32));
}

TEST_CASE("sm2: the blinding factor of a key does not change its inverse") {
    const std::vector<std::uint8_t> d(32, 0x5A);
    TestRandom one{11};
    TestRandom other{12};
    const auto a = sm2::PrivateKey::load(d, one);
    const auto b = sm2::PrivateKey::load(d, public_key(private_key(d).public_key().bytes()), other);
    REQUIRE(a);
    REQUIRE(b);
    CHECK(to_hex(a->inverse()) == to_hex(b->inverse()));
    CHECK(a->public_key() == b->public_key());
}

TEST_CASE("sm2: a generated key signs, and its moved-from object holds no secret") {
    TestRandom random{4};
    auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    const sm2::PrivateKey moved{std::move(*key)};
    CHECK(std::ranges::all_of(key->bytes(),
                              [](auto byte) { return byte == 0; }));  // NOLINT: on purpose
    CHECK(std::ranges::all_of(key->inverse(), [](auto byte) { return byte == 0; }));  // NOLINT
    const auto message = bytes_of("a batch");
    const auto signature = sm2::sign(moved, sm2::default_id, message, random);
    REQUIRE(signature);
    CHECK(outcome(sm2::verify(moved.public_key(), sm2::default_id, message, *signature)) == "ok");
}

TEST_CASE("sm2: a signature holds for its id, message and signer only (GB/T 32918.2-2016, 5.5)") {
    TestRandom random{5};
    const auto key = sm2::PrivateKey::generate(random);
    const auto stranger = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    REQUIRE(stranger);
    const auto message = bytes_of("hot list 17");
    const auto id = bytes_of("operator 0007");
    const auto signature = sm2::sign(*key, id, message, random);
    REQUIRE(signature);
    CHECK(outcome(sm2::verify(key->public_key(), id, message, *signature)) == "ok");
    CHECK(outcome(sm2::verify(key->public_key(), sm2::default_id, message, *signature)) ==
          "signature_mismatch");
    CHECK(outcome(sm2::verify(key->public_key(), {}, message, *signature)) == "signature_mismatch");
    CHECK(outcome(sm2::verify(key->public_key(), id, bytes_of("hot list 18"), *signature)) ==
          "signature_mismatch");
    CHECK(outcome(sm2::verify(key->public_key(), id, {}, *signature)) == "signature_mismatch");
    CHECK(outcome(sm2::verify(stranger->public_key(), id, message, *signature)) ==
          "signature_mismatch");
}

TEST_CASE("sm2: every changed bit of a signature is noticed") {
    TestRandom random{6};
    const auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    const auto message = bytes_of("batch 000001");
    auto signature = *sm2::sign(*key, sm2::default_id, message, random);
    for (std::size_t bit = 0; bit < 512; bit += 7) {
        signature[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
        CHECK_FALSE(sm2::verify(key->public_key(), sm2::default_id, message, signature));
        signature[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
    }
    CHECK(sm2::verify(key->public_key(), sm2::default_id, message, signature));
}

TEST_CASE("sm2: a signature of another length is refused: nothing is padded or cut") {
    TestRandom random{7};
    const auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    const auto message = bytes_of("m");
    const auto signature = *sm2::sign(*key, sm2::default_id, message, random);
    std::vector<std::uint8_t> bytes{signature.begin(), signature.end()};
    bytes.push_back(0);
    for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 32, 63, 65}) {
        const Bytes part = Bytes{bytes}.first(size);
        CHECK(outcome(sm2::verify(key->public_key(), sm2::default_id, message, part)) ==
              "wrong_length");
        CHECK(outcome(sm2::verify_digest(key->public_key(), {}, part)) == "wrong_length");
    }
}

TEST_CASE("sm2: an id of 8191 bytes fits ENTL, one of 8192 does not (GB/T 32918.2-2016, 5.5)") {
    TestRandom random{8};
    const auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    const std::vector<std::uint8_t> id(sm2::id_size_max + 1, 0x41);
    CHECK(outcome(sm2::z(Bytes{id}.first(sm2::id_size_max), key->public_key())) == "ok");
    CHECK(outcome(sm2::z(id, key->public_key())) == "id_too_long");
    CHECK(outcome(sm2::digest(id, key->public_key(), {})) == "id_too_long");
    CHECK(outcome(sm2::sign(*key, id, {}, random)) == "id_too_long");
    CHECK(outcome(sm2::verify(key->public_key(), id, {}, sm2::Signature{})) == "id_too_long");
}

TEST_CASE(
    "sm2: plaintexts of every size around the key stream's blocks come back (GB/T 32918.4-2016)") {
    TestRandom random{9};
    const auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    for (const std::size_t size :
         std::initializer_list<std::size_t>{1, 2, 31, 32, 33, 63, 64, 65, 1000}) {
        std::vector<std::uint8_t> in(size), out(size + sm2::ciphertext_overhead), back(size);
        random.fill(in);
        CHECK(outcome(sm2::encrypt(key->public_key(), in, random, out)) == "ok");
        CHECK(outcome(sm2::decrypt(*key, out, back)) == "ok");
        CHECK(in == back);
    }
}

TEST_CASE("sm2: wrong sizes of plaintext, ciphertext and output are refused") {
    TestRandom random{10};
    const auto key = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    std::vector<std::uint8_t> in(5), out(5 + sm2::ciphertext_overhead), longer(out.size() + 1);
    CHECK(outcome(sm2::encrypt(key->public_key(), {}, random, MutableBytes{out}.first(97))) ==
          "wrong_length");
    CHECK(outcome(sm2::encrypt(key->public_key(), in, random, longer)) == "wrong_length");
    CHECK(outcome(sm2::encrypt(key->public_key(), in, random, MutableBytes{out}.first(101))) ==
          "wrong_length");
    CHECK(outcome(sm2::encrypt(key->public_key(), in, random, {})) == "wrong_length");

    REQUIRE(sm2::encrypt(key->public_key(), in, random, out));
    std::vector<std::uint8_t> back(6);
    CHECK(outcome(sm2::decrypt(*key, out, back)) == "wrong_length");
    CHECK(outcome(sm2::decrypt(*key, out, MutableBytes{back}.first(4))) == "wrong_length");
    CHECK(outcome(sm2::decrypt(*key, Bytes{out}.first(97), {})) == "wrong_length");
    CHECK(outcome(sm2::decrypt(*key, Bytes{out}.first(96), {})) == "wrong_length");
    CHECK(outcome(sm2::decrypt(*key, {}, {})) == "wrong_length");
}

TEST_CASE(
    "sm2: every changed byte of a ciphertext is noticed, and no plaintext is left (GB/T "
    "32918.4-2016, 7.1)") {
    TestRandom random{13};
    const auto key = sm2::PrivateKey::generate(random);
    const auto stranger = sm2::PrivateKey::generate(random);
    REQUIRE(key);
    REQUIRE(stranger);
    const auto in = bytes_of("sealed for one reader");
    std::vector<std::uint8_t> out(in.size() + sm2::ciphertext_overhead), back(in.size(), 0xEE);
    REQUIRE(sm2::encrypt(key->public_key(), in, random, out));
    const auto wiped = [&] {
        return std::ranges::all_of(back, [](auto byte) { return byte == 0; });
    };
    for (std::size_t i = 0; i < out.size(); ++i) {
        INFO("byte ", i);
        out[i] ^= 0x01;
        const char* expected = i == 0   ? "wrong_point_format"
                               : i < 65 ? "point_not_on_curve"
                                        : "ciphertext_mismatch";
        CHECK(outcome(sm2::decrypt(*key, out, back)) == expected);
        CHECK(wiped());
        out[i] ^= 0x01;
    }
    std::ranges::fill(back, 0xEE);
    CHECK(outcome(sm2::decrypt(*stranger, out, back)) == "ciphertext_mismatch");
    CHECK(wiped());
    std::fill_n(out.begin() + 1, 32, 0xFF);
    CHECK(outcome(sm2::decrypt(*key, out, back)) == "coordinate_out_of_range");
}

TEST_CASE(
    "sm2: a key stream of zeros is drawn again, and refused when received (GB/T 32918.4-2016, 6.1 "
    "A5, 7.1 B4)") {
    for (const Vector& v : read_vectors("sm2/edge_key_stream.vec")) {
        INFO(v.place(), " ", v.text("Why"));
        const auto key = private_key(v.bytes("D"));
        const auto in = v.bytes("In");
        std::vector<std::uint8_t> out(in.size() + sm2::ciphertext_overhead);
        ScriptedRandom k{v.bytes("K")};
        CHECK(outcome(sm2::encrypt(key.public_key(), in, k, out)) == "ok");
        CHECK(k.used_up());
        CHECK(to_hex(out) == v.text("Out"));

        std::vector<std::uint8_t> back(in.size(), 0xEE);
        CHECK(outcome(sm2::decrypt(key, v.bytes("Out"), back)) == "ok");
        CHECK(back == in);
        const auto zero = v.bytes("Zero");  // under the first k: C2 is the plaintext, C3 is right
        CHECK(to_hex(Bytes{zero}.last(in.size())) == to_hex(in));
        CHECK(outcome(sm2::decrypt(key, zero, back)) == "ciphertext_mismatch");
        CHECK(back == std::vector<std::uint8_t>(in.size(), 0));
    }
}

TEST_CASE("sm2: every refusal has a name of its own") {
    std::vector<std::string> names;
    for (int i = 0; i <= static_cast<int>(sm2::Refusal::random_unusable); ++i) {
        names.emplace_back(name(static_cast<sm2::Refusal>(i)));
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    CHECK(std::ranges::find(names, "unknown") == names.end());
}
