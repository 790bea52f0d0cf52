// crypto/core/stream_modes, crypto/core/aead, crypto/keys/sha, crypto/keys/unionpay_mac: published
// values, and refusals.
#include <doctest/doctest.h>

#include "crypto/core/aead.hpp"
#include "crypto/core/stream_modes.hpp"
#include "crypto/core/xts.hpp"
#include "crypto/keys/ibm3624.hpp"
#include "crypto/keys/sha.hpp"
#include "crypto/keys/unionpay_mac.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto;
using tests::from_hex;
using tests::to_hex;
using Data = std::vector<std::uint8_t>;

const Data key = from_hex("0123456789ABCDEFFEDCBA9876543210");

void check_stream_mode(const tests::Vector& vector, const BlockEncryptor& cipher) {
    const bool ofb = vector.text("Mode") == "ofb";
    const auto iv = vector.bytes("Iv");
    auto data = vector.bytes("In");
    REQUIRE((ofb ? ofb_crypt(cipher, iv, data) : cfb_encrypt(cipher, iv, data)));
    CHECK(to_hex(data) == vector.text("Out"));
    REQUIRE((ofb ? ofb_crypt(cipher, iv, data) : cfb_decrypt(cipher, iv, data)));
    CHECK(to_hex(data) == vector.text("In"));
}

void check_aead(const tests::Vector& vector, const BlockEncryptor& cipher) {
    const bool gcm = vector.text("Mode") == "gcm";
    const auto iv = vector.bytes("Iv");
    const auto aad = vector.bytes("Aad");
    auto data = vector.bytes("In");
    const auto tag = gcm ? gcm_encrypt(cipher, iv, aad, data) : ccm_encrypt(cipher, iv, aad, data);
    REQUIRE(tag.has_value());
    CHECK(to_hex(data) == vector.text("Out"));
    CHECK(to_hex(*tag) == vector.text("Tag"));
    const auto open = gcm ? gcm_decrypt : ccm_decrypt;
    for (std::size_t bit = 0; bit < 128; ++bit) {
        auto forged = *tag;
        forged[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        auto copy = data;
        CHECK(open(cipher, iv, aad, copy, forged) == std::unexpected{AeadError::tag_mismatch});
        CHECK(std::ranges::count(copy, 0) == std::ssize(copy));  // nothing believable is left
    }
    auto copy = data;
    CHECK_FALSE(open(cipher, iv, {}, copy, *tag).has_value());
    copy = data;
    CHECK_FALSE(open(cipher, iv, aad, copy, Bytes{*tag}.first(12)).has_value());
    REQUIRE(open(cipher, iv, aad, data, *tag).has_value());
    CHECK(to_hex(data) == vector.text("In"));
}

}  // namespace

TEST_CASE("modes: OFB, CFB, GCM and CCM of SM4 as published (ISO/IEC 10116, RFC 8998)") {
    const BlockEncryptor cipher{Cipher::sm4, key};
    for (const auto& vector : tests::read_vectors("crypto/sm4_more_modes.vec")) {
        INFO(vector.place());
        vector.has("Tag") ? check_aead(vector, cipher) : check_stream_mode(vector, cipher);
    }
}

TEST_CASE("aead: blocks of eight bytes, and nonces that do not fit, are refused") {
    const BlockEncryptor des{Cipher::triple_des, key};
    const BlockEncryptor sm4{Cipher::sm4, key};
    Data data(5, 1);
    const Data nonce(12, 1);
    const auto block = std::unexpected{AeadError::wrong_block_size};
    const auto size = std::unexpected{AeadError::wrong_nonce_size};
    CHECK(gcm_encrypt(des, nonce, {}, data) == block);
    CHECK(ccm_encrypt(des, nonce, {}, data) == block);
    CHECK(gcm_encrypt(sm4, {}, {}, data) == size);
    for (const std::size_t wrong : {0U, 6U, 14U, 16U}) {
        CHECK(ccm_encrypt(sm4, Data(wrong, 1), {}, data) == size);
    }
    const Data much(0xFF00, 0);
    const auto too_long = std::unexpected{AeadError::data_too_long};
    CHECK(ccm_encrypt(sm4, nonce, much, data) == too_long);
    Data longest(0x10000, 0);
    CHECK(ccm_encrypt(sm4, Data(13, 1), {}, longest) == too_long);
}

TEST_CASE("stream modes: a starting value of another size is refused") {
    const BlockEncryptor cipher{Cipher::sm4, key};
    Data data(5, 1);
    const auto wrong = std::unexpected{ModeError::wrong_iv_size};
    CHECK(ofb_crypt(cipher, Data(15), data) == wrong);
    CHECK(cfb_encrypt(cipher, Data(17), data) == wrong);
    CHECK(cfb_decrypt(cipher, {}, data) == wrong);
    CHECK(data == Data(5, 1));
}

TEST_CASE("sha: published digests (FIPS 180-4)") {
    for (const auto& vector : tests::read_vectors("crypto/digest.vec")) {
        INFO(vector.place());
        const auto in = vector.bytes("In");
        const bool sha1 = vector.text("Algorithm") == "sha1";
        CHECK((sha1 ? to_hex(keys::sha1(in)) : to_hex(keys::sha256(in))) == vector.text("Out"));
    }
}

