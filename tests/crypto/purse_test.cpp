// crypto/purse: derivation, process keys, MACs, TAC, secure messaging, against published
// transactions.
#include <doctest/doctest.h>

#include "crypto/core/modes.hpp"
#include "crypto/purse/secure_messaging.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::purse;
using tests::from_hex;
using tests::to_hex;
using tests::Vector;

PurseKey key_of(const Vector& vector, const std::string& field = "Key") {
    return PurseKey{static_cast<protocol::Suite>(vector.number("Suite")), vector.bytes<16>(field)};
}

Challenge challenge_of(const Vector& vector) {
    if (vector.bytes("Challenge").size() == 4) return Challenge{vector.bytes<4>("Challenge")};
    return Challenge{vector.bytes<8>("Challenge")};
}

ProcessKey process_key_of(const Vector& vector) {
    const auto random = vector.bytes<4>("Random");
    const auto counter = static_cast<std::uint16_t>(vector.number("Counter"));
    if (vector.text("Operation") == "load") {
        return online_process_key(key_of(vector), random, protocol::OnlineCounter{counter});
    }
    const auto sequence = static_cast<std::uint32_t>(vector.number("Sequence"));
    return offline_process_key(key_of(vector), random, protocol::OfflineCounter{counter},
                               protocol::TerminalSequence{sequence});
}

void check_transaction(const Vector& vector) {
    const ProcessKey key = process_key_of(vector);
    CHECK(to_hex(key.bytes()) == vector.text("ProcessKey"));
    for (const std::string mac : {"Mac1", "Mac2"}) {
        if (!vector.has(mac)) continue;
        CHECK(to_hex(purse_mac(key, vector.bytes(mac + "Input"))) == vector.text(mac));
    }
    if (vector.has("Tac")) {
        CHECK(to_hex(tac(key_of(vector, "TacKey"), vector.bytes("TacInput"))) ==
              vector.text("Tac"));
    }
}

void check_derivation(const Vector& vector) {
    const Factor issuer{vector.bytes<8>("Issuer")};
    const Factor card{vector.bytes<8>("Card")};
    const PurseKey city = diversify(key_of(vector), issuer);
    CHECK(to_hex(city.value.bytes()) == vector.text("CityKey"));
    CHECK(to_hex(diversify(city, card).value.bytes()) == vector.text("CardKey"));
}

void check_enciphering(const Vector& vector) {
    std::array<std::uint8_t, 64> out{};
    const auto size = encipher(key_of(vector), vector.bytes("Plain"), out);
    REQUIRE(size.has_value());
    CHECK(to_hex(crypto::Bytes{out}.first(*size)) == vector.text("Data"));
    const auto plain = decipher(key_of(vector), crypto::MutableBytes{out}.first(*size));
    REQUIRE(plain.has_value());
    CHECK(to_hex(*plain) == vector.text("Plain"));
}

void check_vector(const Vector& vector) {
    INFO(vector.place());
    const std::string& operation = vector.text("Operation");
    if (operation == "load" || operation == "purchase") return check_transaction(vector);
    if (operation == "diversify") return check_derivation(vector);
    if (operation == "encipher") return check_enciphering(vector);
    if (operation == "authenticate") {
        CHECK(to_hex(authentication_cryptogram(key_of(vector), challenge_of(vector))) ==
              vector.text("Data"));
        return;
    }
    REQUIRE(operation == "message");
    CHECK(to_hex(secure_messaging_mac(key_of(vector), challenge_of(vector),
                                      vector.bytes<5>("Header"), vector.bytes("Data"))) ==
          vector.text("Mac"));
}

const PurseKey sm4_key{protocol::Suite::sm4, from_hex<16>("0123456789ABCDEFFEDCBA9876543210")};
const PurseKey des_key{protocol::Suite::triple_des,
                       from_hex<16>("0123456789ABCDEFFEDCBA9876543210")};

}  // namespace

TEST_CASE("purse, 3DES: published load and purchase transactions (docs/algorithms.md, 3 and 4)") {
    for (const auto& vector : tests::read_vectors("crypto/purse.vec")) check_vector(vector);
}
TEST_CASE("purse, SM4: the same rules computed with OpenSSL (docs/algorithms.md, 2 to 6)") {
    for (const auto& vector : tests::read_vectors("crypto/purse_sm4.vec")) check_vector(vector);
}
TEST_CASE("secure messaging, 3DES: published commands (docs/algorithms.md, 5 and 6)") {
    for (const auto& vector : tests::read_vectors("crypto/secure_messaging.vec")) {
        check_vector(vector);
    }
}

