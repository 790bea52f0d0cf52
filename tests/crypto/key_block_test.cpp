// crypto/keys/key_block: published blocks, our SM4 form, and every way to break them.
#include "crypto/keys/key_block.hpp"

#include <doctest/doctest.h>

#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
using crypto::Bytes;
using crypto::Cipher;
using tests::from_hex;
using tests::to_hex;
using Error = KeyBlockError;

std::vector<tests::Vector> vectors() {
    auto all = tests::read_vectors("crypto/key_block.vec");
    for (const auto& vector : tests::read_vectors("crypto/key_block_sm4.vec"))
        all.push_back(vector);
    return all;
}

KeyBlockHeader header_of(const std::string& text) {
    const auto header = parse_key_block_header(text);
    REQUIRE_MESSAGE(header.has_value(), text);
    return *header;
}

struct Kind {
    std::string header;
    std::string protection_key;
    std::string key;
};
const std::vector<Kind> written_kinds{
    {"B0000P0TE00E0000", "89E88CF7931444F334BD7547FC3F380C", "F039121BEC83D26B169BDCD5B22AAF8F"},
    {"B0000K0TB00E0000", "89E88CF7931444F334BD7547FC3F380C0011223344556677",
     "F039121BEC83D26B169BDCD5B22AAF8F0123456789ABCDEF"},
    {"D0000D0AB00N0000", "88E1AB2A2E3DD38C1FA039A536500CC8", "000102030405060708090A0B0C0D0E0F"},
    {"D0000K1AB00N0000", "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01",
     "000102030405060708090A0B0C0D0E0F1011121314151617"},
    {"D0000K04B00N0000", "88E1AB2A2E3DD38C1FA039A536500CC8", "000102030405060708090A0B0C0D0E0F"},
    {"D0000B0TX12S0100KS1800604B120F9292800000", "88E1AB2A2E3DD38C1FA039A536500CC8",
     "F039121BEC83D26B169BDCD5B22AAF8F"},
    {"40000K04B00E0000", "0123456789ABCDEFFEDCBA9876543210", "000102030405060708090A0B0C0D0E0F"},
    {"D0000M7HC00E0000", "88E1AB2A2E3DD38C1FA039A536500CC8", "0102030405"},
};

}  // namespace

TEST_CASE("key block: published blocks open, with their keys and check values (TR-31:2018, A.7)") {
    for (const auto& vector : vectors()) {
        INFO(vector.place());
        const auto opened = unwrap_key_block(vector.bytes("ProtectionKey"), vector.text("Block"));
        REQUIRE(opened.has_value());
        CHECK(to_hex(opened->key.bytes()) == vector.text("Key"));
        const auto cipher = cipher_of_key_block(opened->header.algorithm);
        REQUIRE(cipher.has_value());
        const auto method =
            vector.text("Method") == "cmac" ? CheckMethod::cmac : CheckMethod::legacy;
        const auto check = to_hex(check_block(method, *cipher, opened->key.bytes()).bytes());
        CHECK(check.starts_with(vector.text("Kcv")));
        if (vector.has("OptionalId")) {
            REQUIRE(opened->header.optional_blocks.size() == 1);
            CHECK(opened->header.optional_blocks[0].id == vector.text("OptionalId"));
            CHECK(opened->header.optional_blocks[0].data == vector.text("OptionalData"));
        } else {
            CHECK(opened->header.optional_blocks.empty());
        }
    }
}

TEST_CASE("key block: each character changed into each other byte is refused (B2)") {
    for (const auto& vector : vectors()) {
        INFO(vector.place());
        const auto key = vector.bytes("ProtectionKey");
        const auto& block = vector.text("Block");
        std::size_t accepted = 0;
        for (std::size_t at = 0; at < block.size(); ++at) {
            // The header and its neighbourhood byte by byte; of the hex part all that hex can be,
            // the other case, and what is no digit.
            for (int other = 0; other < 256; ++other) {
                if (at > 44 && !std::isalnum(other) && other != 0 && other != 0xFF) continue;
                std::string changed = block;
                changed[at] = static_cast<char>(other);
                if (changed == block) continue;
                if (unwrap_key_block(key, changed)) ++accepted;
            }
        }
        CHECK(accepted == 0);
    }
}