TEST_CASE("terminals' keys: a published working key, its check value, its message MAC") {
    for (const auto& vector : tests::read_vectors("crypto/pos_keys.vec")) {
        INFO(vector.place());
        const Cipher cipher = vector.text("Cipher") == "sm4" ? Cipher::sm4 : Cipher::triple_des;
        auto opened = vector.bytes("Encrypted");
        REQUIRE(ecb_decrypt(BlockDecryptor{cipher, vector.bytes("TransportKey")}, opened));
        CHECK(to_hex(opened) == vector.text("Key"));
        if (vector.has("Check")) {
            Data block(16, 0);
            BlockEncryptor{cipher, opened}.encrypt(block);
            CHECK(to_hex(block).starts_with(vector.text("Check")));
        }
        if (vector.has("Mac")) {
            const auto mac = keys::unionpay_mac(opened, vector.bytes("Message"));
            CHECK(std::string{mac.begin(), mac.end()} == vector.text("Mac"));
        }
    }
}

TEST_CASE("terminals' MAC: blocks are summed, the last filled with zeros") {
    const auto des = from_hex("C24A8FB57AA20123");
    const auto two = from_hex("0102030405060708F1F2F3");
    const auto sum = from_hex("F0F0F00405060708");
    CHECK(keys::unionpay_mac(des, two) == keys::unionpay_mac(des, sum));
    CHECK(keys::unionpay_mac(des, {}) == keys::unionpay_mac(des, Data(8, 0)));
}

TEST_CASE("xts: SM4 as published, IEEE 1619 and GB/T 17964, whole and part blocks") {
    for (const auto& vector : tests::read_vectors("crypto/sm4_xts.vec")) {
        INFO(vector.place());
        const auto standard = vector.text("Mode") == "xts" ? XtsStandard::ieee : XtsStandard::gb;
        const auto pair = vector.bytes("Key");
        const auto iv = vector.bytes("Iv");
        const Bytes first = Bytes{pair}.first(16);
        const BlockEncryptor tweak{Cipher::sm4, Bytes{pair}.last(16)};
        auto data = vector.bytes("In");
        REQUIRE(xts_encrypt(standard, BlockEncryptor{Cipher::sm4, first}, tweak, iv, data));
        CHECK(to_hex(data) == vector.text("Out"));
        REQUIRE(xts_decrypt(standard, BlockDecryptor{Cipher::sm4, first}, tweak, iv, data));
        CHECK(to_hex(data) == vector.text("In"));
    }
}

TEST_CASE("xts: every size from one block on comes back, and what does not fit is refused") {
    const BlockEncryptor encryptor{Cipher::aes, key};
    const BlockDecryptor decryptor{Cipher::aes, key};
    const BlockEncryptor tweak{Cipher::aes, from_hex("FEDCBA98765432100123456789ABCDEF")};
    const Data iv(16, 7);
    for (const auto standard : {XtsStandard::ieee, XtsStandard::gb}) {
        for (std::size_t size = 16; size <= 80; ++size) {
            Data data(size, 0x42);
            REQUIRE(xts_encrypt(standard, encryptor, tweak, iv, data));
            CHECK(data != Data(size, 0x42));
            REQUIRE(xts_decrypt(standard, decryptor, tweak, iv, data));
            CHECK(data == Data(size, 0x42));
        }
    }
    Data data(15, 1);
    const auto ieee = XtsStandard::ieee;
    CHECK(xts_encrypt(ieee, encryptor, tweak, iv, data) ==
          std::unexpected{XtsError::data_too_short});
    CHECK(xts_encrypt(ieee, encryptor, tweak, Data(8), data) ==
          std::unexpected{XtsError::wrong_iv_size});
    const BlockEncryptor des{Cipher::triple_des, key};
    CHECK(xts_encrypt(ieee, des, des, iv, data) == std::unexpected{XtsError::wrong_block_size});
}

TEST_CASE("ibm3624: a published PIN, offsets, and what is none") {
    for (const auto& vector : tests::read_vectors("crypto/ibm3624.vec")) {
        INFO(vector.place());
        const auto pin = [&](const char* table, const char* offset) {
            return keys::ibm3624_pin(vector.bytes("Key"), vector.bytes<8>("Validation"), table,
                                     offset);
        };
        const auto text = [&](const char* offset) {
            const auto found = pin(vector.text("Table").c_str(), offset);
            REQUIRE(found.has_value());
            return std::string{found->bytes().begin(), found->bytes().end()};
        };
        CHECK(text(vector.text("Offset").c_str()) == vector.text("Pin"));
        CHECK(text("6586") == "0000");  // digit by digit, modulo ten
        CHECK(text("000000").size() == 6);
        using Error = keys::Ibm3624Error;
        CHECK(pin("123456789012345", "0000").error() == Error::table_wrong);
        CHECK(pin("123456789012345A", "0000").error() == Error::table_wrong);
        CHECK(pin("1234567890123456", "000").error() == Error::offset_wrong);
        CHECK(pin("1234567890123456", "00x0").error() == Error::offset_wrong);
        CHECK(keys::ibm3624_pin(from_hex("00"), {}, "1234567890123456", "0000").error() ==
              Error::key_wrong);
    }
}
