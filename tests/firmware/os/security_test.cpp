// Keys, PINs, secure messaging, blocking. docs/card_commands.md, 4 and 5; domain.md 1.9.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;

namespace {

constexpr std::array<std::uint8_t, 3> wrong_pin{0x65, 0x43, 0x21};
constexpr std::array<std::uint8_t, 2> new_pin{0x98, 0x76};

[[nodiscard]] unsigned send(Chip& card, std::string_view text) {
    return status(card.send(hex(text)));
}

}  // namespace

TEST_CASE(
    "VERIFY: tries fall, a right PIN restores them, none left blocks (ISO/IEC 7816-4:2005, "
    "7.5.6)") {
    Chip card = issued_card();
    CHECK(send(card, "00200000") == 0x63C3);
    CHECK(status(card.send(protocol::verify_pin(wrong_pin))) == 0x63C2);
    CHECK(status(card.send(protocol::verify_pin(wrong_pin))) == 0x63C1);
    CHECK(send(card, "00200000") == 0x63C1);
    card.must(protocol::verify_pin(first_pin));
    CHECK(send(card, "00200000") == 0x63C3);
    for (unsigned left : {2U, 1U, 0U}) {
        CHECK(status(card.send(protocol::verify_pin(wrong_pin))) == 0x63C0 + left);
    }
    CHECK(status(card.send(protocol::verify_pin(first_pin))) == 0x6983);
    card.power_on();
    card.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(status(card.send(protocol::verify_pin(first_pin))) == 0x6983);
}

TEST_CASE("VERIFY: a prefix, an extension and a filled PIN are told apart") {
    Chip card = issued_card();
    CHECK(send(card, "0020000002 1234") == 0x63C2);
    CHECK(send(card, "0020000004 12345600") == 0x63C1);
    CHECK(send(card, "0020000004 123456FF") == 0x9000);  // filling is not part of the PIN
    CHECK(send(card, "0020000009 123456123456123456") == 0x6700);
    CHECK(send(card, "0020000103 123456") == 0x6A86);
}

TEST_CASE("VERIFY: the right is lost with SELECT, reset and a wrong PIN") {
    Chip card = issued_card();
    const auto read = [&] {
        return status(card.send(protocol::read_binary(protocol::sfi_holder, 0, 55)));
    };
    CHECK(read() == 0x6982);
    card.must(protocol::verify_pin(first_pin));
    CHECK(read() == 0x9000);
    CHECK(status(card.send(protocol::verify_pin(wrong_pin))) == 0x63C2);
    CHECK(read() == 0x6982);
    card.must(protocol::verify_pin(first_pin));
    card.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(read() == 0x6982);
    card.must(protocol::verify_pin(first_pin));
    card.power_on();
    card.must(protocol::select_by_name(protocol::transit_aid));
    CHECK(read() == 0x6982);
}

TEST_CASE("CHANGE PIN: needs the old one and a sound new one (domain.md 1.1)") {
    Chip card = issued_card();
    CHECK(send(card, "805E0100 06 654321 FF 9876") == 0x63C2);
    CHECK(send(card, "805E0100 05 123456 FF 98") == 0x6A80);
    CHECK(send(card, "805E0100 06 123456 FF 9A76") == 0x6A80);
    CHECK(send(card, "805E0100 04 123456 FF") == 0x6A80);
    CHECK(send(card, "805E0200 06 123456 FF 9876") == 0x6A86);
    CHECK(send(card, "805E0100 06 123456 FF 9876") == 0x9000);
    CHECK(status(card.send(protocol::verify_pin(first_pin))) == 0x63C2);
    CHECK(status(card.send(protocol::verify_pin(new_pin))) == 0x9000);
}