TEST_CASE("diversify: 3DES halves are E(F) and E(not F) (docs/algorithms.md, 2)") {
    // EMV's master key derivation is the same sum. domain.md 8.3, E1: PAN 6210220110002707355, PSN
    // 01.
    const PurseKey master{protocol::Suite::triple_des,
                          from_hex<16>("C4D689158AD9FB9D23105B91CE046D0E")};
    const PurseKey card = diversify(master, Factor{from_hex<8>("2011000270735501")});
    CHECK(card.suite == protocol::Suite::triple_des);
    // EMV forces odd parity on the result, DES ignores it: compare without the parity bits.
    const auto expected = from_hex<16>("B8A15DA5F7043C317D9FD8F8DFE2BD75");
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK((card.value.bytes()[i] & 0xFE) == (expected[i] & 0xFE));
    }
}

TEST_CASE("diversify: both levels at once are the issuer's and then the card's") {
    const protocol::IssuerId issuer{from_hex<8>("0003100000000031")};
    const protocol::CardNumber card{from_hex<10>("01233104000000012345")};
    for (const PurseKey* master : {&sm4_key, &des_key}) {
        const PurseKey at_once = diversify(*master, issuer, card);
        const PurseKey city = diversify(*master, factor_of(issuer));
        const PurseKey stepwise = diversify(city, Factor{from_hex<8>("3104000000012345")});
        CHECK(to_hex(at_once.value.bytes()) == to_hex(stepwise.value.bytes()));
        const PurseKey swapped = diversify(diversify(*master, factor_of(card)), factor_of(issuer));
        CHECK(to_hex(at_once.value.bytes()) != to_hex(swapped.value.bytes()));
    }
}

TEST_CASE("process key: of the terminal's sequence only the low two bytes count (domain.md 1.3)") {
    const protocol::CardRandom random{1, 2, 3, 4};
    const protocol::OfflineCounter counter{9};
    const auto key = [&](std::uint32_t sequence) {
        return to_hex(
            offline_process_key(sm4_key, random, counter, protocol::TerminalSequence{sequence})
                .bytes());
    };
    CHECK(key(0x00010002) == key(0x7FFF0002));
    CHECK(key(0x00010002) != key(0x00010003));
}

TEST_CASE("process key: 8 bytes for 3DES, 16 for SM4, and every input changes it") {
    const auto key = [](const PurseKey& parent, std::uint8_t random, std::uint16_t counter) {
        return to_hex(
            online_process_key(parent, {random, 0, 0, 0}, protocol::OnlineCounter{counter})
                .bytes());
    };
    CHECK(key(des_key, 1, 1).size() == 16);
    CHECK(key(sm4_key, 1, 1).size() == 32);
    CHECK(key(sm4_key, 1, 1) != key(sm4_key, 2, 1));
    CHECK(key(sm4_key, 1, 1) != key(sm4_key, 1, 2));
    CHECK(key(des_key, 1, 1) != key(des_key, 2, 1));
}

