// The Cortex-M3 image under its emulator: what a reader sees of it, and what a loss of power
// leaves. docs/card_boards.md. Needs the image of the preset cortex-m3 (ONECARD_CARD_IMAGE).
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>
#include <unistd.h>

#include "firmware/boards/virtual/emulated_chip.hpp"
#include "firmware/boards/virtual/virtual_chip.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace {

using namespace firmware::boards;
using protocol::Bytes;

const std::string image = ONECARD_CARD_IMAGE;
constexpr std::size_t chip_size =
    firmware::flash_model::page_count_default * firmware::flash_model::page_size;

/// A directory that goes with the test.
class Directory {
public:
    Directory() {
        std::string name = std::filesystem::temp_directory_path() / "onecard-mps2.XXXXXX";
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    [[nodiscard]] std::string operator/(const char* file) const { return path_ / file; }

private:
    std::filesystem::path path_;
};

void write_chip(tests::Chip& chip, const std::string& path) {
    std::vector<std::uint8_t> bytes(chip.flash().page_count() * firmware::flash_model::page_size);
    chip.flash().read(0, bytes);
    bytes.resize(chip_size, firmware::flash_model::erased_byte);
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                static_cast<std::streamsize>(bytes.size()));
}

struct Fixture {
    Fixture() {
        REQUIRE_MESSAGE(std::filesystem::exists(image),
                        image << " is missing: cmake --preset cortex-m3 && cmake --build --preset "
                                 "cortex-m3");
        auto card = tests::issued_card();
        tests::load(card, 3000);
        write_chip(card, path);
    }
    [[nodiscard]] std::unique_ptr<Chip> open() {
        auto chip = EmulatedChip::open({.image = image, .nvm_path = path}, random);
        REQUIRE(chip.has_value());
        return std::move(*chip);
    }
    [[nodiscard]] Emulator start_raw() const {
        std::filesystem::resize_file(path, emulated_region_size);
        auto emulator = Emulator::start({.image = image, .nvm_path = path});
        REQUIRE(emulator.has_value());
        return std::move(*emulator);
    }

    Directory directory;
    std::string path = directory / "card.nvm";
    crypto::SystemRandom random = *crypto::SystemRandom::open();
};

constexpr std::array<std::uint8_t, 14> select_transit{0x00, 0xA4, 0x04, 0x00, 0x08, 0xA0, 0x00,
                                                      0x00, 0x06, 0x32, 0x01, 0x01, 0x05, 0x00};
constexpr std::array<std::uint8_t, 8> verify_wrong{0x00, 0x20, 0x00, 0x00, 0x03, 0x99, 0x99, 0x99};
constexpr std::array<std::uint8_t, 4> tries_left{0x00, 0x20, 0x00, 0x00};

unsigned status(const std::vector<std::uint8_t>& answer) {
    REQUIRE(answer.size() >= 2);
    return answer[answer.size() - 2] * 256U + answer.back();
}
unsigned ask_tries(Chip& chip) {
    REQUIRE(status(chip.process(select_transit)) == 0x9000);
    return status(chip.process(tries_left));
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "mps2: the ATR is the virtual board's (docs/card_commands.md, 2)") {
    std::vector<std::uint8_t> expected;
    {
        auto here = VirtualChip::open(path, random);
        REQUIRE(here.has_value());
        const auto atr = (*here)->atr();
        expected.assign(atr.begin(), atr.end());
    }
    auto chip = open();
    const auto atr = chip->atr();
    CHECK(std::vector<std::uint8_t>{atr.begin(), atr.end()} == expected);
}

TEST_CASE_FIXTURE(Fixture, "mps2: what was committed survives the emulator's SIGKILL") {
    auto chip = open();
    REQUIRE(chip->reset().size() == firmware::atr_size);
    REQUIRE(ask_tries(*chip) == 0x63C3);
    CHECK(status(chip->process(verify_wrong)) == 0x63C2);
    chip->power_off();
    CHECK(std::filesystem::file_size(path) == chip_size);
    REQUIRE(chip->reset().size() == firmware::atr_size);
    CHECK(ask_tries(*chip) == 0x63C2);
    chip.reset();
    auto here = VirtualChip::open(path, random);  // the same bytes on the other board
    REQUIRE(here.has_value());
    REQUIRE_FALSE((*here)->reset().empty());
    CHECK(ask_tries(**here) == 0x63C2);
}