TEST_CASE("RELOAD PIN and PIN UNBLOCK: only with the issuer's keys (domain.md 1.1)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        const auto mac =
            crypto::purse::reload_pin_mac(card_key(KeyUsage::pin_reload, suite), new_pin);
        std::vector<std::uint8_t> data{new_pin.begin(), new_pin.end()};
        data.insert(data.end(), mac.begin(), mac.end());
        data.back() ^= 1;
        CHECK(status(card.send(protocol::make_command(0x80, 0x5E, 0, 0, data))) == 0x6988);
        data.back() ^= 1;
        CHECK(status(card.send(protocol::make_command(0x80, 0x5E, 0, 0, data))) == 0x9000);
        card.must(protocol::verify_pin(new_pin));

        const auto key = card_key(KeyUsage::pin_unblock, suite);
        std::array<std::uint8_t, 16> text{};
        const auto size = crypto::purse::encipher(key, first_pin, text);
        REQUIRE(size.has_value());
        const protocol::PlainCommand unblock{{0x84, 0x24, 0, 0}, Bytes{text}.first(*size)};
        CHECK(status(card.send(protect(card, key, unblock))) == 0x6985);
        for (int i = 0; i < 3; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
        const auto other = card_key(KeyUsage::maintenance, suite);
        CHECK(status(card.send(protect(card, other, unblock))) == 0x6988);
        CHECK(status(card.send(protect(card, key, unblock))) == 0x9000);
        card.must(protocol::verify_pin(first_pin));
    }
}

TEST_CASE(
    "secure messaging: a challenge serves once, and only the command right after it "
    "(domain.md 1.9)") {
    Chip card = issued_card();
    const auto key = card_key(KeyUsage::maintenance, Suite::sm4);
    constexpr std::array<std::uint8_t, 2> content{0xAB, 0xCD};
    const auto command = protocol::write_binary_command(protocol::sfi_management, 58, content);
    const auto ready = protect(card, key, command);
    card.must(ready);
    CHECK(status(card.send(ready)) == 0x6984);
    const auto late = protect(card, key, command);
    CHECK(balance(card) == 0);
    CHECK(status(card.send(late)) == 0x6984);
    CHECK(send(card, "04D697FE02 ABCD") == 0x6987);
    CHECK(send(card, "00D697FE02 ABCD") == 0x6987);
    CHECK(send(card, "841E000000") == 0x6987);
    CHECK(send(card, "801E0000") == 0x6987);
    CHECK(send(card, "8450000000") == 0x6882);
    CHECK(send(card, "845A000902 0000") == 0x6882);
}

TEST_CASE("secure messaging: every bit of header, data and MAC counts") {
    Chip card = issued_card();
    const auto key = card_key(KeyUsage::maintenance, Suite::sm4);
    constexpr std::array<std::uint8_t, 2> content{0xAB, 0xCD};
    const auto command = protocol::write_binary_command(protocol::sfi_management, 10, content);
    const auto before = card.must(protocol::read_binary(protocol::sfi_management, 0, 60));
    for (const std::size_t byte :
         {std::size_t{3}, std::size_t{5}, std::size_t{6}, std::size_t{7}, std::size_t{10}}) {
        const auto good = protect(card, key, command);
        std::vector<std::uint8_t> altered{good.bytes().begin(), good.bytes().end()};
        altered[byte] ^= 0x01;
        CHECK(status(card.send(altered)) == 0x6988);
    }
    CHECK(card.must(protocol::read_binary(protocol::sfi_management, 0, 60)) == before);
    // The tries were falling; a right one restores them.
    CHECK(card.tries_left(KeyUsage::maintenance, KeyIndex{0}) == 5);
    card.must(protect(card, key, command));
    CHECK(card.tries_left(KeyUsage::maintenance, KeyIndex{0}) == 10);
    const auto after = card.must(protocol::read_binary(protocol::sfi_management, 10, 2));
    CHECK(after == hex("ABCD"));
}

TEST_CASE("secure messaging: a right MAC on a refused command still restores the tries") {
    Chip card = issued_card();
    const auto key = card_key(KeyUsage::maintenance, Suite::sm4);
    constexpr std::array<std::uint8_t, 2> content{0xAB, 0xCD};
    const auto beyond = protocol::write_binary_command(protocol::sfi_management, 59, content);
    for (int i = 0; i < 15; ++i) CHECK(status(card.send(protect(card, key, beyond))) == 0x6700);
    CHECK(card.tries_left(KeyUsage::maintenance, KeyIndex{0}) == 10);
}

