// crypto/core: digests, ciphers, modes, MACs against published vectors, and secrets.
#include <doctest/doctest.h>

#include "crypto/core/mac.hpp"
#include "crypto/core/modes.hpp"
#include "crypto/core/sm3.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using crypto::Bytes;
using crypto::Cipher;
using crypto::Padding;
using tests::from_hex;
using tests::to_hex;

Cipher cipher_named(const std::string& name) {
    if (name == "des") return Cipher::des;
    if (name == "triple_des") return Cipher::triple_des;
    if (name == "aes") return Cipher::aes;
    REQUIRE(name == "sm4");
    return Cipher::sm4;
}

std::vector<std::uint8_t> optional_iv(const tests::Vector& vector) {
    return vector.has("Iv") ? vector.bytes("Iv") : std::vector<std::uint8_t>{};
}

std::string compute_mac(const tests::Vector& vector, crypto::Pieces message) {
    const auto& algorithm = vector.text("Algorithm");
    const Cipher cipher = cipher_named(vector.text("Cipher"));
    const auto key = vector.bytes("Key");
    if (algorithm == "cmac") return to_hex(crypto::cmac(cipher, key, message).bytes());
    const auto iv = optional_iv(vector);
    const Padding padding = vector.number("Padding") == 1 ? Padding::method_1 : Padding::method_2;
    const auto mac = algorithm == "retail" ? crypto::retail_mac(cipher, key, message, padding, iv)
                                           : crypto::cbc_mac(cipher, key, message, padding, iv);
    return to_hex(mac.bytes());
}

}  // namespace

TEST_CASE("sm3: published digests (GB/T 32905-2016, annex A)") {
    for (const auto& vector : tests::read_vectors("crypto/sm3.vec")) {
        INFO(vector.place());
        CHECK(to_hex(crypto::sm3(vector.bytes("In"))) == vector.text("Out"));
    }
}

TEST_CASE("sm3: however a message is cut into updates, one digest (5.2, 5.3)") {
    std::vector<std::uint8_t> message(200);
    for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::uint8_t>(i * 7);
    for (std::size_t size = 0; size <= message.size(); ++size) {
        const Bytes whole = Bytes{message}.first(size);
        const auto expected = crypto::sm3(whole);
        for (const std::size_t cut : {std::size_t{1}, std::size_t{63}, std::size_t{64}, size / 2}) {
            if (cut > size) continue;
            crypto::Sm3 digest;
            digest.update(whole.first(cut)).update({}).update(whole.subspan(cut));
            INFO("size " << size << " cut " << cut);
            CHECK(digest.finish() == expected);
            CHECK(digest.finish() == crypto::sm3({}));  // it starts afresh
        }
    }
}

TEST_CASE("sm3: a copy goes its own way") {
    crypto::Sm3 one;
    one.update(from_hex("61"));
    crypto::Sm3 other = one;
    one.update(from_hex("6263"));
    CHECK(other.finish() == crypto::sm3(from_hex("61")));
    CHECK(one.finish() == crypto::sm3(from_hex("616263")));
}

TEST_CASE("hmac_sm3: published values (ISO/IEC 9797-2, MAC algorithm 2)") {
    for (const auto& vector : tests::read_vectors("crypto/hmac_sm3.vec")) {
        INFO(vector.place());
        CHECK(to_hex(crypto::hmac_sm3(vector.bytes("Key"), vector.bytes("In"))) ==
              vector.text("Out"));
    }
}

TEST_CASE(
    "hmac_sm3: a key above one block counts as its digest, one of a block does not (FIPS 198-1, "
    "4)") {
    const std::vector<std::uint8_t> long_key(65, 0x5A);
    const std::vector<std::uint8_t> block_key(64, 0x5A);
    const auto data = from_hex("00");
    CHECK(crypto::hmac_sm3(long_key, data) == crypto::hmac_sm3(crypto::sm3(long_key), data));
    CHECK(crypto::hmac_sm3(block_key, data) != crypto::hmac_sm3(crypto::sm3(block_key), data));
}

TEST_CASE("block ciphers: published blocks, both directions") {
    for (const auto& vector : tests::read_vectors("crypto/block_cipher.vec")) {
        INFO(vector.place());
        const Cipher cipher = cipher_named(vector.text("Cipher"));
        const auto key = vector.bytes("Key");
        auto block = vector.bytes("In");
        crypto::BlockEncryptor{cipher, key}.encrypt(block);
        CHECK(to_hex(block) == vector.text("Out"));
        crypto::BlockDecryptor{cipher, key}.decrypt(block);
        CHECK(to_hex(block) == vector.text("In"));
    }
}

