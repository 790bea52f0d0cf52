// The chip's life cycle: what only personalisation may do. docs/card_commands.md, 3.
#include <algorithm>
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/purse_looks.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

[[nodiscard]] std::vector<std::uint8_t> blank_chip() {
    Chip chip{"blank"};
    chip.manufacture(card_serial, suite);
    return memory_of(chip);
}

/// Whoever has no transport key opens no session: the right session's next command is refused.
[[nodiscard]] Scenario wrong_transport_key() {
    const auto challenge = std::make_shared<std::array<std::uint8_t, 8>>();
    const auto session = [challenge] {
        return crypto::purse::PersonalisationSession{
            crypto::purse::transport_key(transport_master(suite), card_serial), *challenge};
    };
    Scenario out;
    out.name = "EXTERNAL AUTHENTICATE of a blank chip, wrong cryptogram";
    out.make = blank_chip;
    out.prepare = [challenge, session](EmulatedCard& chip) {
        *challenge = challenge_of(chip);
        return with_wrong_mac(bytes_of(session().authenticate()));
    };
    out.undisturbed = protocol::tries_left(all_tries - 1);
    out.judge = [session](Trial& trial) {
        auto opened = session();
        deny(trial.ask(opened.protect(protocol::erase_command())).ok(),
             "a session without the transport key");
    };
    return out;
}

/// An active card with its money, and a command that would take it apart.
[[nodiscard]] Scenario on_active_card(const char* name, const Command& command) {
    Scenario out;
    out.name = name;
    out.make = [] { return used_card(); };
    out.prepare = [command](EmulatedCard& card) {
        select_transit(card);
        return command;
    };
    out.undisturbed = StatusWord::conditions_not_satisfied;
    out.looks = purse_looks();
    out.looks.push_back(hex("00A40000023F02"));
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        if (after.is_mute) return;
        deny_changed_purse(after);
        deny(!purse_balance(after), "the purse is gone");
        deny(after.status(after.answers.size() - 1) == StatusWord::ok, "a file is made");
    };
    return out;
}

}  // namespace

std::vector<Scenario> chip_scenarios() {
    std::vector<Scenario> out;
    out.push_back(wrong_transport_key());
    out.push_back(on_active_card("ERASE of an active card", hex("840E0000 04 00000000")));
    out.push_back(on_active_card("CREATE FILE on an active card",
                                 hex("84E03F02 0B 38 01 A000000001 00000000")));
    return out;
}

}  // namespace tests::glitch