TEST_CASE(
    "mac: one changed bit anywhere in a purchase's TAC input changes the TAC, in both suites") {
    const auto input = from_hex("000000C8090000010000500012F00720261123093850");
    for (const PurseKey* key : {&sm4_key, &des_key}) {
        const Mac right = tac(*key, input);
        for (std::size_t bit = 0; bit < 8 * input.size(); ++bit) {
            auto wrong = input;
            wrong[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
            CHECK(tac(*key, wrong) != right);
        }
    }
}

TEST_CASE("reload_pin_mac: 3DES under left XOR right half, single DES (domain.md 1.1)") {
    // All halves equal: the folded key is zero, so the MAC is that of an all-zero DES key.
    const PurseKey key{protocol::Suite::triple_des,
                       from_hex<16>("0123456789ABCDEF0123456789ABCDEF")};
    CHECK(to_hex(reload_pin_mac(key, from_hex("123456"))) == "6D450A5C");
}

TEST_CASE("secure messaging: another challenge, header byte or data byte gives another MAC") {
    const auto mac = [](const PurseKey& key, std::uint8_t c, std::uint8_t h, std::uint8_t d) {
        const std::array<std::uint8_t, 1> data{d};
        return secure_messaging_mac(key, Challenge{std::array<std::uint8_t, 4>{c, 2, 3, 4}},
                                    {0x04, h, 0, 0, 5}, data);
    };
    for (const PurseKey* key : {&sm4_key, &des_key}) {
        const Mac right = mac(*key, 1, 1, 1);
        CHECK(mac(*key, 2, 1, 1) != right);
        CHECK(mac(*key, 1, 2, 1) != right);
        CHECK(mac(*key, 1, 1, 2) != right);
    }
}

TEST_CASE("challenge: four bytes are the same as those four and four zeros") {
    const std::array<std::uint8_t, 4> four{1, 2, 3, 4};
    CHECK(Challenge{four}.bytes() == Challenge{from_hex<8>("0102030400000000")}.bytes());
}

TEST_CASE("encipher: every length comes back, aligned ones without 80 (domain.md 1.9)") {
    for (const PurseKey* key : {&sm4_key, &des_key}) {
        const std::size_t block = key == &sm4_key ? 16 : 8;
        for (std::size_t size = 0; size <= 255; ++size) {
            const std::vector<std::uint8_t> plain(size, 0x80);
            std::array<std::uint8_t, 256> out{};
            const auto written = encipher(*key, plain, out);
            REQUIRE(written.has_value());
            CHECK(*written == (size + block) / block * block);
            const auto back = decipher(*key, crypto::MutableBytes{out}.first(*written));
            REQUIRE(back.has_value());
            CHECK(to_hex(*back) == to_hex(plain));
        }
    }
}

TEST_CASE("encipher: what a length byte or the buffer cannot hold is refused") {
    std::array<std::uint8_t, 272> out{};
    const std::vector<std::uint8_t> too_long(256, 1);
    CHECK(encipher(sm4_key, too_long, out).error() == SecureMessagingError::plain_too_long);
    const std::vector<std::uint8_t> fits(16, 1);
    CHECK(encipher(sm4_key, fits, crypto::MutableBytes{out}.first(31)).error() ==
          SecureMessagingError::plain_too_long);
    CHECK(encipher(sm4_key, fits, crypto::MutableBytes{out}.first(32)).has_value());
}

TEST_CASE("decipher: wrong lengths and paddings are named, and nothing of the text remains") {
    struct Case {
        std::string plain;  // as the block would be after deciphering
        SecureMessagingError error;
    };
    const std::vector<Case> cases{
        {"08112233445566778899AABBCCDDEEFF", SecureMessagingError::wrong_padding},  // no 80
        {"0E112233445566778899AABBCCDDEEFF", SecureMessagingError::wrong_padding},
        {"10112233445566778899AABBCCDDEEFF", SecureMessagingError::wrong_length},  // too long
        {"FF112233445566778899AABBCCDDEEFF", SecureMessagingError::wrong_length},
        {"05112233445581000000000000000000", SecureMessagingError::wrong_padding},
        {"05112233445580000000000000000001", SecureMessagingError::wrong_padding},
        // a block too many
        {"0E112233445566778899AABBCCDDEE8000000000000000000000000000000000",
         SecureMessagingError::wrong_length},
    };
    for (const auto& [plain, error] : cases) {
        INFO(plain);
        auto data = from_hex(plain);
        const crypto::BlockEncryptor encryptor{crypto::Cipher::sm4, sm4_key.value.bytes()};
        REQUIRE(crypto::ecb_encrypt(encryptor, data));
        const auto found = decipher(sm4_key, data);
        REQUIRE_FALSE(found.has_value());
        CHECK(found.error() == error);
        CHECK(to_hex(data) == std::string(plain.size(), '0'));
    }
    for (const std::size_t size : {0U, 1U, 15U, 17U}) {
        std::vector<std::uint8_t> data(size, 1);
        CHECK(decipher(sm4_key, data).error() == SecureMessagingError::not_whole_blocks);
    }
}

static_assert(!std::is_invocable_v<decltype(online_process_key), const PurseKey&,
                                   const protocol::CardRandom&, protocol::OfflineCounter>,
              "the counters are not interchangeable");