TEST_CASE("key block: every truncation and every longer text is refused") {
    for (const auto& vector : vectors()) {
        INFO(vector.place());
        const auto key = vector.bytes("ProtectionKey");
        const auto& block = vector.text("Block");
        for (std::size_t size = 0; size < block.size(); ++size) {
            CHECK_FALSE(unwrap_key_block(key, std::string_view{block}.substr(0, size)).has_value());
        }
        for (const char* more : {"0", "00", "00000000", "0000000000000000"}) {
            CHECK_FALSE(unwrap_key_block(key, block + more).has_value());
        }
    }
}

TEST_CASE("key block: another protection key is a mac_mismatch, another size is named") {
    for (const auto& vector : vectors()) {
        INFO(vector.place());
        auto key = vector.bytes("ProtectionKey");
        key[0] ^= 0x10;
        CHECK(unwrap_key_block(key, vector.text("Block")).error() == Error::mac_mismatch);
        key.pop_back();
        CHECK(unwrap_key_block(key, vector.text("Block")).error() == Error::protection_key_wrong);
    }
}

TEST_CASE("key block: what is wrapped opens to the same key and header, a new text each time") {
    crypto::SeededRandom random{1, "key block"};
    for (const Kind& kind : written_kinds) {
        INFO(kind.header);
        const auto protection = from_hex(kind.protection_key);
        const auto header = header_of(kind.header);
        const auto key = from_hex(kind.key);
        const auto block = wrap_key_block(protection, header, key, random);
        REQUIRE(block.has_value());
        CHECK(*block != *wrap_key_block(protection, header, key, random));
        const auto opened = unwrap_key_block(protection, *block);
        REQUIRE(opened.has_value());
        CHECK(to_hex(opened->key.bytes()) == kind.key);
        const auto& blocks = opened->header.optional_blocks;
        REQUIRE(blocks.size() >= header.optional_blocks.size());
        CHECK(std::equal(header.optional_blocks.begin(), header.optional_blocks.end(),
                         blocks.begin()));
        for (std::size_t i = header.optional_blocks.size(); i < blocks.size(); ++i) {
            CHECK(blocks[i].id == "PB");
        }
    }
}

TEST_CASE("key block: the length of a block says nothing of the key's (B3)") {
    crypto::SeededRandom random{2, "key block"};
    const auto size_of = [&random](const char* header, const char* protection, std::size_t size) {
        const std::vector<std::uint8_t> key(size, 0x5A);
        const auto block = wrap_key_block(from_hex(protection), header_of(header), key, random);
        REQUIRE(block.has_value());
        return block->size();
    };
    constexpr auto pair = "89E88CF7931444F334BD7547FC3F380C";
    CHECK(size_of("B0000K0TB00E0000", pair, 16) == size_of("B0000K0TB00E0000", pair, 24));
    CHECK(size_of("D0000K0AB00E0000", pair, 16) == size_of("D0000K0AB00E0000", pair, 24));
    CHECK(size_of("D0000K0AB00E0000", pair, 16) == size_of("D0000K0AB00E0000", pair, 32));
    CHECK(size_of("D0000K04B00E0000", pair, 16) == size_of("D0000K0AB00E0000", pair, 32));
}