TEST_CASE("sm4: one million encryptions (GB/T 32907-2016, A.2)") {
    auto block = from_hex<16>("0123456789ABCDEFFEDCBA9876543210");
    const crypto::Sm4Key key{block};
    for (int i = 0; i < 1'000'000; ++i) key.encrypt_block(block, block);
    CHECK(to_hex(block) == "595298C7C6FD271F0402F804C33D3F66");
}

TEST_CASE("key sizes: only those the standards name") {
    const auto sizes = [](Cipher cipher) {
        std::string out;
        for (std::size_t size = 0; size <= 64; ++size) {
            if (crypto::key_size_fits(cipher, size)) out += std::to_string(size) + " ";
        }
        return out;
    };
    CHECK(sizes(Cipher::des) == "8 ");
    CHECK(sizes(Cipher::triple_des) == "16 24 ");
    CHECK(sizes(Cipher::sm4) == "16 ");
    CHECK(sizes(Cipher::aes) == "16 24 32 ");
}

TEST_CASE("modes: published SM4 texts, and back (ISO/IEC 10116:2017, 7 and 10)") {
    for (const auto& vector : tests::read_vectors("crypto/sm4_modes.vec")) {
        INFO(vector.place());
        const auto key = vector.bytes("Key");
        const auto iv = vector.bytes("Iv");
        auto data = vector.bytes("In");
        const crypto::BlockEncryptor encryptor{Cipher::sm4, key};
        const bool cbc = vector.text("Mode") == "cbc";
        REQUIRE((cbc ? crypto::cbc_encrypt(encryptor, iv, data)
                     : crypto::ctr_crypt(encryptor, iv, data)));
        CHECK(to_hex(data) == vector.text("Out"));
        REQUIRE((cbc ? crypto::cbc_decrypt(crypto::BlockDecryptor{Cipher::sm4, key}, iv, data)
                     : crypto::ctr_crypt(encryptor, iv, data)));
        CHECK(to_hex(data) == vector.text("In"));
    }
}

