// crypto/keys/pin_block: ISO 9564-1:2017.
#include "crypto/keys/pin_block.hpp"

#include <doctest/doctest.h>

#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
using tests::from_hex;
using tests::to_hex;
using Error = PinBlockError;

constexpr auto pan = "5555555551234567";

std::string text_of(const SecretBuffer& characters) {
    return {characters.bytes().begin(), characters.bytes().end()};
}
PinFormat format_of(const tests::Vector& vector) {
    return static_cast<PinFormat>(vector.number("Format"));
}
std::string pan_of(const tests::Vector& vector) {
    return vector.has("Pan") ? vector.text("Pan") : "";
}

class GivenRandom final : public crypto::Random {
public:
    explicit GivenRandom(std::vector<std::uint8_t> bytes) : bytes_{std::move(bytes)} {}
    void fill(crypto::MutableBytes out) override { std::ranges::copy(bytes_, out.begin()); }

private:
    std::vector<std::uint8_t> bytes_;
};

Error refusal(PinFormat format, const char* block, const char* account) {
    const auto read = read_pin_block(format, from_hex(block), account);
    REQUIRE_FALSE(read.has_value());
    return read.error();
}

}  // namespace

TEST_CASE("pin block: published blocks, made and read (9.3.2, 9.3.4)") {
    crypto::SeededRandom random{1, "pin"};
    for (const auto& vector : tests::read_vectors("crypto/pin_block.vec")) {
        INFO(vector.place());
        const auto made =
            make_pin_block(format_of(vector), vector.text("Pin"), pan_of(vector), random);
        REQUIRE(made.has_value());
        CHECK(to_hex(made->bytes()) == vector.text("Block"));
        const auto read = read_pin_block(format_of(vector), vector.bytes("Block"), pan_of(vector));
        REQUIRE(read.has_value());
        CHECK(text_of(*read) == vector.text("Pin"));
    }
}

TEST_CASE("pin block: format 4's fields and block, made and read (9.4.2)") {
    for (const auto& vector : tests::read_vectors("crypto/pin_block_4.vec")) {
        INFO(vector.place());
        GivenRandom random{vector.bytes("Random")};
        const auto pin_field = make_pin_field(vector.text("Pin"), random);
        const auto pan_field = make_pan_field(vector.text("Pan"));
        REQUIRE(pin_field.has_value());
        REQUIRE(pan_field.has_value());
        CHECK(to_hex(pin_field->bytes()) == vector.text("PinField"));
        CHECK(to_hex(pan_field->bytes()) == vector.text("PanField"));
        const auto block = encipher_pin_field(vector.bytes("Key"), *pin_field, *pan_field);
        REQUIRE(block.has_value());
        CHECK(to_hex(block->bytes()) == vector.text("Block"));
        const auto read =
            read_format_4(vector.bytes("Key"), vector.bytes("Block"), vector.text("Pan"));
        REQUIRE(read.has_value());
        CHECK(text_of(*read) == vector.text("Pin"));
        auto other = vector.text("Pan");
        other[0] = other[0] == '9' ? '8' : '9';
        CHECK_FALSE(read_format_4(vector.bytes("Key"), vector.bytes("Block"), other).has_value());
    }
}

TEST_CASE("pin block: an account number below twelve digits is filled on the left (9.4.2.3)") {
    CHECK(to_hex(make_pan_field("12345")->bytes()) == "00000000123450000000000000000000");
    CHECK(to_hex(make_pan_field("123456789012")->bytes()) == "01234567890120000000000000000000");
}

TEST_CASE("pin block: drawn filler is of its format, differs, and reads back (9.3.3, 9.3.5)") {
    crypto::SeededRandom random{2, "pin"};
    for (const auto format : {PinFormat::f1, PinFormat::f3}) {
        std::string last;
        for (int round = 0; round < 200; ++round) {
            const auto block = make_pin_block(format, "1234", pan, random);
            REQUIRE(block.has_value());
            const auto text = to_hex(block->bytes());
            CHECK(text != last);
            last = text;
            const auto read = read_pin_block(format, block->bytes(), pan);
            REQUIRE(read.has_value());
            CHECK(text_of(*read) == "1234");
        }
    }
}

TEST_CASE("pin block: PINs and account numbers outside the standard are named (9.2)") {
    crypto::SeededRandom random{3, "pin"};
    for (const char* pin : {"", "123", "1234567890123", "12a4", "12 4"}) {
        INFO(pin);
        for (const auto format : {PinFormat::f0, PinFormat::f1, PinFormat::f2, PinFormat::f3}) {
            CHECK(make_pin_block(format, pin, pan, random).error() == Error::pin_wrong);
        }
        CHECK(make_pin_field(pin, random).error() == Error::pin_wrong);
    }
    for (const char* account : {"", "123456789012", "12345678901234567890", "555555555123456x"}) {
        INFO(account);
        CHECK(make_pin_block(PinFormat::f0, "1234", account, random).error() == Error::pan_wrong);
        CHECK(make_pin_block(PinFormat::f3, "1234", account, random).error() == Error::pan_wrong);
    }
    CHECK(make_pan_field("").error() == Error::pan_wrong);
    CHECK(make_pan_field("12345678901234567890").error() == Error::pan_wrong);
    CHECK(make_pin_block(PinFormat::f4, "1234", pan, random).error() == Error::wrong_format);
}

TEST_CASE("pin block: each way a block can be wrong has its name") {
    CHECK(refusal(PinFormat::f0, "241261AAAAEDCBA9", pan) == Error::wrong_format);
    CHECK(refusal(PinFormat::f0, "041261AAAAEDCB", pan) == Error::wrong_length);
    CHECK(refusal(PinFormat::f0, "0F1261AAAAEDCBA9", pan) == Error::pin_length);
    CHECK(refusal(PinFormat::f0, "021261AAAAEDCBA9", pan) == Error::pin_length);
    CHECK(refusal(PinFormat::f0, "041261AAAAEDCBAA", pan) == Error::filler_wrong);
    CHECK(refusal(PinFormat::f0, "051261AAAAEDCBA9", pan) == Error::digits_wrong);
    CHECK(refusal(PinFormat::f0, "041261AAAAEDCBA9", "555555555123") == Error::pan_wrong);
    CHECK(refusal(PinFormat::f2, "041234FFFFFFFFFF", "") == Error::wrong_format);
    CHECK(refusal(PinFormat::f2, "2C123456789012CF", "") == Error::filler_wrong);
    CHECK(refusal(PinFormat::f2, "2C12345678901FFF", "") == Error::digits_wrong);
    CHECK(refusal(PinFormat::f3, "341261AAAAEDCB09", pan) == Error::filler_wrong);
    const auto key = from_hex("000102030405060708090A0B0C0D0E0F");
    CHECK(read_format_4(key, from_hex("00"), pan).error() == Error::wrong_length);
    CHECK(read_format_4(from_hex("00"), from_hex("00"), pan).error() == Error::key_wrong);
}