TEST_CASE("key block: each header field outside its table has its own refusal (X9.143, 6.3)") {
    const std::vector<std::pair<std::string, Error>> wrong{
        {"E0112P0AE00E0000", Error::unknown_version},
        {"d0112P0AE00E0000", Error::unknown_version},
        {"D01x2P0AE00E0000", Error::length_field_wrong},
        {"D0112Z9AE00E0000", Error::usage_unknown},
        {"D0112p0AE00E0000", Error::usage_unknown},
        {"D0112P0ZE00E0000", Error::algorithm_unknown},
        {"D0112P0RE00E0000", Error::algorithm_unknown},  // PINs are not under RSA
        {"D0112M7AC00E0000", Error::algorithm_unknown},  // HMAC is not AES
        {"D0112P0AX00E0000", Error::mode_not_allowed},   // a PIN key does not derive
        {"D0112B0AE00E0000", Error::mode_not_allowed},   // a BDK does not encrypt
        {"D0112P0Ae00E0000", Error::mode_not_allowed},
        {"D0112P0AE#0E0000", Error::key_version_wrong},
        {"D0112P0AE0cE0000", Error::key_version_wrong},
        {"D0112P0AE00X0000", Error::exportability_unknown},
        {"D0112P0AE00E0x00", Error::optional_count_wrong},
        {"D0112P0AE00E0001", Error::reserved_not_zero},
        {"D0112P0AE00E0100", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS", Error::optional_block_wrong},
        {"D0112P0AE00E0100ks04", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS03", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS05", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS0a123456", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS05\x07", Error::optional_block_wrong},
        {"D0112P0AE00E0100KS0002000A", Error::optional_block_wrong},  // long form of a short one
        {"D0112P0AE00E0100KS00040000000A", Error::optional_block_wrong},
        {"D0112P0AE00E0000KS04", Error::optional_count_wrong},
        {"D0112P0AE00E00", Error::wrong_length},
    };
    for (const auto& [text, error] : wrong) {
        INFO(text);
        const auto header = parse_key_block_header(text);
        REQUIRE_FALSE(header.has_value());
        CHECK(std::string{name(header.error())} == name(error));
    }
}

TEST_CASE("key block: an optional block longer than 255 uses the long form, and survives") {
    crypto::SeededRandom random{3, "key block"};
    auto header = header_of("D0000D0AB00N0000");
    header.optional_blocks.push_back({"CT", std::string(1000, 'Q')});
    header.optional_blocks.push_back({"TS", "20261123T130000Z"});
    const auto protection = from_hex("88E1AB2A2E3DD38C1FA039A536500CC8");
    const std::vector<std::uint8_t> key(16, 7);
    const auto block = wrap_key_block(protection, header, key, random);
    REQUIRE(block.has_value());
    const auto opened = unwrap_key_block(protection, *block);
    REQUIRE(opened.has_value());
    REQUIRE(opened->header.optional_blocks.size() >= 2);
    CHECK(opened->header.optional_blocks[0] == header.optional_blocks[0]);
    CHECK(opened->header.optional_blocks[1] == header.optional_blocks[1]);
}

TEST_CASE("key block: check values inside are believed only if they are true (B6)") {
    crypto::SeededRandom random{4, "key block"};
    const auto protection = from_hex("88E1AB2A2E3DD38C1FA039A536500CC8");
    const auto key = from_hex("000102030405060708090A0B0C0D0E0F");
    for (const auto method : {CheckMethod::legacy, CheckMethod::cmac}) {
        auto header = header_of("D0000D0AB00N0000");
        header.optional_blocks = {check_value_block("KC", method, Cipher::aes, key),
                                  check_value_block("KP", method, Cipher::aes, protection)};
        const auto block = wrap_key_block(protection, header, key, random);
        REQUIRE(block.has_value());
        REQUIRE(unwrap_key_block(protection, *block).has_value());
        for (std::size_t which = 0; which < 2; ++which) {
            auto lie = header;
            auto& digit = lie.optional_blocks[which].data[2];
            digit = digit == '0' ? '1' : '0';
            CHECK(wrap_key_block(protection, lie, key, random).error() ==
                  Error::check_value_mismatch);
        }
        auto unknown = header;
        unknown.optional_blocks[0].data[1] = '7';
        CHECK(wrap_key_block(protection, unknown, key, random).error() ==
              Error::optional_block_wrong);
    }
}

TEST_CASE("key block: writing refuses versions A and C, sizes that do not fit, and too much (B5)") {
    crypto::SeededRandom random{5, "key block"};
    const auto pair = from_hex("89E88CF7931444F334BD7547FC3F380C");
    const auto refusal = [&](const char* header, std::size_t size) {
        const std::vector<std::uint8_t> key(size, 0x5A);
        return wrap_key_block(pair, header_of(header), key, random).error();
    };
    CHECK(refusal("A0000K0TB00E0000", 16) == Error::version_not_written);
    CHECK(refusal("C0000K0TB00E0000", 16) == Error::version_not_written);
    CHECK(refusal("D0000K0AB00E0000", 15) == Error::key_length_wrong);
    CHECK(refusal("D0000K0AB00E0000", 0) == Error::key_length_wrong);
    CHECK(refusal("D0000K04B00E0000", 24) == Error::key_length_wrong);
    CHECK(refusal("B0000K0TB00E0000", 8) == Error::key_length_wrong);
    CHECK(refusal("D0000S0RS00E0000", 4990) == Error::too_long);
    auto crowded = header_of("D0000D0AB00N0000");
    crowded.optional_blocks.assign(99, {"TS", "1"});
    const std::vector<std::uint8_t> key(16, 7);
    CHECK(wrap_key_block(pair, crowded, key, random).error() == Error::too_long);
    auto nonsense = header_of("D0000D0AB00N0000");
    nonsense.optional_blocks = {{"k", "1"}};
    CHECK(wrap_key_block(pair, nonsense, key, random).error() == Error::optional_block_wrong);
}
