// Writes the images of an issued and loaded transit card and of an issued SAM, as onecard-card
// opens them, and a list of all their keys:
//   make_chips DIRECTORY [sm4|3des]  ->  DIRECTORY/card.nvm (30.00 yuan), sam.nvm, keys.txt
// The suite is the card's; the SAM has the keys of both. docs/own_scripts.md, 2 has the list's
// form.
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

#include "platform/files.hpp"
#include "tests/firmware/support/issuing.hpp"
#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

namespace {

using protocol::KeyUsage;
using tests::Suite;

[[nodiscard]] bool write_image(tests::Chip& chip, const std::filesystem::path& path) {
    auto& flash = chip.flash();
    using namespace firmware::flash_model;
    std::vector<std::uint8_t> image(flash.page_count() * page_size);
    flash.read(0, image);
    // The rest of a chip's memory, as the chip maker left it.
    image.resize(page_count_default * page_size, erased_byte);
    return platform::replace_file(path, image).has_value();
}

[[nodiscard]] const char* words(KeyUsage usage) {
    switch (usage) {
        case KeyUsage::pin_unblock: return "PIN unblock";
        case KeyUsage::pin_reload: return "PIN reload";
        case KeyUsage::purchase: return "purchase";
        case KeyUsage::load: return "load";
        case KeyUsage::transaction_certificate: return "TAC";
        case KeyUsage::unload: return "unload";
        case KeyUsage::overdraft: return "overdraft";
        case KeyUsage::internal_authentication: return "internal authentication";
        case KeyUsage::sam_purchase: return "national purchase master";
        case KeyUsage::sam_delegated_mac: return "delegated";
        case KeyUsage::application_lock: return "lock";
        case KeyUsage::application_unlock: return "unlock";
        case KeyUsage::maintenance: return "maintenance";
        case KeyUsage::control: return "control";
        case KeyUsage::pin: return "PIN";
    }
    return "unknown";
}

[[nodiscard]] std::string hex_of(unsigned value, int bytes) {
    const std::array<std::uint8_t, 2> both{static_cast<std::uint8_t>(value >> 8),
                                           static_cast<std::uint8_t>(value)};
    return tests::to_hex(protocol::Bytes{both}.last(static_cast<std::size_t>(bytes)));
}

/// chip file usage index version suite value use
[[nodiscard]] std::string line(std::string_view chip, const tests::IssuedKey& issued) {
    std::ostringstream out;
    const bool is_on_chip = issued.file.value() != 0;
    out << chip << ' ' << (is_on_chip ? hex_of(issued.file.value(), 2) : "-") << ' '
        << hex_of(static_cast<unsigned>(issued.usage), 1) << ' ' << hex_of(issued.index.value(), 1)
        << ' ' << hex_of(tests::key_version.value(), 1) << ' '
        << hex_of(static_cast<unsigned>(issued.key.suite), 1) << ' '
        << tests::to_hex(issued.key.value.bytes()) << ' ' << words(issued.usage);
    if (issued.limit != 0) {
        out << " of usage " << hex_of(issued.limit, 1) << ", uses "
            << hex_of(issued.uses.value(), 2);
    }
    out << '\n';
    return out.str();
}

[[nodiscard]] std::string key_list(Suite suite) {
    std::string out =
        "# TEST KEYS: made from a seed that is published. They protect nothing.\n"
        "# docs/own_scripts.md, 2: how card keys come from the masters, and these from the seed.\n"
        "# issuer factor " +
        tests::to_hex(tests::issuer.value()) + ", card factor " +
        tests::to_hex(protocol::card_factor(tests::card_number)) +
        "\n# chip file usage index version suite value use\n";
    const auto card = tests::issued_card_keys(suite);
    for (const auto& issued : card) {
        if (issued.file != protocol::transit_application) continue;
        out += line("master", {protocol::FileIdentifier{0}, issued.usage, protocol::KeyIndex{0},
                               tests::master_key(issued.usage, suite)});
    }
    for (const auto& issued : card) out += line("card", issued);
    out += "card 3F01 3A 00 00 00 " + tests::to_hex(tests::first_pin) + " PIN\n";
    for (const auto& issued : tests::issued_sam_keys(suite)) out += line("sam", issued);
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc == 3 ? argv[2] : "sm4";
    if (argc < 2 || argc > 3 || (name != "sm4" && name != "3des")) {
        std::cerr << "usage: make_chips DIRECTORY [sm4|3des]\n";
        return 2;
    }
    const auto suite = name == "sm4" ? Suite::sm4 : Suite::triple_des;
    const std::filesystem::path directory{argv[1]};
    auto card = tests::issued_card(suite);
    tests::load(card, 3000, suite);
    auto sam = tests::issued_sam(1, suite);
    if (!write_image(card, directory / "card.nvm") || !write_image(sam, directory / "sam.nvm") ||
        !platform::replace_file(directory / "keys.txt", key_list(suite))) {
        std::cerr << "make_chips: " << directory.string() << " cannot be written\n";
        return 1;
    }
    return 0;
}