TEST_CASE("ctr: the counter carries over its whole width, and a part block uses a part (10.2)") {
    const auto key = from_hex("0123456789ABCDEFFEDCBA9876543210");
    const crypto::BlockEncryptor encryptor{Cipher::sm4, key};
    std::vector<std::uint8_t> stream(20, 0);
    REQUIRE(crypto::ctr_crypt(encryptor, from_hex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"), stream));
    auto first = from_hex("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    auto second = from_hex("00000000000000000000000000000000");
    encryptor.encrypt(first);
    encryptor.encrypt(second);
    CHECK(to_hex(Bytes{stream}.first(16)) == to_hex(first));
    CHECK(to_hex(Bytes{stream}.last(4)) == to_hex(Bytes{second}.first(4)));
}

TEST_CASE(
    "modes: data that is not whole blocks, or a starting value of another size, changes nothing") {
    const auto key = from_hex("0123456789ABCDEFFEDCBA9876543210");
    const crypto::BlockEncryptor encryptor{Cipher::sm4, key};
    const crypto::BlockDecryptor decryptor{Cipher::sm4, key};
    const std::vector<std::uint8_t> iv(16, 1);
    for (const std::size_t size : {1U, 15U, 17U, 31U}) {
        std::vector<std::uint8_t> data(size, 0x42);
        const auto before = data;
        const auto error = crypto::ModeError::not_whole_blocks;
        CHECK(crypto::ecb_encrypt(encryptor, data) == std::unexpected{error});
        CHECK(crypto::ecb_decrypt(decryptor, data) == std::unexpected{error});
        CHECK(crypto::cbc_encrypt(encryptor, iv, data) == std::unexpected{error});
        CHECK(crypto::cbc_decrypt(decryptor, iv, data) == std::unexpected{error});
        CHECK(data == before);
    }
    for (const std::size_t size : {0U, 8U, 15U, 17U}) {
        const std::vector<std::uint8_t> wrong(size, 1);
        std::vector<std::uint8_t> data(16, 0x42);
        const auto before = data;
        const auto error = crypto::ModeError::wrong_iv_size;
        CHECK(crypto::cbc_encrypt(encryptor, wrong, data) == std::unexpected{error});
        CHECK(crypto::cbc_decrypt(decryptor, wrong, data) == std::unexpected{error});
        CHECK(crypto::ctr_crypt(encryptor, wrong, data) == std::unexpected{error});
        CHECK(data == before);
    }
}

TEST_CASE("mac: published values (ISO/IEC 9797-1:2011, algorithms 1, 3 and 5)") {
    for (const auto& vector : tests::read_vectors("crypto/mac.vec")) {
        INFO(vector.place());
        const auto in = vector.bytes("In");
        const Bytes message{in};
        CHECK(compute_mac(vector, {&message, 1}) == vector.text("Out"));
    }
}

TEST_CASE("mac: however a message is cut into pieces, one MAC") {
    for (const auto& vector : tests::read_vectors("crypto/mac.vec")) {
        INFO(vector.place());
        const auto in = vector.bytes("In");
        const Bytes message{in};
        for (std::size_t cut = 0; cut <= in.size(); ++cut) {
            const std::array<Bytes, 3> pieces{message.first(cut), Bytes{}, message.subspan(cut)};
            CHECK(compute_mac(vector, pieces) == vector.text("Out"));
        }
    }
}

TEST_CASE(
    "mac: padding 1 of an empty message is one block of zeros, padding 2 is 80 00 .. (6.3.2, "
    "6.3.3)") {
    const auto key = from_hex("0123456789ABCDEF");
    auto zeros = from_hex("0000000000000000");
    auto marked = from_hex("8000000000000000");
    const crypto::BlockEncryptor encryptor{Cipher::des, key};
    encryptor.encrypt(zeros);
    encryptor.encrypt(marked);
    const auto mac = [&](Padding padding) {
        return to_hex(crypto::cbc_mac(Cipher::des, key, Bytes{}, padding).bytes());
    };
    CHECK(mac(Padding::method_1) == to_hex(zeros));
    CHECK(mac(Padding::method_2) == to_hex(marked));
}

TEST_CASE("mac: trailing zeros are invisible to padding 1 and visible to padding 2 (6.3.2, note)") {
    const auto key = from_hex("0123456789ABCDEFFEDCBA9876543210");
    const auto shorter = from_hex("112233");
    const auto longer = from_hex("11223300");
    const auto mac = [&](const auto& message, Padding padding) {
        return to_hex(crypto::cbc_mac(Cipher::sm4, key, Bytes{message}, padding).bytes());
    };
    CHECK(mac(shorter, Padding::method_1) == mac(longer, Padding::method_1));
    CHECK(mac(shorter, Padding::method_2) != mac(longer, Padding::method_2));
}

TEST_CASE("equal_constant_time: differs wherever one bit differs, and in size") {
    const std::vector<std::uint8_t> one(8, 0x5A);
    CHECK(crypto::equal_constant_time(one, one));
    CHECK(crypto::equal_constant_time({}, {}));
    CHECK_FALSE(crypto::equal_constant_time(one, Bytes{one}.first(7)));
    CHECK_FALSE(crypto::equal_constant_time(Bytes{one}.first(7), one));
    for (std::size_t bit = 0; bit < 64; ++bit) {
        auto other = one;
        other[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        CHECK_FALSE(crypto::equal_constant_time(one, other));
    }
}

TEST_CASE("SecretBytes: moving leaves zeros behind, and the end of life too") {
    alignas(crypto::SecretBytes<16>) std::array<std::uint8_t, sizeof(crypto::SecretBytes<16>)>
        place{};
    const std::vector<std::uint8_t> value(16, 0xA5);
    auto* secret = std::construct_at(reinterpret_cast<crypto::SecretBytes<16>*>(place.data()),
                                     std::span<const std::uint8_t, 16>{value.data(), 16});
    CHECK(to_hex(secret->bytes()) == to_hex(value));
    crypto::SecretBytes<16> moved{std::move(*secret)};
    CHECK(to_hex(moved.bytes()) == to_hex(value));
    CHECK(to_hex(place) == std::string(32, '0'));
    *secret = std::move(moved);
    CHECK(to_hex(place) == to_hex(value));
    std::destroy_at(secret);
    CHECK(to_hex(place) == std::string(32, '0'));
}

static_assert(!std::is_copy_constructible_v<crypto::SecretBytes<16>>);
static_assert(!std::is_copy_constructible_v<crypto::Sm4Key>);
static_assert(!std::is_move_constructible_v<crypto::BlockEncryptor>);
static_assert(!std::is_convertible_v<crypto::BlockDecryptor, crypto::BlockEncryptor>);