TEST_CASE("secure messaging: a key whose tries are used up answers 6983 to the right MAC, too") {
    Chip card = issued_card();
    const auto right = card_key(KeyUsage::maintenance, Suite::sm4);
    const auto wrong = card_key(KeyUsage::load, Suite::sm4);
    constexpr std::array<std::uint8_t, 1> content{0};
    const auto command = protocol::write_binary_command(protocol::sfi_management, 10, content);
    for (int i = 0; i < 10; ++i) CHECK(status(card.send(protect(card, wrong, command))) == 0x6988);
    CHECK(status(card.send(protect(card, right, command))) == 0x6983);
}

TEST_CASE("EXTERNAL AUTHENTICATE: control key, fresh challenge, counted tries (domain.md 1.9)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        const auto key = card_key(KeyUsage::control, suite);
        const auto answer = [&](const PurseKey& with) {
            std::array<std::uint8_t, 8> challenge{};
            std::ranges::copy(card.must(protocol::get_challenge_8()), challenge.begin());
            return protocol::make_command(0x00, 0x82, 0, 0,
                                          crypto::purse::authentication_cryptogram(
                                              with, crypto::purse::Challenge{challenge}));
        };
        CHECK(send(card, "0082000008 0000000000000000") == 0x6984);
        CHECK(status(card.send(answer(card_key(KeyUsage::load, suite)))) == 0x63C9);
        const auto good = answer(key);
        CHECK(status(card.send(good)) == 0x9000);
        CHECK(status(card.send(good)) == 0x6984);
        card.must(protocol::get_challenge_8());
        CHECK(send(card, "0082000508 0000000000000000") == 0x6A88);
    }
}

TEST_CASE("INTERNAL AUTHENTICATE: proves the card's key (domain.md 1.9)") {
    Chip card = issued_card();
    const auto answer = card.must(hex("0088000108 0102030405060708 08"));
    const auto expected = crypto::purse::authentication_cryptogram(
        card_key(KeyUsage::internal_authentication, Suite::sm4),
        crypto::purse::Challenge{std::array<std::uint8_t, 8>{1, 2, 3, 4, 5, 6, 7, 8}});
    CHECK(std::ranges::equal(answer, expected));
    CHECK(send(card, "0088000208 0102030405060708 08") == 0x6A88);
    CHECK(send(card, "0088000107 01020304050607 08") == 0x6700);
    CHECK(send(card, "0088000108 0102030405060708 04") == 0x6C08);
}

TEST_CASE("WRITE KEY: replaces a key under the control key, in either suite (domain.md 1.9)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    const auto control = card_key(KeyUsage::control, Suite::sm4);
    const auto fresh = card_key(KeyUsage::load, Suite::triple_des);
    const auto write = [&](KeyUsage usage, std::uint8_t index, std::string_view header) {
        auto plain = hex(header);
        std::ranges::copy(fresh.value.bytes(), std::back_inserter(plain));
        std::array<std::uint8_t, 32> text{};
        const auto size = crypto::purse::encipher(control, plain, text);
        REQUIRE(size.has_value());
        return status(card.send(protect(
            card, control,
            {protocol::write_key_header(usage, KeyIndex{index}), Bytes{text}.first(*size)})));
    };
    CHECK(write(KeyUsage::load, 2, "02 00 AA 00") == 0x6985);  // there is none to replace
    CHECK(write(KeyUsage::load, 1, "02 01 AA 00") == 0x6A80);  // no such suite
    CHECK(write(KeyUsage::load, 1, "02 00 00 00") == 0x6A80);  // it must count its tries
    CHECK(write(KeyUsage::load, 1, "02 00 AB 00") == 0x6A80);  // more left than there are
    CHECK(write(KeyUsage::load, 1, "02 00 AA 00") == 0x9000);
    card.must(protocol::verify_pin(first_pin));
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_load(initialise_data(5))));
    REQUIRE(opened.has_value());
    CHECK(opened->suite == Suite::triple_des);
    CHECK(opened->key_version == protocol::KeyVersion{2});
}

