// Commands and answers that other cards and programs have produced, byte for byte.
// tests/data/firmware/*.transcript say where they come from.
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::KeyIndex;
using protocol::KeyUsage;

namespace {

/// The card of the transcript: no PIN, so that it loads without one.
[[nodiscard]] Chip city_card() {
    Chip chip{"city"};
    chip.manufacture(card_serial, Suite::triple_des);
    std::array<std::uint8_t, 8> challenge{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), challenge.begin());
    crypto::purse::PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::triple_des), card_serial), challenge};
    chip.must(session.authenticate());
    const auto aid = hex("A00000000386980701");
    const auto definition =
        protocol::ApplicationDefinition{protocol::ApplicationKind::transit_purse, aid}.data();
    chip.must(
        session.protect(protocol::create_file_command(protocol::transit_application, definition)));
    for (const auto& file : protocol::transit_files) {
        const auto data = file.data();
        chip.must(session.protect(protocol::create_file_command(file.identifier, data)));
    }
    const auto write = [&](KeyUsage usage, std::uint8_t index, std::string_view value) {
        const auto bytes = hex(value);
        const PurseKey key{Suite::triple_des, std::span<const std::uint8_t, 16>{bytes}};
        chip.must(session.write_key(usage, KeyIndex{index}, key_version, key));
    };
    write(KeyUsage::purchase, 1, "11223344556677888877665544332211");
    write(KeyUsage::load, 1, "374598B5C0B0EAE1E1D06609AC5BB369");
    write(KeyUsage::transaction_certificate, 1, "CAA6025290114BFCC3C9043F70F7A07A");
    write(KeyUsage::maintenance, 0, "FE43601E47B93FC500099AA0A17D1554");
    write(KeyUsage::application_lock, 0, "6474215EF549707831BB8DB9895FD48A");
    write(KeyUsage::control, 0, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF");
    chip.must(session.activate(card_serial).command);
    chip.power_on();
    chip.must(protocol::select_by_name(aid));
    return chip;
}

[[nodiscard]] std::string answer_text(const Answer& answer) {
    const auto status = static_cast<std::uint16_t>(answer.status);
    std::vector<std::uint8_t> bytes = answer.data;
    bytes.push_back(static_cast<std::uint8_t>(status >> 8));
    bytes.push_back(static_cast<std::uint8_t>(status));
    return to_hex(bytes);
}

/// Plays the file; answers how many answers it compared.
unsigned play(Chip& card, const std::string& path) {
    std::ifstream file{path};
    REQUIRE(file.good());
    std::string line, answer;
    unsigned compared = 0;
    while (std::getline(file, line)) {
        CAPTURE(line);
        if (line.empty() || line[0] == '#') continue;
        REQUIRE(line.size() > 2);
        const std::string rest = line.substr(2);
        if (line[0] == 'R') card.random().next(hex(rest));
        if (line[0] == '>') answer = answer_text(card.send(hex(rest)));
        if (line[0] != '<') continue;
        ++compared;
        if (rest.starts_with("* ")) {
            CHECK(answer.ends_with(rest.substr(2)));
        } else {
            CHECK(answer == to_hex(hex(rest)));
        }
    }
    return compared;
}

}  // namespace

TEST_CASE("transcript: a 3DES city card loads, pays, is maintained and locked as others did it") {
    Chip card = city_card();
    CHECK(play(card, ONECARD_TEST_DATA "/firmware/city_card_3des.transcript") == 20);
}
