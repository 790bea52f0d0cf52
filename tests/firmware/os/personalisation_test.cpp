// From a blank chip to an active card. docs/card_commands.md, 3.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using crypto::purse::PersonalisationSession;

namespace {

[[nodiscard]] std::array<std::uint8_t, 8> challenge_of(Chip& chip) {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), out.begin());
    return out;
}

[[nodiscard]] Chip blank_chip() {
    Chip chip{"blank"};
    chip.manufacture(card_serial);
    return chip;
}

[[nodiscard]] protocol::LifeCycle life_cycle(Chip& chip) {
    return protocol::ChipInfo::parse(chip.must(protocol::get_chip_info()))->life_cycle;
}

}  // namespace

TEST_CASE("personalisation: a blank chip does nothing without a session") {
    Chip chip = blank_chip();
    CHECK(life_cycle(chip) == protocol::LifeCycle::blank);
    CHECK(status(chip.send(hex("840E000004 00000000"))) == 0x6982);
    CHECK(status(chip.send(hex("84E03F010B 28150003010010 00000000"))) == 0x6982);
    CHECK(status(chip.send(hex("8444000004 00000000 04"))) == 0x6982);
    CHECK(status(chip.send(hex("84D4060124 "
                               "0000000000000000000000000000000000000000000000000000000000000000"
                               "00000000"))) == 0x6984);
    CHECK(status(chip.send(hex("0082000008 0000000000000000"))) == 0x6984);
    chip.must(protocol::get_challenge_4());
    CHECK(status(chip.send(hex("0082000008 0000000000000000"))) == 0x6984);
}

TEST_CASE("personalisation: ten wrong cryptograms, and the chip is dead") {
    Chip chip = blank_chip();
    for (unsigned left = 10; left-- > 0;) {
        (void)challenge_of(chip);
        CHECK(status(chip.send(hex("0082000008 0000000000000000"))) == 0x63C0 + left);
    }
    const PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
        challenge_of(chip)};
    CHECK(status(chip.send(session.authenticate())) == 0x6983);
}

TEST_CASE("personalisation: another chip's transport key does not open this one") {
    Chip chip = blank_chip();
    const PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), sam_serial), challenge_of(chip)};
    CHECK(status(chip.send(session.authenticate())) == 0x63C9);
}

TEST_CASE("personalisation: commands cannot be repeated, dropped or moved") {
    Chip chip = blank_chip();
    const auto open = [&] {
        PersonalisationSession session{
            crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
            challenge_of(chip)};
        chip.must(session.authenticate());
        return session;
    };
    {
        auto session = open();
        const auto erase = session.protect(protocol::erase_command());
        chip.must(erase);
        CHECK(status(chip.send(erase)) == 0x6988);
        // A refusal has closed the session.
        CHECK(status(chip.send(session.protect(protocol::erase_command()))) == 0x6982);
    }
    {
        auto session = open();
        (void)session.protect(protocol::erase_command());  // dropped
        CHECK(status(chip.send(session.protect(protocol::erase_command()))) == 0x6988);
    }
    {
        auto session = open();
        chip.power_on();
        CHECK(status(chip.send(session.protect(protocol::erase_command()))) == 0x6982);
    }
}

TEST_CASE("personalisation: begun again from the top after a break at any command") {
    for (std::size_t broken_at = 1; broken_at < 24; broken_at += 2) {
        CAPTURE(broken_at);
        Chip chip = blank_chip();
        const auto first = transit_card_script(challenge_of(chip), card_serial, Suite::sm4);
        REQUIRE(broken_at < first.size());
        for (std::size_t i = 0; i < broken_at; ++i) chip.must(first[i]);
        chip.power_on();
        CHECK(life_cycle(chip) == protocol::LifeCycle::personalising);
        for (const auto& command :
             transit_card_script(challenge_of(chip), card_serial, Suite::sm4)) {
            chip.must(command);
        }
        CHECK(life_cycle(chip) == protocol::LifeCycle::active);
        chip.must(protocol::select_by_name(protocol::transit_aid));
        load(chip, 100);
        CHECK(balance(chip) == 100);
    }
}

