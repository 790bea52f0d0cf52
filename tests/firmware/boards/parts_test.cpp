// The parts of the Cortex-M3 board that a host can run.
#include <memory>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "firmware/boards/mps2/drbg.hpp"
#include "firmware/boards/mps2/frames.hpp"
#include "firmware/boards/mps2/region_flash.hpp"

namespace {

using namespace firmware::boards;
using firmware::FlashUnit;

/// OpenSSL's HMAC-DRBG with SM3, fed by its test source.
std::vector<std::uint8_t> by_openssl(protocol::Bytes entropy, protocol::Bytes nonce,
                                     std::vector<std::size_t> sizes) {
    const std::unique_ptr<EVP_RAND, decltype(&EVP_RAND_free)> source{
        EVP_RAND_fetch(nullptr, "TEST-RAND", nullptr), EVP_RAND_free};
    const std::unique_ptr<EVP_RAND, decltype(&EVP_RAND_free)> method{
        EVP_RAND_fetch(nullptr, "HMAC-DRBG", nullptr), EVP_RAND_free};
    const std::unique_ptr<EVP_RAND_CTX, decltype(&EVP_RAND_CTX_free)> parent{
        EVP_RAND_CTX_new(source.get(), nullptr), EVP_RAND_CTX_free};
    const std::unique_ptr<EVP_RAND_CTX, decltype(&EVP_RAND_CTX_free)> drbg{
        EVP_RAND_CTX_new(method.get(), parent.get()), EVP_RAND_CTX_free};
    unsigned strength = 256;
    const auto bytes = [](const char* name, protocol::Bytes value) {
        return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(value.data()),
                                                 value.size());
    };
    std::array feed{
        bytes(OSSL_RAND_PARAM_TEST_ENTROPY, entropy), bytes(OSSL_RAND_PARAM_TEST_NONCE, nonce),
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength), OSSL_PARAM_construct_end()};
    REQUIRE(EVP_RAND_CTX_set_params(parent.get(), feed.data()) == 1);
    REQUIRE(EVP_RAND_instantiate(parent.get(), 256, 0, nullptr, 0, nullptr) == 1);
    std::string mac = "HMAC", digest = "SM3";
    std::array choice{OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_MAC, mac.data(), 0),
                      OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST, digest.data(), 0),
                      OSSL_PARAM_construct_end()};
    // Not null: OpenSSL has a personalisation string of its own for that.
    const std::uint8_t no_personalisation = 0;
    REQUIRE(EVP_RAND_instantiate(drbg.get(), 256, 0, &no_personalisation, 0, choice.data()) == 1);
    std::vector<std::uint8_t> out;
    for (const std::size_t size : sizes) {
        std::vector<std::uint8_t> part(size);
        REQUIRE(EVP_RAND_generate(drbg.get(), part.data(), size, 256, 0, nullptr, 0) == 1);
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

struct Region {
    std::vector<std::uint32_t> words = std::vector<std::uint32_t>(2048, 0xFFFFFFFF);
    RegionFlash flash{words.data(), words.size() * 4};
    [[nodiscard]] FlashUnit unit(std::uint32_t address) {
        FlashUnit out{};
        flash.read(address, out);
        return out;
    }
};

}  // namespace

TEST_CASE("drbg: the bytes are OpenSSL's (NIST SP 800-90A Rev. 1, 10.1.2, with HMAC-SM3)") {
    std::array<std::uint8_t, seed_size> seed{};
    std::iota(seed.begin(), seed.end(), std::uint8_t{3});
    const std::vector<std::size_t> sizes{4, 8, 32, 33, 100, 1};
    const auto expected =
        by_openssl(protocol::Bytes{seed}.first(32), protocol::Bytes{seed}.last(16), sizes);
    Drbg drbg;
    drbg.seed(seed);
    std::vector<std::uint8_t> out;
    for (const std::size_t size : sizes) {
        std::vector<std::uint8_t> part(size);
        drbg.fill(part);
        out.insert(out.end(), part.begin(), part.end());
    }
    CHECK(out == expected);
}

TEST_CASE("drbg: seeding again mixes the old state in (10.1.2.4)") {
    const std::array<std::uint8_t, seed_size> seed{};
    Drbg once, twice;
    once.seed(seed);
    twice.seed(seed);
    twice.seed(seed);
    std::array<std::uint8_t, 32> a{}, b{};
    once.fill(a);
    twice.fill(b);
    CHECK(a != b);
}

TEST_CASE_FIXTURE(Region, "region flash: a unit takes its bytes, its neighbours stay") {
    REQUIRE(flash.program(8, {1, 2, 3, 4}));
    CHECK(unit(8) == FlashUnit{1, 2, 3, 4});
    CHECK(unit(4) == FlashUnit{0xFF, 0xFF, 0xFF, 0xFF});
    CHECK(unit(12) == FlashUnit{0xFF, 0xFF, 0xFF, 0xFF});
}

TEST_CASE_FIXTURE(Region,
                  "region flash: zero may be programmed over anything (flash.hpp, rule 3)") {
    REQUIRE(flash.program(8, {1, 2, 3, 4}));
    REQUIRE(flash.program(8, {}));
    REQUIRE(flash.program(8, {}));
    CHECK(unit(8) == FlashUnit{});
}

TEST_CASE_FIXTURE(Region, "region flash: erasing restores one page and no other (rule 1)") {
    REQUIRE(flash.program(1020, {1, 2, 3, 4}));
    REQUIRE(flash.program(1024, {5, 6, 7, 8}));
    REQUIRE(flash.program(2048, {9, 9, 9, 9}));
    REQUIRE(flash.erase_page(1));
    CHECK(unit(1020) == FlashUnit{1, 2, 3, 4});
    CHECK(unit(1024) == FlashUnit{0xFF, 0xFF, 0xFF, 0xFF});
    CHECK(unit(2048) == FlashUnit{9, 9, 9, 9});
    CHECK(flash.page_count() == 8);
}

TEST_CASE("flash model: what may be programmed over what (rule 3)") {
    constexpr FlashUnit erased{0xFF, 0xFF, 0xFF, 0xFF};
    CHECK(firmware::may_program(erased, {1, 2, 3, 4}));
    CHECK(firmware::may_program({1, 2, 3, 4}, {}));
    CHECK_FALSE(firmware::may_program({1, 2, 3, 4}, {1, 2, 3, 4}));  // not even the same again
    CHECK_FALSE(firmware::may_program({0xFF, 0xFF, 0xFF, 0xFE}, {1, 2, 3, 4}));
    CHECK_FALSE(firmware::may_program({}, {0, 0, 0, 1}));
}

TEST_CASE("frames: header and check (docs/card_boards.md, 3)") {
    const auto header = frame_header(FrameKind::command, 0x0105);
    CHECK(header == std::array<std::uint8_t, 3>{0x02, 0x01, 0x05});
    const std::array<std::uint8_t, 2> payload{0xF0, 0x0F};
    CHECK(frame_check(payload, frame_check(header)) == (0x02 ^ 0x01 ^ 0x05 ^ 0xFF));
}
