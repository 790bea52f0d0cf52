// docs/card_commands.md, 10, row by row: each cause is provoked, its status word comes, nothing has
// changed, the chip stays usable. A row without a provoker fails, and so does a provoker without a
// row; then hostile commands by the thousand must answer nothing that the table does not know.
#include "tests/firmware/os/status_words.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "tests/firmware/support/cuts.hpp"

using namespace tests;
using namespace tests::status_words;

namespace {

// ---- The table ---------------------------------------------------------------------------------

[[nodiscard]] std::string trim(std::string text) {
    std::erase(text, '`');
    const auto first = text.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// The rows of section 10: "| command | word | cause |".
[[nodiscard]] std::vector<Row> read_table() {
    std::ifstream file{ONECARD_TEST_DATA "/../../docs/card_commands.md"};
    REQUIRE(file.good());
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

/// x stands for any digit: 63Cx, 6Cxx.
[[nodiscard]] bool matches(const std::string& word, unsigned status) {
    const Data bytes{static_cast<std::uint8_t>(status >> 8), static_cast<std::uint8_t>(status)};
    const std::string digits = to_hex(bytes);
    for (std::size_t i = 0; i < 4; ++i) {
        if (word[i] != 'x' && word[i] != digits[i]) return false;
    }
    return word.size() == 4;
}

/// Everything in the memory but the tries: those may fall.
[[nodiscard]] std::map<unsigned, Data> content_of(TearingFlash flash) {
    flash.reboot();
    firmware::Store store{flash};
    REQUIRE(store.mount().has_value());
    std::map<unsigned, Data> out;
    for (std::uint16_t id = 0; id < firmware::object_count_max; ++id) {
        Data value(255);
        const auto size = store.read(firmware::ObjectId{id}, value);
        if (!size) continue;
        value.resize(*size);
        out[id] = value;
    }
    return out;
}

}  // namespace

TEST_CASE("status words: every row of the table comes, changes nothing, leaves the card usable") {
    const auto rows = read_table();
    CHECK(rows.size() > 100);
    const Provokers provokers = make_provokers();
    std::map<Row, const Provoker*> known;
    for (const Provoker& provoker : provokers.all) {
        CHECK_MESSAGE(known.emplace(provoker.row, &provoker).second,
                      (provoker.row.command + " twice: " + provoker.row.cause));
        if (std::ranges::find(rows, provoker.row) == rows.end()) {
            const std::string row = "| " + provoker.row.command + " | `" + provoker.row.word +
                                    "` | " + provoker.row.cause + " |";
            CAPTURE(row);
            FAIL_CHECK("not in the table");
        }
    }
    for (const Row& row : rows) {
        const std::string text = row.command + ", " + row.word + ", " + row.cause;
        CAPTURE(text);
        const auto found = known.find(row);
        if (found == known.end()) {
            FAIL_CHECK(std::string{"no provoker for this row"});
            continue;
        }
        const Provoker& provoker = *found->second;
        Chip chip = provoker.chip();
        provoker.arrange(chip);
        const Data command = provoker.command(chip);
        const auto before = content_of(chip.flash());
        if (row.cause == "the memory fails") chip.flash().wear_out();
        const Answer answer = chip.send(command);
        const bool is_right = matches(row.word, status(answer));
        CHECK_MESSAGE(is_right, (provoker.row.word + " expected, it answers " +
                                 std::to_string(status(answer))));
        if (!is_right) continue;
        if (!row.word.starts_with("62")) CHECK(answer.data.empty());
        if (provoker.may_change) continue;
        CHECK(chip.send(protocol::get_chip_info()).ok());
        chip.flash().repair();
        CHECK(content_of(chip.flash()) == before);
        chip.power_on();
        CHECK(chip.send(protocol::get_chip_info()).ok());
    }
}

namespace {

/// Words of a command in the table, by class and instruction; "any command" counts for all.
[[nodiscard]] std::map<unsigned, std::set<std::string>> words_by_instruction() {
    static const std::map<std::string, unsigned> instructions = command_instructions();
    std::map<unsigned, std::set<std::string>> out;
    std::set<std::string> of_all;
    for (const Row& row : read_table()) {
        if (row.command == "any command") {
            of_all.insert(row.word);
        } else {
            const auto found = instructions.find(row.command);
            CHECK_MESSAGE(found != instructions.end(), row.command);
            if (found != instructions.end()) out[found->second].insert(row.word);
        }
    }
    for (auto& [instruction, words] : out) words.insert(of_all.begin(), of_all.end());
    return out;
}

/// A command that exists, with a header or data that may be anything.
[[nodiscard]] Data hostile(Choices& choices, const std::vector<unsigned>& instructions) {
    const unsigned known = instructions[choices.below(instructions.size())];
    const bool is_protected = choices.below(3) == 0;
    Data out{static_cast<std::uint8_t>(known >> 8 | (is_protected ? 0x04 : 0x00)),
             static_cast<std::uint8_t>(known)};
    for (int i = 0; i < 2; ++i) {
        constexpr std::array<std::uint8_t, 12> likely{0,    1,    2,    3,    5,    0x09,
                                                      0x95, 0x97, 0xC4, 0xD4, 0xF4, 0xDF};
        out.push_back(choices.below(3) != 0 ? likely[choices.below(likely.size())]
                                            : static_cast<std::uint8_t>(choices.next()));
    }
    constexpr std::array<std::uint8_t, 14> sizes{0, 0, 1, 2, 4, 6, 8, 11, 14, 15, 16, 36, 48, 128};
    const std::uint8_t size = sizes[choices.below(sizes.size())];
    if (size != 0) out.push_back(size);
    for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(choices.next()));
    if (choices.below(2) == 0) out.push_back(static_cast<std::uint8_t>(choices.below(20)));
    return out;
}

}  // namespace

TEST_CASE("status words: hostile commands answer nothing that the table does not list") {
    const auto words = words_by_instruction();
    std::vector<unsigned> instructions;
    for (const auto& [instruction, unused] : words) instructions.push_back(instruction);
    REQUIRE_FALSE(instructions.empty());
    Choices choices{setting("ONECARD_TEAR_SEED", 20'260'501)};
    std::set<std::string> unknown;
    for (int round = 0; round < 400; ++round) {
        Chip chip = round % 4 == 0 ? ready_sam() : round % 4 == 1 ? blank() : ready_card();
        for (int i = 0; i < 60; ++i) {
            const Data command = hostile(choices, instructions);
            const TearingFlash before = chip.flash();
            const unsigned answered = status(chip.send(command));
            if (answered == 0x9000) continue;
            // Refused: nothing is written but a try, and nothing else reads otherwise.
            if (chip.flash().counts().programs != before.counts().programs) {
                CAPTURE(to_hex(command));
                CHECK(content_of(chip.flash()) == content_of(before));
            }
            const unsigned instruction = (command[0] & 0xFBU) << 8 | command[1];
            const auto& allowed = words.at(instruction);
            const bool is_listed = std::ranges::any_of(
                allowed, [&](const std::string& word) { return matches(word, answered); });
            if (!is_listed) {
                unknown.insert(to_hex(Bytes{command}.first(4)) + " -> " +
                               to_hex(Data{static_cast<std::uint8_t>(answered >> 8),
                                           static_cast<std::uint8_t>(answered)}));
            }
        }
    }
    for (const std::string& what : unknown) FAIL_CHECK(what);
}

TEST_CASE("status words: whatever the card's code can say stands in the table") {
    namespace files = std::filesystem;
    const files::path root{ONECARD_TEST_DATA "/../.."};
    const auto text_of = [](const files::path& path) {
        std::ifstream file{path};
        return std::string{std::istreambuf_iterator<char>{file}, {}};
    };
    std::map<std::string, std::string> values;  // ok -> 9000
    const std::string words = text_of(root / "protocol/status_word.hpp");
    const std::regex value_of{R"((\w+) = 0x([0-9A-F]{4}))"};
    for (std::sregex_iterator at{words.begin(), words.end(), value_of}, end; at != end; ++at) {
        values[(*at)[1]] = (*at)[2];
    }
    REQUIRE(values.size() > 30);
    std::set<std::string> listed{"9000", "6F00"};  // section 10 says why 6F00 has no row
    for (const Row& row : read_table()) listed.insert(row.word);
    for (const char* room : {"firmware/kernel", "firmware/os", "firmware/purse", "firmware/sam"}) {
        for (const auto& entry : files::directory_iterator{root / room}) {
            const std::string source = text_of(entry.path());
            const std::regex use{R"(StatusWord::(\w+))"};
            for (std::sregex_iterator at{source.begin(), source.end(), use}, end; at != end; ++at) {
                const std::string name = (*at)[1];
                CAPTURE(name);
                CHECK(values.contains(name));
                CHECK(listed.contains(values[name]));
            }
        }
    }
}