TEST_CASE("APPLICATION BLOCK and UNBLOCK (domain.md 1.1)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        const auto lock = card_key(KeyUsage::application_lock, suite);
        const auto unlock = card_key(KeyUsage::application_unlock, suite);
        CHECK(status(card.send(protect(card, unlock, {{0x84, 0x18, 0, 0}, {}}))) == 0x6985);
        CHECK(status(card.send(protect(card, unlock, {{0x84, 0x1E, 0, 0}, {}}))) == 0x6988);
        card.must(protect(card, lock, {{0x84, 0x1E, 0, 0}, {}}));
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(0)))) == 0x6A81);
        CHECK(send(card, "0020000003 123456") == 0x6A81);
        card.power_on();
        const auto selected = card.send(protocol::select_by_name(protocol::transit_aid));
        CHECK(status(selected) == 0x6283);
        CHECK(selected.data.size() > 40);  // the FCI is given all the same
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(0)))) == 0x6A81);
        card.must(protect(card, unlock, {{0x84, 0x18, 0, 0}, {}}));
        card.must(protocol::initialise_for_purchase(initialise_data(0)));
        card.must(protect(card, lock, {{0x84, 0x1E, 0, 1}, {}}));
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(0)))) == 0x9303);
        CHECK(status(card.send(protect(card, unlock, {{0x84, 0x18, 0, 0}, {}}))) == 0x9303);
    }
}

TEST_CASE("CARD BLOCK: for good, and only with the MF's key (domain.md 1.1)") {
    Chip card = issued_card();
    const auto lock = card_key(KeyUsage::application_lock, Suite::sm4);
    CHECK(status(card.send(protect(card, lock, {{0x84, 0x16, 0, 0}, {}}))) == 0x6985);
    card.must(protocol::select_file(protocol::master_file));
    CHECK(status(card.send(protect(card, lock, {{0x84, 0x1E, 0, 0}, {}}))) == 0x6985);
    card.must(protect(card, lock, {{0x84, 0x16, 0, 0}, {}}));
    CHECK(status(card.send(protocol::select_by_name(protocol::transit_aid))) == 0x6A81);
    card.power_on();
    CHECK(status(card.send(protocol::select_by_name(protocol::transit_aid))) == 0x6A81);
    const auto chip = protocol::ChipInfo::parse(card.must(protocol::get_chip_info()));
    REQUIRE(chip.has_value());
    CHECK(chip->life_cycle == protocol::LifeCycle::blocked);
}

TEST_CASE("classes, channels and lengths (docs/card_commands.md, 1)") {
    Chip card = issued_card();
    CHECK(send(card, "01A40000023F00") == 0x6881);
    CHECK(send(card, "83CADF200B") == 0x6881);
    CHECK(send(card, "10A40000023F00") == 0x6E00);
    CHECK(send(card, "A0A40000023F00") == 0x6E00);
    CHECK(send(card, "FFCADF200B") == 0x6E00);
    CHECK(send(card, "00FF0000") == 0x6D00);
    CHECK(send(card, "8070000000") == 0x6D00);  // a SAM's command
    CHECK(send(card, "") == 0x6700);
    CHECK(send(card, "00A4") == 0x6700);
    CHECK(send(card, "00A40000033F00") == 0x6700);
    CHECK(send(card, "00A40400 00 0008 A000000632010105") == 0x6700);  // extended
    CHECK(send(card, "80CADF210B") == 0x6A88);
    CHECK(send(card, "80CADF200A") == 0x6C0B);
    CHECK(send(card, "0084000007") == 0x6700);
    CHECK(send(card, "00840000") == 0x6700);
}
