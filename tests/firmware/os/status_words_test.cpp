// docs/card_commands.md, 10, row by row: each cause is provoked, its status word comes, nothing has
// changed, tries included, and the chip is good for what it was good for. A row without a provoker
// fails, and so does a provoker without a row. status_word_hostile_test.cpp looks for rows that are
// missing.
#include "tests/firmware/os/status_words.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>

#include <doctest/doctest.h>

using namespace tests;
using namespace tests::status_words;

namespace {

/// The key of which this command may take a try.
[[nodiscard]] std::optional<KeyUsage> tried_by(const std::string& command) {
    for (const CommandName& name : command_names()) {
        if (name.name == command) return name.tries;
    }
    return std::nullopt;
}

/// The try that is taken stays taken: something was compared and wrong, or the memory gave up
/// behind the try. Nothing else has changed.
void check_unchanged(const Row& row, const Memory& before, const Memory& after) {
    CHECK(after.objects == before.objects);
    const auto asked = tried_by(row.command);
    const TryChange change = try_change(before, after, asked);
    const bool is_wrong = row.word == "6988" || row.word == "9302" || row.word == "63Cx";
    if (is_wrong && asked) {
        CHECK(change == TryChange::rises_by_one);
    } else {
        CHECK(change == TryChange::none);
    }
}

/// The last wrong MAC: the application is blocked for good, and that is all.
void check_ended(Chip& chip, const Row& row, const Memory& before, const Memory& after) {
    unsigned changed = 0;
    for (const auto& [id, value] : before.objects) changed += after.objects.at(id) != value;
    CHECK(changed == 1);
    CHECK(try_change(before, after, tried_by(row.command)) == TryChange::rises_by_one);
    CHECK(use(chip) == std::vector<unsigned>{0x6283, 0x9303});
}

void check_row(const Provoker& provoker, unsigned& good_for_its_purpose) {
    Chip chip = provoker.chip();
    provoker.arrange(chip);
    const Data command = provoker.command(chip);
    const Memory before = memory_of(chip.flash());
    Chip untouched = chip.with(chip.flash());
    const bool memory_fails = provoker.row.cause == "the memory fails";
    Answer answer;
    {
        const Damage damage{chip, provoker.damage ? provoker.damage(chip) : Objects{}};
        if (memory_fails) chip.flash().wear_out();
        answer = chip.send(command);
        chip.flash().repair();
    }
    const bool is_right = matches(provoker.row.word, status(answer));
    CHECK_MESSAGE(is_right,
                  (provoker.row.word + " expected, it answers " + digits_of(status(answer))));
    if (!is_right) return;
    const bool is_warning = provoker.row.word.starts_with("62");
    CHECK(answer.data.empty() != is_warning);
    const Memory after = memory_of(chip.flash());
    if (provoker.may_change) return check_ended(chip, provoker.row, before, after);
    check_unchanged(provoker.row, before, after);
    // The store takes nothing more until the next reset when the part has failed.
    if (memory_fails) chip.power_on();
    const auto good_for = use(untouched);
    Chip after_reset = chip.with(chip.flash());
    CHECK(use(chip) == good_for);
    CHECK(use(after_reset) == good_for);
    if (good_for.back() == 0x9000) ++good_for_its_purpose;
}

}  // namespace

TEST_CASE("status words: every row of the table comes, changes nothing, leaves the chip usable") {
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
    unsigned good_for_its_purpose = 0;
    for (const Row& row : rows) {
        const std::string text = row.command + ", " + row.word + ", " + row.cause;
        CAPTURE(text);
        const auto found = known.find(row);
        if (found == known.end()) {
            FAIL_CHECK(std::string{"no provoker for this row"});
            continue;
        }
        check_row(*found->second, good_for_its_purpose);
    }
    CHECK(good_for_its_purpose > rows.size() * 4 / 5);  // the others are blocked for good, by row
}

TEST_CASE("status words: a damaged entry of the chip's own is noticed by every command") {
    const Provokers provokers = make_provokers();
    for (const auto& [name, good] : provokers.goods) {
        CAPTURE(name);
        Chip chip = good.chip();
        const Data command = good.command(chip);
        const auto before = memory_of(chip.flash());
        {
            const Damage damage{chip, {firmware::objects::chip}};
            CHECK(digits_of(status(chip.send(command))) == "6581");
        }
        CHECK(memory_of(chip.flash()) == before);
    }
    CHECK(provokers.goods.size() + 4 == command_names().size());  // but for the session's own
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
            const std::regex use_of{R"(StatusWord::(\w+))"};
            for (std::sregex_iterator at{source.begin(), source.end(), use_of}, end; at != end;
                 ++at) {
                const std::string name = (*at)[1];
                CAPTURE(name);
                CHECK(values.contains(name));
                CHECK(listed.contains(values[name]));
            }
        }
    }
}
