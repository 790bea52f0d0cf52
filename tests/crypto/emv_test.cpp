// crypto/purse/emv and crypto/keys/emv_master against published values.
#include "crypto/purse/emv.hpp"

#include <doctest/doctest.h>

#include "crypto/keys/check_value.hpp"
#include "crypto/keys/emv_master.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto;
using emv::TransactionCounter;
using keys::MasterOption;
using protocol::Suite;
using purse::PurseKey;
using tests::to_hex;

PurseKey card_key(const tests::Vector& vector) {
    const auto factor =
        keys::emv_factor(vector.text("Option") == "b" ? MasterOption::b : MasterOption::a,
                         vector.text("Pan"), vector.text("Psn"));
    REQUIRE(factor.has_value());
    return purse::diversify(PurseKey{Suite::triple_des, vector.bytes<16>("Mdk")}, *factor);
}

PurseKey session_key(const tests::Vector& vector, const PurseKey& card) {
    const auto& kind = vector.text("Session");
    if (kind == "none") return card.duplicate();
    if (vector.has("R")) return emv::common_session_key(card, vector.bytes<8>("R"));
    const TransactionCounter counter{static_cast<std::uint16_t>(vector.number("Atc"))};
    if (kind == "emv") return emv::common_session_key(card, counter);
    if (kind == "visa-script") return emv::visa_script_key(card, counter);
    REQUIRE(kind == "pboc");
    return emv::pboc_session_key(card, counter);
}

std::string response(const tests::Vector& vector, const PurseKey& key, const emv::Cryptogram& ac) {
    if (vector.has("Arc")) {
        return to_hex(emv::response_cryptogram(key, ac, vector.bytes<2>("Arc")));
    }
    const auto more =
        vector.has("Proprietary") ? vector.bytes("Proprietary") : std::vector<std::uint8_t>{};
    return to_hex(emv::response_mac(key, ac, vector.bytes<4>("Csu"), more));
}

void check_kcv(const tests::Vector& vector, const char* field, const PurseKey& key) {
    if (!vector.has(field)) return;
    const auto block =
        keys::check_block(keys::CheckMethod::legacy, Cipher::triple_des, key.value.bytes());
    CHECK(to_hex(block.bytes()).starts_with(vector.text(field)));
}

std::string factor_text(MasterOption option, const char* pan, const char* psn) {
    const auto factor = keys::emv_factor(option, pan, psn);
    REQUIRE(factor.has_value());
    return to_hex(factor->value());
}

}  // namespace

TEST_CASE("emv: card keys, session keys, AC and ARPC as published (EMV 4.4 Book 2, 8 and A1)") {
    for (const auto& vector : tests::read_vectors("crypto/emv.vec")) {
        INFO(vector.place());
        const PurseKey card = card_key(vector);
        if (vector.has("Udk")) CHECK(to_hex(card.value.bytes()) == vector.text("Udk"));
        check_kcv(vector, "UdkKcv", card);
        const PurseKey session = session_key(vector, card);
        if (vector.has("SessionKey")) {
            CHECK(to_hex(session.value.bytes()) == vector.text("SessionKey"));
        }
        check_kcv(vector, "SessionKcv", session);
        const auto padding = vector.text("Padding") == "1" ? Padding::method_1 : Padding::method_2;
        const auto data = vector.bytes("Data");
        const auto ac = emv::application_cryptogram(session, data, padding);
        CHECK(to_hex(ac) == vector.text("Ac"));
        if (vector.has("Arpc")) {
            const bool udk = vector.text("ArpcKey") == "udk";
            CHECK(response(vector, udk ? card : session, ac) == vector.text("Arpc"));
        }
    }
}

TEST_CASE("emv: the factor is the right 16 digits, filled with zeros on the left (A1.4.1)") {
    CHECK(factor_text(MasterOption::a, "6210220110002707355", "01") == "2011000270735501");
    CHECK(factor_text(MasterOption::a, "1234567890", "05") == "0000123456789005");
    CHECK(factor_text(MasterOption::a, "1", "00") == "0000000000000100");
    CHECK(factor_text(MasterOption::b, "1234567890123456", "00") ==
          factor_text(MasterOption::a, "1234567890123456", "00"));
    CHECK(factor_text(MasterOption::b, "12345678901234567", "00") !=
          factor_text(MasterOption::a, "12345678901234567", "00"));
}

TEST_CASE("emv: what is no account number or sequence number is named") {
    for (const char* pan : {"", "12345678901234567890", "12x4", "-123", " 123"}) {
        CHECK(keys::emv_factor(MasterOption::a, pan, "00").error() ==
              keys::AccountError::pan_wrong);
    }
    for (const char* psn : {"", "1", "001", "A0"}) {
        CHECK(keys::emv_factor(MasterOption::b, "1234567890123456", psn).error() ==
              keys::AccountError::psn_wrong);
    }
}

TEST_CASE("emv: the SM4 session key is one block of both halves (docs/algorithms.md, 8)") {
    const auto key = tests::from_hex<16>("0123456789ABCDEFFEDCBA9876543210");
    const PurseKey card{Suite::sm4, key};
    auto expected = tests::from_hex("00000000000003D3000000000000FC2C");
    BlockEncryptor{Cipher::sm4, key}.encrypt(expected);
    const auto session = emv::pboc_session_key(card, TransactionCounter{0x03D3});
    CHECK(to_hex(session.value.bytes()) == to_hex(expected));
    const auto data = tests::from_hex("0102030405");
    auto block = tests::from_hex("01020304058000000000000000000000");
    BlockEncryptor{Cipher::sm4, expected}.encrypt(block);
    CHECK(to_hex(emv::application_cryptogram(session, data)) == to_hex(Bytes{block}.first(8)));
}
