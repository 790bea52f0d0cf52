// What SM2 leaves on the stack: nothing of d, k, (1+d)^-1 or k + r (docs/sm2.md, S5). Linked with
// each engine.
#include <memory>

#include <doctest/doctest.h>

#include "crypto/core/sm2.hpp"
#include "tests/crypto/dead_stack.hpp"

namespace {

using namespace crypto;
using tests::bytes_that_follow_the_key;
using Secret = std::array<std::uint8_t, 16>;

/// 32 bytes in [1, n-2] from 16.
std::array<std::uint8_t, 32> scalar_of(const Secret& secret) {
    std::array<std::uint8_t, 32> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = secret[i % 16];
    return out;
}

/// Always the same number.
class OneNumber final : public Random {
public:
    explicit OneNumber(const std::array<std::uint8_t, 32>& number) : number_{number} {}
    void fill(MutableBytes out) override {
        REQUIRE(out.size() == number_.size());
        std::ranges::copy(number_, out.begin());
    }

private:
    std::array<std::uint8_t, 32> number_;
};

OneNumber plain_random() {
    std::array<std::uint8_t, 32> number{};
    number.fill(0x5A);
    return OneNumber{number};
}

std::shared_ptr<sm2::PrivateKey> key_of(const Secret& secret) {
    OneNumber random = plain_random();
    auto key = sm2::PrivateKey::load(scalar_of(secret), random);
    REQUIRE(key);
    return std::make_shared<sm2::PrivateKey>(std::move(*key));
}

/// Makes `call`'s answer on the heap, with no copy on the stack: it may follow the key.
template <class Call>
auto on_heap(const Call& call) {
    using Answer = decltype(call());
    return std::shared_ptr<Answer>{new Answer(call())};
}

constexpr Secret other_secret{7, 1, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7, 7, 7, 8};
constexpr sm2::Digest e{1, 2, 3};
constexpr std::array<std::uint8_t, 40> plaintext{'s', 'e', 'c', 'r', 'e', 't'};

}  // namespace

TEST_CASE("sm2: loading a private key leaves none of it on the stack (S5)") {
    std::shared_ptr<void> held;
    CHECK(bytes_that_follow_the_key([&](const Secret& secret) {
              return [&held, d = std::make_shared<std::array<std::uint8_t, 32>>(scalar_of(secret)),
                      random = std::make_shared<OneNumber>(plain_random())] {
                  held = on_heap([&] { return sm2::PrivateKey::load(*d, *random); });
              };
          }) == 0);
}

TEST_CASE("sm2: signing leaves nothing that follows d on the stack (S5)") {
    std::shared_ptr<void> held;
    CHECK(bytes_that_follow_the_key([&](const Secret& secret) {
              return [&held, key = key_of(secret),
                      random = std::make_shared<OneNumber>(plain_random())] {
                  held = on_heap([&] { return sm2::sign_digest(*key, e, *random); });
              };
          }) == 0);
}

TEST_CASE("sm2: signing leaves nothing that follows k on the stack (S5)") {
    const auto key = key_of(other_secret);
    std::shared_ptr<void> held;
    CHECK(bytes_that_follow_the_key([&](const Secret& secret) {
              return [&, random = std::make_shared<OneNumber>(scalar_of(secret))] {
                  held = on_heap([&] { return sm2::sign_digest(*key, e, *random); });
              };
          }) == 0);
}

TEST_CASE("sm2: encryption leaves nothing that follows k on the stack (S5)") {
    const auto key = key_of(other_secret);
    std::vector<std::uint8_t> out(plaintext.size() + sm2::ciphertext_overhead);
    bool done = true;
    CHECK(bytes_that_follow_the_key([&](const Secret& secret) {
              return [&, random = std::make_shared<OneNumber>(scalar_of(secret))] {
                  done = sm2::encrypt(key->public_key(), plaintext, *random, out) && done;
              };
          }) == 0);
    CHECK(done);
}

TEST_CASE("sm2: decryption leaves nothing that follows d on the stack (S5)") {
    std::vector<std::uint8_t> out(plaintext.size() + sm2::ciphertext_overhead);
    std::vector<std::uint8_t> back(plaintext.size());
    bool done = true;
    CHECK(bytes_that_follow_the_key([&](const Secret& secret) {
              OneNumber random = plain_random();
              auto key = key_of(secret);
              REQUIRE(sm2::encrypt(key->public_key(), plaintext, random, out));
              return [&, key] { done = sm2::decrypt(*key, out, back) && done; };
          }) == 0);
    CHECK(done);
}
