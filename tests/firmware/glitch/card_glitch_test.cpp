// One instruction of one command of the card's Cortex-M3 image disturbed, everywhere, and what an
// attacker has of it. docs/card_glitch.md. Needs the image of the preset cortex-m3
// (ONECARD_CARD_IMAGE; ONECARD_GLITCH_IMAGE names another).
//
// ONECARD_GLITCH_NIGHTLY=1 disturbs every passage through every instruction;
// ONECARD_GLITCH_ONLY=text runs the scenarios whose names hold the text.
#include <array>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <doctest/doctest.h>

#include "tests/firmware/glitch/attack.hpp"
#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/kernels.hpp"
#include "tests/firmware/glitch/scenarios.hpp"

using namespace tests::glitch;

namespace {

[[nodiscard]] std::string text(const char* name, std::string otherwise) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::move(otherwise) : value;
}

/// Image and machines, once for all cases.
struct Stage {
    Stage() : image{text("ONECARD_GLITCH_IMAGE", ONECARD_CARD_IMAGE)} {
        std::cout << "No fault is put into: " << kernels() << "\n";
    }
    Image image;
    Secrets secrets = all_secrets();
    Bench bench{image, depth(), secrets};
    std::string only = text("ONECARD_GLITCH_ONLY", "");
    std::uint64_t trials = 0, gains = 0;
};

Stage& stage() {
    static Stage one;
    return one;
}

[[nodiscard]] std::string source(const Image& image, std::uint32_t address) {
    std::string out;
    for (const std::string& line : image.lines(address)) {
        out.append(out.empty() ? "" : " in ").append(line);
    }
    return out.empty() ? "?" : out;
}

void report(const Image& image, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        std::cout << "  GAIN: " << finding.gain << "; instruction " << finding.at << " "
                  << (finding.fault == Fault::skipped ? "skipped" : "inverted") << ", 0x"
                  << std::hex << finding.address << std::dec << " " << image.place(finding.address)
                  << ", " << source(image, finding.address) << "\n";
    }
}

/// What is known to be gained and is left so, with its reason. docs/card_glitch.md, 5.
struct Residue {
    std::string_view scenario;
    std::size_t gains;
    std::string_view reason;
};
constexpr std::array residues{
    Residue{"APPLICATION BLOCK, right MAC", 1,
            "a return that is skipped runs on into another, with a stack that is not its own"},
};

[[nodiscard]] std::size_t allowed(const Scenario& scenario) {
    for (const Residue& residue : residues) {
        if (residue.scenario == scenario.name) return residue.gains;
    }
    return 0;
}

void attack(const Scenario& scenario) {
    Stage& on = stage();
    const auto begin = std::chrono::steady_clock::now();
    const Tally tally = on.bench.attack(scenario);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::cout << scenario.name << ": " << tally.executed << " instructions, " << tally.kernel
              << " of them in kernels; " << tally.trials << " faults: " << tally.right
              << " answered right, " << tally.refused << " refused, " << tally.mute << " mute; "
              << tally.judged << " outcomes, " << tally.findings.size() << " gains; "
              << took.count() << " s" << std::endl;
    report(on.image, tally.findings);
    on.trials += tally.trials;
    on.gains += tally.findings.size();
    CHECK(tally.trials > 0);
    CHECK_MESSAGE(tally.findings.size() <= allowed(scenario), scenario.name);
}

void run(const std::vector<Scenario>& scenarios) {
    for (const Scenario& scenario : scenarios) {
        if (scenario.name.find(stage().only) == std::string::npos) continue;
        try {
            attack(scenario);
        } catch (const std::exception& broken) {
            FAIL_CHECK(std::string{broken.what()});
        }
    }
}

}  // namespace

TEST_CASE("glitch: purchases (docs/card_commands.md, 6)") {
    run(purchase_scenarios());
}
TEST_CASE("glitch: load, unload, overdraft (docs/card_commands.md, 6)") {
    run(money_scenarios());
}
TEST_CASE("glitch: the holder's PIN (docs/card_commands.md, 5)") {
    run(holder_scenarios());
}
TEST_CASE("glitch: the issuer's commands (docs/card_commands.md, 4 and 5)") {
    run(issuer_scenarios());
}
TEST_CASE("glitch: commands that read (docs/card_commands.md, 5 and 6)") {
    run(reading_scenarios());
}
TEST_CASE("glitch: the SAM (docs/card_commands.md, 7 and 8)") {
    run(sam_scenarios());
}
TEST_CASE("glitch: the chip's life cycle (docs/card_commands.md, 3)") {
    run(chip_scenarios());
}
TEST_CASE("glitch: enough faults") {
    const Stage& on = stage();
    std::cout << "faults: " << on.trials << ", gains: " << on.gains << std::endl;
    if (on.only.empty()) CHECK(on.trials >= 150'000);
}