TEST_CASE_FIXTURE(Fixture,
                  "mps2: killed at any moment of a command, the card keeps the old or the new") {
    // A wrong PIN costs a try: 3, 2, 1, 0. Whatever the moment of death, never more than before.
    unsigned before = 3;
    for (unsigned round = 0; round < 12; ++round) {
        {
            const Emulator emulator = start_raw();
            const std::array<std::uint8_t, seed_size> seed{};
            REQUIRE(emulator.exchange(FrameKind::reset, seed).has_value());
            REQUIRE(emulator.exchange(FrameKind::command, select_transit).has_value());
            std::thread command{[&] {
                (void)emulator.exchange(FrameKind::command,
                                        round % 4 == 0 ? Bytes{verify_wrong} : Bytes{tries_left});
            }};
            std::this_thread::sleep_for(std::chrono::microseconds{40 * round});
            REQUIRE(::kill(emulator.process(), SIGKILL) == 0);
            command.join();
        }
        auto chip = open();  // cuts the file back, as after the death of onecard-card
        REQUIRE(chip->reset().size() == firmware::atr_size);
        const unsigned answer = ask_tries(*chip);
        const unsigned left = answer == 0x6983 ? 0 : answer - 0x63C0;
        CHECK(left <= before);
        CHECK(left + 1 >= before);
        before = left;
    }
}

TEST_CASE_FIXTURE(Fixture,
                  "boards: cut at the same operation, both leave the same memory "
                  "(docs/card_boards.md, 6)") {
    // A wrong PIN programs the same units on both boards: no random number is in them.
    const std::string other_path = directory / "other.nvm", issued = directory / "issued.nvm";
    std::filesystem::copy_file(path, issued);
    constexpr auto anew = std::filesystem::copy_options::overwrite_existing;
    const auto bytes = [](const std::string& of) {
        std::ifstream file{of, std::ios::binary};
        return std::vector<char>{std::istreambuf_iterator<char>{file}, {}};
    };
    unsigned cuts = 0;
    for (bool was_cut = true; was_cut && cuts < 40; ++cuts) {
        std::filesystem::copy_file(issued, path, anew);
        std::filesystem::copy_file(issued, other_path, anew);
        auto there = EmulatedChip::open({.image = ONECARD_CUT_IMAGE, .nvm_path = path}, random);
        auto here = VirtualChip::open(other_path, random);
        REQUIRE(there.has_value());
        REQUIRE(here.has_value());
        const std::array<Chip*, 2> both{there->get(), here->get()};
        std::array<std::vector<std::uint8_t>, 2> answers;
        for (std::size_t i = 0; i < 2; ++i) {
            REQUIRE(both[i]->reset().size() == firmware::atr_size);
            REQUIRE(status(both[i]->process(select_transit)) == 0x9000);
            REQUIRE(both[i]->cut_at(cuts));
            answers[i] = both[i]->process(verify_wrong);
            was_cut = answers[i].empty();
            both[i]->power_off();
        }
        CHECK(answers[0] == answers[1]);
        there->reset();
        here->reset();
        // After an answer the emulated board keeps house, and may be killed in it.
        CHECK((!was_cut || bytes(path) == bytes(other_path)));
    }
    CHECK(cuts >= 2);
    CHECK(cuts < 40);
}

TEST_CASE_FIXTURE(Fixture, "mps2: the card's own image cannot be cut") {
    auto chip = open();
    CHECK_FALSE(chip->cut_at(0));  // no power
    REQUIRE(chip->reset().size() == firmware::atr_size);
    CHECK_FALSE(chip->cut_at(0));
    CHECK(ask_tries(*chip) == 0x63C3);
}