// Each command of its own, in every kind and cut again: tests/firmware/tear/chip_cases.cpp.
TEST_CASE(
    "personalisation: torn at any operation of a second run, it is begun again from the top") {
    Chip base = blank_chip();
    {
        const auto script = transit_card_script(challenge_of(base), card_serial, Suite::sm4);
        for (std::size_t i = 0; i + 1 < script.size(); ++i) base.must(script[i]);
    }
#ifdef __SANITIZE_ADDRESS__
    constexpr std::uint64_t operation_step = 17;
#else
    constexpr std::uint64_t operation_step = 1;
#endif
    unsigned cuts = 0;
    for (std::uint64_t operation = 0;; operation += operation_step) {
        Chip chip = base.clone();
        const auto script = transit_card_script(challenge_of(chip), card_serial, Suite::sm4);
        chip.flash().cut_at({operation, Tear::subset, operation * 0x9E3779B97F4A7C15});
        try {
            for (const auto& command : script) chip.must(command);
        } catch (const PowerLost&) {
        }
        if (chip.flash().is_armed()) break;
        chip.power_on();
        ++cuts;
        if (life_cycle(chip) == protocol::LifeCycle::active) {
            chip.must(protocol::select_by_name(protocol::transit_aid));
            load(chip, 1);
            continue;
        }
        for (const auto& command :
             transit_card_script(challenge_of(chip), card_serial, Suite::sm4)) {
            chip.must(command);
        }
    }
    CHECK(cuts * operation_step > 300);
}

TEST_CASE("personalisation: an active card is closed for good") {
    Chip card = issued_card();
    CHECK(life_cycle(card) == protocol::LifeCycle::active);
    const auto chip = protocol::ChipInfo::parse(card.must(protocol::get_chip_info()));
    CHECK(chip->transport_suite == 0xFF);
    CHECK(status(card.send(hex("840E000004 00000000"))) == 0x6985);
    CHECK(status(card.send(hex("84E03F010B 28150003010010 00000000"))) == 0x6985);
    CHECK(status(card.send(hex("8444000004 00000000 04"))) == 0x6985);
    // The old cryptogram's door now asks for the application's control key.
    card.must(protocol::select_file(protocol::master_file));
    const PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
        challenge_of(card)};
    CHECK(status(card.send(session.authenticate())) == 0x6A88);
}

TEST_CASE("CREATE FILE: refusals") {
    const auto create = [](std::uint16_t identifier, std::string_view data) {
        Chip chip = blank_chip();
        PersonalisationSession session{
            crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
            challenge_of(chip)};
        chip.must(session.authenticate());
        const auto first = hex("28 15 00 03 01 001E");
        chip.must(session.protect(
            protocol::create_file_command(protocol::FileIdentifier{0x0015}, first)));
        const auto bytes = hex(data);
        return status(chip.send(session.protect(
            protocol::create_file_command(protocol::FileIdentifier{identifier}, bytes))));
    };
    CHECK(create(0x0016, "28 16 00 03 01 0001") == 0x9000);
    CHECK(create(0x0015, "28 16 00 03 01 0001") == 0x6A89);  // identifier
    CHECK(create(0x0016, "28 15 00 03 01 0001") == 0x6A89);  // short identifier
    CHECK(create(0x0016, "") == 0x6A80);
    CHECK(create(0x0016, "28 16 00 03 01 00") == 0x6A80);
    CHECK(create(0x0016, "28 00 00 03 01 0001") == 0x6A80);
    CHECK(create(0x0016, "28 1F 00 03 01 0001") == 0x6A80);
    CHECK(create(0x0016, "28 16 03 03 01 0001") == 0x6A80);  // reading under a MAC
    CHECK(create(0x0016, "28 16 00 04 01 0001") == 0x6A80);
    CHECK(create(0x0016, "28 16 00 03 02 0001") == 0x6A80);
    CHECK(create(0x0016, "28 16 00 03 01 0000") == 0x6A80);
    CHECK(create(0x0016, "2A 16 00 03 00 0010") == 0x6A80);
    CHECK(create(0x0016, "2A 16 00 03 01 0100") == 0x6A80);
    CHECK(create(0x0016, "3F 16 00 03 01 0010") == 0x6A80);  // a key file is not a file
    CHECK(create(0x3F00, "38 01 A000000001") == 0x6A80);
    CHECK(create(0x3F01, "38 01 A0000000") == 0x6A80);
    CHECK(create(0x3F01, "38 03 A000000001") == 0x6A80);
    CHECK(create(0x3F01, "38 01 315041592E5359532E4444463031") == 0x6A89);  // the MF's name
    CHECK(create(0x0016, "28 16 00 03 01 7FFF") == 0x6A84);
}

TEST_CASE("reset: content of another version is not touched (docs/card_storage.md, 7)") {
    Chip card = issued_card();
    {
        firmware::Store store{card.flash()};
        REQUIRE(store.mount().has_value());
        firmware::Transaction change;
        constexpr std::array<std::uint8_t, 4> version_2{0, 2, 0, 0};
        REQUIRE(change.put(firmware::ObjectId{0}, version_2).has_value());
        REQUIRE(store.commit(change, firmware::Urgency::tap).has_value());
    }
    card.flash().reboot();
    const auto programs = card.flash().counts().programs;
    firmware::Card later{card.flash(), card.random()};
    CHECK_FALSE(later.reset().has_value());
    CHECK(card.flash().counts().programs == programs);
}
