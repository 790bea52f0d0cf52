// onecard-card: a virtual card or SAM in a vsmartcard-vpcd slot. docs/card_commands.md, 9.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <poll.h>
#include <unistd.h>

#include "firmware/boards/virtual/emulated_chip.hpp"
#include "firmware/boards/virtual/slot.hpp"
#include "firmware/boards/virtual/virtual_chip.hpp"

namespace firmware::boards {
namespace {

// Exit codes.
constexpr int exit_ok = 0;
constexpr int exit_usage = 2;
constexpr int exit_no_reader = 3;
constexpr int exit_no_chip = 4;

constexpr const char* examples = R"(
Examples
  A blank chip, ready for an issuer's desk, put into slot 0 of a virtual reader:
    onecard-card --nvm card1.nvm --fresh --serial 0000000000000001 --transport-master chips.hex --port 35963
  The same chip again, later (its contents survive, also kill -9):
    onecard-card --nvm card1.nvm --port 35963
  Taken out of the field right after it has debited, before the reader hears so:
    onecard-card --nvm card1.nvm --port 35963 --withdraw-after-ins 54 --withdraw-when before-answer
  Make the chip only:
    onecard-card --nvm card1.nvm --fresh --serial 0000000000000001 --transport-master chips.hex
  Many cards through one slot, told by lines on standard input (each is answered ok or error: ...):
    onecard-card --port 35963 --control
      load card1.nvm | insert | withdraw | fresh card2.nvm 0000000000000002
      tear 54 before-answer [COUNT] | cut 54 OPERATION [COUNT] | quit
    "torn" and "gone" are reported when the chip left by a tear or because the reader closed, "held" when
    it keeps an answer to itself (tear 54 keep-answer): the reader waits until the chip is withdrawn.
    "cut" takes power away in the middle of the command, instead of the N-th of its operations on the memory
    (from 1); "uncut" is reported when it did fewer, or the board's image is not card_mps2_cut.elf.
  The same chip on a Cortex-M3 under qemu-system-arm, from the image that the preset cortex-m3 builds:
    onecard-card --nvm card1.nvm --port 35963 --board mps2

A key file begins with 32 hexadecimal digits (what follows a space is for people) and should be readable by its owner only.
Exit status: 0 withdrawn as asked, 2 usage, 3 no reader at the port, 4 the chip's file is no good.)";

struct Options {
    std::string nvm;
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string board = "virtual";
    std::string image;
    bool fresh = false;
    std::string serial;
    std::string transport_key_file;
    std::string transport_master_file;
    std::string transport_suite = "sm4";
    unsigned transport_version = 1;
    std::string withdraw_after_ins;
    std::string withdraw_when = "after-answer";
    unsigned withdraw_count = 1;
    std::uint64_t kill_at = 0;
    unsigned wait_seconds = 10;
    bool control = false;
};

[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_hex(const std::string& text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::vector<std::uint8_t> out(text.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
        const char* begin = text.data() + 2 * i;
        const auto [end, error] = std::from_chars(begin, begin + 2, out[i], 16);
        if (error != std::errc{} || end != begin + 2) return std::nullopt;
    }
    return out;
}

int complain(const std::string& what, int code) {
    std::cerr << "onecard-card: " << what << '\n';
    return code;
}

/// The chip maker's side: which transport keys new chips get.
class Maker {
public:
    explicit Maker(const Options& options) : options_{options} {}

    /// What was wrong, or nothing.
    [[nodiscard]] std::string make(const std::string& path, const std::string& serial_hex,
                                   crypto::SystemRandom& random) const {
        const auto serial = from_hex(serial_hex);
        if (!serial || serial->size() != 8) return "the serial must be 16 hexadecimal digits";
        protocol::ChipSerial chip{};
        std::array<std::uint8_t, 8> bytes{};
        std::ranges::copy(*serial, bytes.begin());
        chip = protocol::ChipSerial{bytes};
        const auto key = transport_key(chip);
        if (!key) {
            return "a fresh chip needs --transport-master FILE (or --transport-key FILE), with 32 "
                   "hexadecimal digits in it";
        }
        const auto made = VirtualChip::make(
            path, random, chip, *key,
            protocol::KeyVersion{static_cast<std::uint8_t>(options_.transport_version)});
        if (!made) return path + ": " + name(made.error());
        return *made ? "" : path + ": the chip could not be written";
    }

private:
    [[nodiscard]] std::optional<crypto::purse::PurseKey> read_key(const std::string& path) const {
        std::ifstream file{path};
        std::string text;
        file >> text;
        auto bytes = from_hex(text);
        crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
        if (!bytes || bytes->size() != crypto::purse::key_size) return std::nullopt;
        const auto suite =
            options_.transport_suite == "3des" ? protocol::Suite::triple_des : protocol::Suite::sm4;
        crypto::purse::PurseKey key{suite,
                                    std::span<const std::uint8_t, crypto::purse::key_size>{*bytes}};
        crypto::wipe(*bytes);
        return key;
    }
    [[nodiscard]] std::optional<crypto::purse::PurseKey> transport_key(
        const protocol::ChipSerial& serial) const {
        if (!options_.transport_key_file.empty()) return read_key(options_.transport_key_file);
        if (options_.transport_master_file.empty()) return std::nullopt;
        const auto master = read_key(options_.transport_master_file);
        if (!master) return std::nullopt;
        return crypto::purse::transport_key(*master, serial);
    }
    const Options& options_;
};

[[nodiscard]] std::optional<Tear> parse_tear(const std::string& ins, const std::string& when,
                                             unsigned count) {
    const auto byte = from_hex(ins);
    const auto moment = tear_moment(when);
    if (!byte || byte->size() != 1 || !moment || count == 0) return std::nullopt;
    return Tear{byte->front(), *moment, count};
}

[[nodiscard]] std::optional<Tear> parse_cut(const std::string& ins, const std::string& operation,
                                            unsigned count) {
    std::uint32_t number = 0;
    const char* end = operation.data() + operation.size();
    const auto [at, error] = std::from_chars(operation.data(), end, number);
    const auto byte = from_hex(ins);
    if (!byte || byte->size() != 1 || error != std::errc{} || at != end || number == 0)
        return std::nullopt;
    return Tear{byte->front(), TearMoment::in_command, count, number - 1};
}

/// Where the preset cortex-m3 leaves the card's image, seen from build/<preset>/bin/onecard-card.
[[nodiscard]] std::string default_image() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    return program.parent_path().parent_path().parent_path() / "cortex-m3/bin/card_mps2.elf";
}

/// Empty, and `why` says why, when the file or the image is no good.
[[nodiscard]] std::unique_ptr<Chip> open_chip(const Options& options, crypto::SystemRandom& random,
                                              const std::string& path, std::string& why) {
    if (options.board == "virtual") {
        auto chip = VirtualChip::open(path, random);
        if (!chip) why = path + ": " + name(chip.error());
        return chip ? std::move(*chip) : nullptr;
    }
    const EmulatorSetup setup{.image = options.image.empty() ? default_image() : options.image,
                              .nvm_path = path};
    if (!std::filesystem::exists(setup.image)) {
        why = setup.image +
              ": no such image; build it with cmake --preset cortex-m3 && cmake --build --preset "
              "cortex-m3, or name another with --image";
        return nullptr;
    }
    auto chip = EmulatedChip::open(setup, random);
    if (!chip) why = path + ": " + name(chip.error());
    return chip ? std::move(*chip) : nullptr;
}

/// pcscd may start after us, or again.
[[nodiscard]] bool insert_patiently(Slot& slot, const Options& options,
                                    crypto::SystemRandom& random, const std::string& path,
                                    std::string& why) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::seconds{options.wait_seconds};
    for (;;) {
        auto chip = open_chip(options, random, path, why);
        if (!chip) return false;
        if (options.kill_at != 0 && !chip->kill_at(options.kill_at - 1)) {
            why = "--kill-at works on the virtual board only";
            return false;
        }
        if (slot.insert(std::move(chip))) return true;
        if (std::chrono::steady_clock::now() >= until) {
            why = "no virtual reader listens at " + options.host + " port " +
                  std::to_string(options.port) + "; is pcscd running with vsmartcard-vpcd?";
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
}

/// One card, until it is torn out or the reader stays away.
int run_single(const Options& options, crypto::SystemRandom& random) {
    Slot slot{options.host, options.port};
    if (!options.withdraw_after_ins.empty()) {
        const auto tear =
            parse_tear(options.withdraw_after_ins, options.withdraw_when, options.withdraw_count);
        if (!tear) {
            return complain(
                "--withdraw-after-ins takes two hexadecimal digits, --withdraw-when "
                "before-command, before-answer or after-answer, --withdraw-count 1..",
                exit_usage);
        }
        slot.arm(*tear);
    }
    for (;;) {
        std::string why;
        if (!insert_patiently(slot, options, random, options.nvm, why)) {
            return complain(why, why.starts_with("no virtual") ? exit_no_reader : exit_no_chip);
        }
        auto event = Slot::Event::served;
        while (event != Slot::Event::torn && event != Slot::Event::reader_gone)
            event = slot.serve_one();
        slot.withdraw();
        if (event == Slot::Event::torn) return exit_ok;
    }
}

/// Many cards through one slot, told by lines on standard input.
class Control {
public:
    Control(const Options& options, crypto::SystemRandom& random)
        : options_{options}, random_{random}, slot_{options.host, options.port} {}

    int run() {
        path_ = options_.nvm;
        for (;;) {
            std::array<pollfd, 2> waiting{pollfd{0, POLLIN, 0},
                                          pollfd{slot_.descriptor(), POLLIN, 0}};
            if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
            if ((waiting[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) serve();
            if ((waiting[0].revents & (POLLIN | POLLHUP)) != 0 && !obey_lines()) return exit_ok;
        }
    }

private:
    void serve() {
        switch (slot_.serve_one()) {
            case Slot::Event::served: return;
            case Slot::Event::held: say("held"); return;
            case Slot::Event::uncut: say("uncut"); return;
            case Slot::Event::torn: say("torn"); break;
            case Slot::Event::reader_gone: say("gone"); break;
        }
        slot_.withdraw();
    }
    /// Whole lines from the descriptor, not from a stream: poll(2) cannot see a stream's buffer.
    [[nodiscard]] bool obey_lines() {
        std::array<char, 512> part{};
        const ssize_t count = ::read(0, part.data(), part.size());
        if (count <= 0) return false;
        pending_.append(part.data(), static_cast<std::size_t>(count));
        for (;;) {
            const auto end = pending_.find('\n');
            if (end == std::string::npos) return true;
            const std::string line = pending_.substr(0, end);
            pending_.erase(0, end + 1);
            if (line == "quit") return false;
            const std::string why = obey(line);
            say(why.empty() ? "ok" : "error: " + why);
        }
    }
    [[nodiscard]] std::string obey(const std::string& line) {
        std::istringstream words{line};
        std::string verb, first, second;
        words >> verb >> first >> second;
        if (verb == "load") {
            slot_.withdraw();
            path_ = line.substr(std::min(line.size(), verb.size() + 1));  // spaces and all
            return "";
        }
        if (verb == "fresh") return Maker{options_}.make(first, second, random_);
        if (verb == "insert") return insert();
        if (verb == "withdraw") {
            slot_.withdraw();
            return "";
        }
        unsigned count = 0;
        words >> count;
        if (count == 0) count = 1;
        if (verb == "tear") {
            return arm(parse_tear(first, second, count),
                       "tear takes an instruction, a moment and perhaps a count; see --help");
        }
        if (verb == "cut") {
            return arm(parse_cut(first, second, count),
                       "cut takes an instruction, an operation from 1 and perhaps a count; see "
                       "--help");
        }
        return "unknown: " + line + "; see --help";
    }
    [[nodiscard]] std::string arm(const std::optional<Tear>& tear, const char* why_not) {
        if (!tear) return why_not;
        slot_.arm(*tear);
        return "";
    }
    [[nodiscard]] std::string insert() {
        std::string why;
        if (slot_.has_chip()) return "a card is in the slot: withdraw it first";
        if (path_.empty()) return "no card is loaded: load FILE first";
        return insert_patiently(slot_, options_, random_, path_, why) ? "" : why;
    }
    static void say(const std::string& line) { std::cout << line << std::endl; }

    const Options& options_;
    crypto::SystemRandom& random_;
    Slot slot_;
    std::string path_;
    std::string pending_;
};

void describe(CLI::App& app, Options& options) {
    app.add_option("--nvm", options.nvm, "the chip's memory, a file");
    app.add_option("--port", options.port,
                   "the slot's TCP port (vpcd); without it, the chip is only made");
    app.add_option("--host", options.host, "where vpcd listens")->capture_default_str();
    app.add_option("--board", options.board, "what the firmware runs on: virtual, or mps2 (QEMU)")
        ->check(CLI::IsMember({"virtual", "mps2"}))
        ->capture_default_str();
    app.add_option("--image", options.image,
                   "the Cortex-M3 image for --board mps2, if not the one of the preset cortex-m3");
    app.add_flag("--fresh", options.fresh, "make a blank chip first; the file must not exist");
    app.add_option("--serial", options.serial, "the new chip's serial, 16 hexadecimal digits");
    app.add_option("--transport-master", options.transport_master_file,
                   "file with the chip maker's master key; the chip gets its own from it");
    app.add_option("--transport-key", options.transport_key_file,
                   "file with this very chip's transport key");
    app.add_option("--transport-suite", options.transport_suite, "sm4 or 3des")
        ->check(CLI::IsMember({"sm4", "3des"}))
        ->capture_default_str();
    app.add_option("--transport-version", options.transport_version, "its version")
        ->check(CLI::Range(0, 254))
        ->capture_default_str();
    app.add_option("--withdraw-after-ins", options.withdraw_after_ins,
                   "for tests: take the card out at a command with this instruction");
    app.add_option("--withdraw-when", options.withdraw_when,
                   "before-command, before-answer or after-answer")
        ->capture_default_str();
    app.add_option("--withdraw-count", options.withdraw_count, "at the N-th such command")
        ->capture_default_str();
    app.add_option("--kill-at", options.kill_at,
                   "for tests: die (SIGKILL) instead of the N-th operation on the memory");
    app.add_option("--wait", options.wait_seconds, "whole seconds to wait for a reader")
        ->capture_default_str();
    app.add_flag("--control", options.control, "obey lines on standard input");
    app.footer(examples);
}

int run(const Options& options) {
    auto random = crypto::SystemRandom::open();
    if (!random) return complain("no random numbers from the kernel", exit_no_chip);
    if (options.fresh) {
        const auto why = Maker{options}.make(options.nvm, options.serial, *random);
        if (!why.empty()) return complain(why, exit_no_chip);
    }
    if (options.control) {
        if (options.port == 0) return complain("--control needs --port", exit_usage);
        return Control{options, *random}.run();
    }
    if (options.port == 0) {
        return options.fresh ? exit_ok : complain("--port is missing; see --help", exit_usage);
    }
    return run_single(options, *random);
}

}  // namespace
}  // namespace firmware::boards

int main(int argc, char** argv) {
    CLI::App app{
        "A virtual card or SAM: the OneCard firmware in a slot of a virtual PC/SC reader."};
    firmware::boards::Options options;
    firmware::boards::describe(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : firmware::boards::exit_usage;
    }
    if (options.nvm.empty() && !options.control) {
        std::cerr << "onecard-card: --nvm is missing; see --help\n";
        return firmware::boards::exit_usage;
    }
    return firmware::boards::run(options);
}
