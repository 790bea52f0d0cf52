// crypto/random: what a source promises, and what it says when it cannot deliver.
#include <set>

#include <doctest/doctest.h>

#include "crypto/random/seeded_random.hpp"
#include "crypto/random/system_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

std::string draw(crypto::Random& random, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    random.fill(bytes);
    return tests::to_hex(bytes);
}

bool no_entropy(void*, crypto::MutableBytes) {
    return false;
}
bool constant_entropy(void* calls, crypto::MutableBytes out) {
    ++*static_cast<int*>(calls);
    std::ranges::fill(out, std::uint8_t{0x42});
    return true;
}

}  // namespace

TEST_CASE("SystemRandom: without entropy it is not made, and the refusal has a name") {
    const auto random = crypto::SystemRandom::open({no_entropy, nullptr});
    REQUIRE_FALSE(random.has_value());
    CHECK(random.error() == crypto::RandomError::entropy_unavailable);
}

TEST_CASE("SystemRandom: seeded from the source it was given (NIST SP 800-90A, 10.2.1)") {
    int calls = 0;
    auto one = crypto::SystemRandom::open({constant_entropy, &calls});
    auto other = crypto::SystemRandom::open({constant_entropy, &calls});
    REQUIRE((one && other));
    CHECK(calls >= 2);
    CHECK(draw(*one, 64) == draw(*other, 64));  // all its randomness comes from there
}

TEST_CASE("SystemRandom: two from the kernel differ, and one does not repeat itself") {
    auto one = crypto::SystemRandom::open();
    auto other = crypto::SystemRandom::open();
    REQUIRE((one && other));
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        seen.insert(draw(*one, 16));
        seen.insert(draw(*other, 16));
    }
    CHECK(seen.size() == 2000);
}

TEST_CASE("SystemRandom: a request above the generator's limit is served in pieces") {
    auto random = crypto::SystemRandom::open();
    REQUIRE(random);
    std::vector<std::uint8_t> bytes(5000, 0);
    random->fill(bytes);
    CHECK(std::ranges::count(bytes, 0) < 100);  // about 20 expected
    CHECK(std::ranges::count(std::span{bytes}.last(64), 0) < 32);
}

TEST_CASE("SeededRandom: same seed and label, same bytes, however they are drawn") {
    crypto::SeededRandom one{7, "gate"};
    crypto::SeededRandom other{7, "gate"};
    std::string pieces;
    for (const std::size_t size : {1U, 31U, 32U, 33U, 3U}) pieces += draw(other, size);
    CHECK(draw(one, 100) == pieces);
}

TEST_CASE(
    "SeededRandom: the bytes are part of the contract, a printed seed must replay (by OpenSSL)") {
    crypto::SeededRandom random{1, "onecard"};
    CHECK(draw(random, 16) == "A60415D79C2FB38C2AA52422F8890C5B");
    auto fork = random.fork("card 1");
    CHECK(draw(fork, 16) == "276C3F5EB3E69BDE99FA6A8B2E035204");
}

TEST_CASE("SeededRandom: another seed, label or fork is another stream") {
    std::set<std::string> streams;
    const auto add = [&](crypto::SeededRandom random) { streams.insert(draw(random, 16)); };
    add(crypto::SeededRandom{1});
    add(crypto::SeededRandom{2});
    add(crypto::SeededRandom{1, "a"});
    add(crypto::SeededRandom{1, "b"});
    add(crypto::SeededRandom{1}.fork("a"));
    add(crypto::SeededRandom{1}.fork("b"));
    add(crypto::SeededRandom{1}.fork("a").fork("b"));
    CHECK(streams.size() == 7);
}

TEST_CASE("SeededRandom: a fork does not depend on how much its parent has given") {
    crypto::SeededRandom one{1};
    crypto::SeededRandom other{1};
    draw(other, 1000);
    auto a = one.fork("x");
    auto b = other.fork("x");
    CHECK(draw(a, 16) == draw(b, 16));
}

TEST_CASE("SeededRandom: below() stays below and reaches everything") {
    crypto::SeededRandom random{3};
    std::array<int, 6> seen{};
    for (int i = 0; i < 6000; ++i) ++seen.at(random.below(6));
    for (const int count : seen) CHECK(count > 850);
    CHECK(random.below(1) == 0);
}