TEST_CASE_FIXTURE(Fixture,
                  "mps2: a warm reset forgets the session and gives other random numbers") {
    const std::array<std::uint8_t, 5> challenge{0x00, 0x84, 0x00, 0x00, 0x08};
    const std::array<std::uint8_t, seed_size> seed{};
    std::vector<std::uint8_t> first, second;
    {
        const Emulator emulator = start_raw();
        REQUIRE(emulator.exchange(FrameKind::reset, seed).has_value());
        first = emulator.exchange(FrameKind::command, challenge)->payload;
        REQUIRE(emulator.exchange(FrameKind::reset, seed)->kind == FrameKind::atr);
        second = emulator.exchange(FrameKind::command, challenge)->payload;
    }
    REQUIRE(first.size() == 10);
    CHECK(first != second);  // 10.1.2.4: the old state is mixed in
    const Emulator emulator = start_raw();
    REQUIRE(emulator.exchange(FrameKind::reset, seed).has_value());
    CHECK(emulator.exchange(FrameKind::command, challenge)->payload ==
          first);  // from the seed alone
}

TEST_CASE_FIXTURE(
    Fixture, "mps2: wrong frames are refused and the card stays usable (docs/card_boards.md, 3)") {
    const Emulator emulator = start_raw();
    const std::array<std::uint8_t, seed_size> seed{};
    SUBCASE("a command before the first reset: nothing answers") {
        const auto frame = emulator.exchange(FrameKind::command, select_transit);
        REQUIRE(frame.has_value());
        CHECK(frame->kind == FrameKind::answer);
        CHECK(frame->payload.empty());
    }
    SUBCASE("an unknown kind") {
        CHECK(emulator.exchange(FrameKind{0x55}, seed)->kind == FrameKind::refused);
    }
    SUBCASE("a reset without its seed") {
        CHECK(emulator.exchange(FrameKind::reset, {})->kind == FrameKind::refused);
    }
    SUBCASE("measuring, in the card's own image") {
        CHECK(emulator.exchange(FrameKind::measure, {})->kind == FrameKind::refused);
    }
    SUBCASE("a cut, in the card's own image") {
        CHECK(emulator.exchange(FrameKind::cut, Bytes{seed}.first(cut_size))->kind ==
              FrameKind::refused);
    }
    SUBCASE("a payload longer than any command") {
        const std::vector<std::uint8_t> much(frame_payload_max + 1, 0xA5);
        CHECK(emulator.exchange(FrameKind::command, much)->kind == FrameKind::refused);
    }
    SUBCASE("a wrong check") {
        const std::array<std::uint8_t, 5> damaged{0x02, 0x00, 0x01, 0x00, 0x55};
        CHECK(emulator.exchange_raw(damaged)->kind == FrameKind::refused);
    }
    CHECK(emulator.exchange(FrameKind::reset, seed)->payload.size() == firmware::atr_size);
    CHECK(status(emulator.exchange(FrameKind::command, select_transit)->payload) == 0x9000);
}

TEST_CASE_FIXTURE(Fixture, "mps2: a file that is not a chip of 128 KB is refused by name") {
    std::filesystem::resize_file(path, chip_size / 2);
    auto chip = EmulatedChip::open({.image = image, .nvm_path = path}, random);
    REQUIRE_FALSE(chip.has_value());
    CHECK(chip.error() == FileFlashError::wrong_size);
    std::filesystem::resize_file(path, chip_size + 1);
    CHECK(EmulatedChip::open({.image = image, .nvm_path = path}, random).error() ==
          FileFlashError::wrong_size);
    CHECK(EmulatedChip::open({.image = image, .nvm_path = directory / "none"}, random).error() ==
          FileFlashError::cannot_open);
}

TEST_CASE_FIXTURE(Fixture, "mps2: one reader at a time holds a chip") {
    auto chip = open();
    CHECK(EmulatedChip::open({.image = image, .nvm_path = path}, random).error() ==
          FileFlashError::in_use);
    CHECK(VirtualChip::open(path, random).error() == FileFlashError::in_use);
}

TEST_CASE_FIXTURE(Fixture, "mps2: a chip that is no card, or no emulator, is mute") {
    SUBCASE("memory without a card in it") {
        std::ofstream{path, std::ios::binary | std::ios::trunc} << std::string(chip_size, '\xFF');
        CHECK(open()->reset().empty());
    }
    SUBCASE("no such program") {
        auto chip = EmulatedChip::open(
            {.program = directory / "no-emulator", .image = image, .nvm_path = path}, random);
        REQUIRE(chip.has_value());
        CHECK((*chip)->reset().empty());
        CHECK((*chip)->process(select_transit).empty());
    }
}
