// docs/card_commands.md, 10, as it stands there; and which of its commands a command is.
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "protocol/apdu.hpp"
#include "tests/firmware/os/status_words.hpp"

namespace tests::status_words {

namespace {

[[nodiscard]] std::string trim(std::string text) {
    std::erase(text, '`');
    const auto first = text.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

std::vector<Row> read_table() {
    std::ifstream file{ONECARD_TEST_DATA "/../../docs/card_commands.md"};
    if (!file.good()) throw std::runtime_error{"no docs/card_commands.md"};
    std::vector<Row> rows;
    bool is_here = false;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("## ")) is_here = line.starts_with("## 10.");
        if (!is_here || !line.starts_with("| ") || line.starts_with("| command")) continue;
        std::istringstream cells{line.substr(1)};
        Row row;
        std::getline(cells, row.command, '|');
        std::getline(cells, row.word, '|');
        std::getline(cells, row.cause, '|');
        rows.push_back({trim(row.command), trim(row.word), trim(row.cause)});
    }
    return rows;
}

std::string digits_of(unsigned status) {
    return to_hex(Data{static_cast<std::uint8_t>(status >> 8), static_cast<std::uint8_t>(status)});
}

bool matches(const std::string& word, unsigned status) {
    const std::string digits = digits_of(status);
    if (word.size() != digits.size()) return false;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (word[i] != 'x' && word[i] != digits[i]) return false;
    }
    return true;
}

const std::vector<CommandName>& command_names() {
    using enum KeyUsage;
    static const std::vector<CommandName> names{
        {"SELECT", 0x00A4},
        {"READ BINARY", 0x00B0},
        {"READ RECORD", 0x00B2},
        {"UPDATE BINARY", 0x00D6, {}, {}, maintenance},
        {"UPDATE RECORD", 0x00DC, {}, {}, maintenance},
        {"APPEND RECORD", 0x00E2, {}, {}, maintenance},
        {"GET CHALLENGE", 0x0084},
        {"EXTERNAL AUTHENTICATE", 0x0082, {}, {}, control},
        {"EXTERNAL AUTHENTICATE, blank chip", 0x0082, {}, {}, transport_usage},
        {"INTERNAL AUTHENTICATE", 0x0088},
        {"VERIFY", 0x0020, {}, {}, pin},
        {"CHANGE PIN", 0x805E, 0x01, {}, pin},
        {"RELOAD PIN", 0x805E, 0x00, {}, pin_reload},
        {"PIN UNBLOCK", 0x8024, {}, {}, pin_unblock},
        {"WRITE KEY", 0x80D4, {}, {}, control},
        {"APPLICATION BLOCK", 0x801E, {}, {}, application_lock},
        {"APPLICATION UNBLOCK", 0x8018, {}, {}, application_unlock},
        {"CARD BLOCK", 0x8016, {}, {}, application_lock},
        {"GET DATA", 0x80CA},
        {"GET MESSAGE", 0x80CA, 0x00, 0x00},
        {"ERASE", 0x800E},
        {"CREATE FILE", 0x80E0},
        {"ACTIVATE", 0x8044},
        {"GET BALANCE", 0x805C},
        {"INITIALIZE FOR LOAD", 0x8050, 0x00},
        {"INITIALIZE FOR PURCHASE", 0x8050, 0x01},
        {"INITIALIZE FOR CAPP PURCHASE", 0x8050, 0x03},
        {"INITIALIZE FOR UPDATE", 0x8050, 0x04},
        {"INITIALIZE FOR UNLOAD", 0x8050, 0x05},
        {"CREDIT FOR LOAD", 0x8052, {}, {}, load},
        {"DEBIT", 0x8054, 0x01, {}, purchase},
        {"DEBIT FOR UNLOAD", 0x8054, 0x03, {}, unload},
        {"UPDATE OVERDRAW LIMIT", 0x8058, {}, {}, overdraft},
        {"UPDATE CAPP DATA CACHE", 0x80DC},
        {"GET TRANSACTION PROVE", 0x805A},
        {"INIT SAM FOR PURCHASE", 0x8070},
        {"CREDIT SAM FOR PURCHASE", 0x8072},
        {"INITIALIZE FOR GREY LOCK", 0xE07A, 0x08},
        {"INITIALIZE FOR GREY UNLOCK", 0xE07A, 0x09},
        {"GREY LOCK", 0xE07C, {}, {}, purchase},
        {"DEBIT FOR UNLOCK", 0xE07E, 0x08, {}, purchase},
        {"GREY UNLOCK", 0xE07E, 0x09, {}, unload},
        {"GET LOCK PROOF", 0xE0CA},
        {"SAM GREY DEBIT", 0xE044},
        {"80 1A", 0x801A},
        {"80 FA", 0x80FA}};
    return names;
}

std::vector<CommandName> names_of(Bytes command, bool is_active) {
    const unsigned instruction = (command[0] & 0xFBU) << 8 | command[1];
    std::vector<CommandName> named, siblings;
    for (const CommandName& name : command_names()) {
        if (name.instruction != instruction) continue;
        if (instruction == 0x0082 && (name.tries == transport_usage) == is_active) continue;
        const bool has_both =
            (!name.p1 || *name.p1 == command[2]) && (!name.p2 || *name.p2 == command[3]);
        (name.p1 && has_both ? named : siblings).push_back(name);
    }
    if (!named.empty()) return named;
    // One without P1 takes what no other is.
    std::vector<CommandName> others;
    for (const CommandName& name : siblings) {
        if (!name.p1) others.push_back(name);
    }
    return others.empty() ? siblings : others;
}

}  // namespace tests::status_words
