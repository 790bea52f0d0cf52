// crypto/keys/shamir: any k shares give the secret, k-1 say nothing.
#include "crypto/keys/shamir.hpp"

#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
using crypto::Bytes;
using tests::from_hex;
using tests::to_hex;

std::vector<Share> chosen(const std::vector<Share>& shares, unsigned mask) {
    std::vector<Share> out;
    for (std::size_t i = 0; i < shares.size(); ++i) {
        if ((mask >> i & 1U) != 0) out.push_back({shares[i].index, shares[i].value.duplicate()});
    }
    return out;
}

/// The same byte whenever asked.
class FixedRandom final : public crypto::Random {
public:
    explicit FixedRandom(std::uint8_t byte) : byte_{byte} {}
    void fill(crypto::MutableBytes out) override { std::ranges::fill(out, byte_); }

private:
    std::uint8_t byte_;
};

}  // namespace

TEST_CASE("shamir: in every choice of k of n the secret comes back, whatever the order") {
    crypto::SeededRandom random{7};
    const auto secret = from_hex("0123456789ABCDEFFEDCBA987654321000FF80017F");
    for (unsigned n = 1; n <= 6; ++n) {
        for (unsigned k = 1; k <= n; ++k) {
            const auto shares = split_secret(secret, k, n, random);
            REQUIRE(shares.has_value());
            for (unsigned mask = 1; mask < 1U << n; ++mask) {
                auto some = chosen(*shares, mask);
                std::ranges::reverse(some);
                const auto joined = join_secret(some);
                REQUIRE(joined.has_value());
                const bool enough = std::popcount(mask) >= static_cast<int>(k);
                CHECK((to_hex(joined->bytes()) == to_hex(secret)) == enough);
            }
        }
    }
}

TEST_CASE("shamir: a line by hand in the field of AES (FIPS 197, 4.2)") {
    // f(x) = s + 03 x with s = 57: f(1) = 57 ^ 03, f(2) = 57 ^ 06, f(0x83's place is out of range).
    FixedRandom random{0x03};
    const auto shares = split_secret(from_hex("57"), 2, 3, random);
    REQUIRE(shares.has_value());
    CHECK(to_hex((*shares)[0].value.bytes()) == "54");
    CHECK(to_hex((*shares)[1].value.bytes()) == "51");
    CHECK(to_hex((*shares)[2].value.bytes()) == "52");  // 03 * 03 = 05
    // FIPS 197, 4.2: 57 * 13 = FE. A coefficient of 57 at x = 13 (hexadecimal) needs index 19,
    // above ours; 57 * 02 = AE and 57 * 04 = 47 stand in the same example.
    FixedRandom other{0x57};
    const auto line = split_secret(from_hex("00"), 2, 4, other);
    REQUIRE(line.has_value());
    CHECK(to_hex((*line)[1].value.bytes()) == "AE");
    CHECK(to_hex((*line)[3].value.bytes()) == "47");
}

TEST_CASE("shamir: k-1 shares fit every secret equally often") {
    // All coefficients, all secrets: what one holder of 2 of 2, or two of 3 of 3, can see is the
    // same for each secret. 2 of 2: share 1 of secret s over all 256 coefficients takes each value
    // once.
    for (const unsigned secret : {0x00U, 0x01U, 0x80U, 0xFFU}) {
        std::map<std::uint8_t, unsigned> seen;
        for (unsigned c = 0; c < 256; ++c) {
            FixedRandom random{static_cast<std::uint8_t>(c)};
            const std::array<std::uint8_t, 1> one{static_cast<std::uint8_t>(secret)};
            const auto shares = split_secret(one, 2, 2, random);
            REQUIRE(shares.has_value());
            ++seen[(*shares)[1].value.bytes()[0]];
        }
        CHECK(seen.size() == 256);
    }
    // The other way round: to any one share of 2 of n, each of the 256 secrets has exactly one
    // second share that joins to it.
    std::map<std::uint8_t, unsigned> secrets;
    for (unsigned second = 0; second < 256; ++second) {
        std::vector<Share> two;
        two.push_back({1, crypto::keys::SecretBuffer{from_hex("A7")}});
        const std::array<std::uint8_t, 1> value{static_cast<std::uint8_t>(second)};
        two.push_back({2, crypto::keys::SecretBuffer{Bytes{value}}});
        ++secrets[join_secret(two)->bytes()[0]];
    }
    CHECK(secrets.size() == 256);
}

TEST_CASE("shamir: counts, indices and sizes without meaning are refused by name") {
    crypto::SeededRandom random{7};
    const auto secret = from_hex("00112233");
    CHECK(split_secret({}, 1, 1, random).error() == ShamirError::counts_wrong);
    CHECK(split_secret(secret, 0, 1, random).error() == ShamirError::counts_wrong);
    CHECK(split_secret(secret, 3, 2, random).error() == ShamirError::counts_wrong);
    CHECK(split_secret(secret, 2, 17, random).error() == ShamirError::counts_wrong);
    CHECK(join_secret({}).error() == ShamirError::counts_wrong);
    auto shares = *split_secret(secret, 2, 3, random);
    auto twice = chosen(shares, 0b011);
    twice[1].index = twice[0].index;
    CHECK(join_secret(twice).error() == ShamirError::index_repeated);
    auto zero = chosen(shares, 0b011);
    zero[0].index = 0;
    CHECK(join_secret(zero).error() == ShamirError::index_wrong);
    zero[0].index = 17;
    CHECK(join_secret(zero).error() == ShamirError::index_wrong);
    auto short_one = chosen(shares, 0b011);
    short_one[1].value = SecretBuffer{3};
    CHECK(join_secret(short_one).error() == ShamirError::share_sizes_differ);
    std::vector<Share> empty;
    empty.push_back({1, SecretBuffer{}});
    CHECK(join_secret(empty).error() == ShamirError::counts_wrong);
}
