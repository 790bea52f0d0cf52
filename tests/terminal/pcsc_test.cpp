// terminal/reader against a real pcscd: run inside tests/system/reader_box, which names two slots
// in ONECARD_READERS. The cards are onecard-card processes whose chips were issued here.
#include "terminal/reader/pcsc.hpp"

#include <csignal>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/terminal/gate_world.hpp"

extern char** environ;

using namespace std::chrono_literals;
using terminal::LinkError;
using terminal::Refusal;
using terminal::WaitResult;

namespace {

struct Slot {
    std::string reader;
    std::string port;
};
std::vector<Slot> slots() {
    const char* text = std::getenv("ONECARD_READERS");
    REQUIRE_MESSAGE(text != nullptr, "run me inside tests/system/reader_box");
    std::vector<Slot> out;
    std::istringstream list{text};
    for (std::string item; std::getline(list, item, '|');) {
        const auto equals = item.rfind('=');
        out.push_back({item.substr(0, equals), item.substr(equals + 1)});
    }
    REQUIRE(out.size() >= 2);
    return out;
}

std::filesystem::path work_directory() {
    return std::filesystem::path{std::getenv("ONECARD_BOX")};
}

/// `program arguments...`, told what to do by lines.
class Process {
public:
    explicit Process(std::vector<std::string> words) {
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        REQUIRE((pipe2(in.data(), O_CLOEXEC) == 0 && pipe2(out.data(), O_CLOEXEC) == 0));
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        REQUIRE(posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) ==
                0);
        posix_spawn_file_actions_destroy(&actions);
        close(in[0]);
        close(out[1]);
        to_ = in[1];
        from_ = fdopen(out[0], "r");
    }
    ~Process() {
        close(to_);
        fclose(from_);
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    void tell(const std::string& line) {
        const std::string text = line + "\n";
        REQUIRE(write(to_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
        std::array<char, 256> answer{};
        for (;;) {  // events of the slot may come first
            REQUIRE(fgets(answer.data(), answer.size(), from_) != nullptr);
            const std::string said{answer.data()};
            if (said == "torn\n" || said == "gone\n") continue;
            REQUIRE_MESSAGE(said == "ok\n", said);
            return;
        }
    }

private:
    pid_t pid_ = 0;
    int to_ = -1;
    FILE* from_ = nullptr;
};

std::string image_of(tests::Chip& chip, const std::string& name) {
    const auto path = work_directory() / name;
    std::vector<std::uint8_t> bytes(chip.flash().page_count() * firmware::flash_model::page_size);
    chip.flash().read(0, bytes);
    std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                static_cast<std::streamsize>(bytes.size()));
    return path.string();
}

/// The SAM behind PC/SC, with the files 15 and 17 that the test issuer leaves empty.
class PcscFieldSam final : public terminal::CardLink {
public:
    explicit PcscFieldSam(std::string reader) : sam_{std::move(reader)} {}
    std::expected<terminal::Response, LinkError> transmit(tests::Bytes command) override {
        const std::string text = tests::to_hex(command);
        if (text == "00B095000E" || text == "00B0970019") return names_.transmit(command);
        return sam_.transmit(command);
    }

private:
    tests::Chip unused_{"unused"};
    tests::FieldSam names_{unused_};
    terminal::PcscSam sam_;
};

struct PcscWorld {
    PcscWorld(const std::string& name)
        : places{slots()},
          gate{terminal::GateMode::single, "pcsc-" + name},
          sam_process{{card_program(), "--nvm", image_of(gate.sam_chip, name + "-sam.nvm"),
                       "--port", places[1].port, "--control"}},
          card_process{{card_program(), "--nvm", image_of(gate.chip, name + "-card.nvm"), "--port",
                        places[0].port, "--control"}},
          reader{places[0].reader},
          sam{places[1].reader},
          engine{{gate.profile, gate.fares, *gate.hot_lists, *gate.journal, gate.clock, sam, [] {
                      return std::chrono::duration_cast<std::chrono::microseconds>(
                                 std::chrono::steady_clock::now().time_since_epoch())
                          .count();
                  }}} {
        sam_process.tell("insert");
        card_process.tell("insert");
        for (int tries = 0; tries < 100 && !engine.open_sam(); ++tries) {
            std::this_thread::sleep_for(50ms);
        }
        REQUIRE(engine.open_sam().has_value());
    }
    static std::string card_program() { return ONECARD_CARD_PROGRAM; }
    terminal::TapReport tap() {
        // As the program's loop does: what the service has not settled yet is looked at again.
        bool begun = false;
        for (int tries = 0; tries < 50 && !begun; ++tries) {
            REQUIRE(reader.wait_for_card(5s) == WaitResult::card_present);
            begun = reader.begin().has_value();
            if (!begun) std::this_thread::sleep_for(100ms);
        }
        REQUIRE(begun);
        auto report = engine.touch(reader);
        reader.end(false);
        return report;
    }
    std::vector<Slot> places;
    tests::GateWorld gate;
    Process sam_process;
    Process card_process;
    terminal::PcscReader reader;
    PcscFieldSam sam;
    terminal::Gate engine;
};

}  // namespace

TEST_CASE("pcsc: taps through pcscd, the same card counts once until it leaves") {
    PcscWorld world{"taps"};
    CHECK(world.tap().result.open);
    CHECK_FALSE(world.reader.atr().empty());
    CHECK(world.reader.wait_for_card(700ms) == WaitResult::timeout);
    world.card_process.tell("withdraw");
    std::this_thread::sleep_for(600ms);
    world.card_process.tell("insert");
    CHECK(world.tap().result.open);
}

TEST_CASE(
    "pcsc: a card withdrawn before DEBIT's answer is a torn tap, and is proven when it is back") {
    PcscWorld world{"torn"};
    world.card_process.tell("tear 54 before-answer");
    CHECK(world.tap().result.refusal == Refusal::unresolved);
    world.card_process.tell("insert");
    const auto again = world.tap();
    CHECK(again.result.already_paid);
}

TEST_CASE("pcsc: nobody there, no such reader, and a call that is woken") {
    std::this_thread::sleep_for(600ms);  // pcscd looks every 400 ms: the last test's card is gone
    terminal::PcscReader empty{slots()[0].reader};
    CHECK(empty.wait_for_card(300ms) == WaitResult::timeout);
    CHECK_FALSE(empty.begin().has_value());
    CHECK(empty.transmit(protocol::get_balance()).error() == LinkError::card_gone);
    terminal::PcscReader unknown{"No Such Reader 00 00"};
    CHECK(unknown.wait_for_card(1s) == WaitResult::reader_unknown);
    CHECK(unknown.begin().error() == LinkError::reader_gone);
    const auto names = terminal::list_readers();
    CHECK(std::ranges::find(names, slots()[0].reader) != names.end());
    std::jthread waker{[&] {
        std::this_thread::sleep_for(200ms);
        empty.wake();
    }};
    CHECK(empty.wait_for_card(30s) == WaitResult::cancelled);
}

TEST_CASE("pcsc: a restart of pcscd between taps is survived by reader and SAM") {
    PcscWorld world{"restart"};
    CHECK(world.tap().result.open);
    std::ifstream file{std::getenv("ONECARD_PCSCD_PID_FILE")};
    pid_t daemon = 0;
    file >> daemon;
    REQUIRE(daemon > 1);
    REQUIRE(kill(daemon, SIGTERM) == 0);
    while (kill(daemon, 0) == 0) std::this_thread::sleep_for(50ms);
    WaitResult seen = WaitResult::timeout;
    for (int tries = 0; tries < 50 && seen != WaitResult::service_lost; ++tries) {
        seen = world.reader.wait_for_card(100ms);
    }
    CHECK(seen == WaitResult::service_lost);
    CHECK(world.engine.touch(world.reader).result.open == false);
    const Process pcscd{
        {"pcscd", "--foreground", "--config", (work_directory() / "readers").string()}};
    WaitResult back = WaitResult::service_lost;
    for (int tries = 0; tries < 100 && back != WaitResult::card_present; ++tries) {
        std::this_thread::sleep_for(100ms);
        // The virtual cards notice the dead reader and wait to be put in again.
        if (tries % 5 == 0) {
            for (auto* process : {&world.sam_process, &world.card_process}) {
                process->tell("withdraw");
                process->tell("insert");
            }
        }
        back = world.reader.wait_for_card(300ms);
    }
    REQUIRE(back == WaitResult::card_present);
    terminal::TapReport report;
    for (int tries = 0; tries < 20 && !report.result.open; ++tries) {
        std::this_thread::sleep_for(200ms);
        world.reader.forget_served();
        if (world.reader.wait_for_card(1s) != WaitResult::card_present) continue;
        if (!world.reader.begin()) continue;
        report = world.engine.touch(world.reader);
        world.reader.end(false);
    }
    CHECK(report.result.open);
}
