// The holder's PIN, and the rights of a session. docs/card_commands.md, 5.
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/purse_looks.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

constexpr TriedKey pin_key{KeyUsage::pin, protocol::administrative_key_index};
const Command select_command = bytes_of(protocol::select_by_name(protocol::transit_aid));

/// What the PIN guards.
void deny_right(Trial& trial) {
    const Answer opened = trial.ask(protocol::initialise_for_load(initialise_data(1)));
    deny(opened.ok(), "a load is opened without the PIN");
}

void lose_pin_tries(Chip& card, unsigned count) {
    for (unsigned i = 0; i < count; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
}

[[nodiscard]] Scenario verify(const char* name, unsigned tries_before, Bytes pin,
                              StatusWord undisturbed) {
    Scenario out;
    out.name = name;
    out.make = [tries_before] {
        return used_card([=](Chip& card) { lose_pin_tries(card, pin_tries - tries_before); });
    };
    const Command command = bytes_of(protocol::verify_pin(pin));
    out.prepare = [command](EmulatedCard& card) {
        select_transit(card);
        return command;
    };
    out.undisturbed = undisturbed;
    out.tried = pin_key;
    out.guesses = [] { return guesses(bytes_of(protocol::verify_pin(long_pin)), 5, 6); };
    out.judge = [tries_before](Trial& trial) {
        deny_free_guess(trial, trial.view(), tries_before);
        deny_right(trial);
    };
    return out;
}

/// An earlier right must not outlive a wrong PIN.
[[nodiscard]] Scenario verify_again() {
    Scenario out = verify("VERIFY, wrong after right", pin_tries, wrong_pin,
                          protocol::tries_left(pin_tries - 1));
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        card.must(protocol::verify_pin(long_pin));
        return bytes_of(protocol::verify_pin(wrong_pin));
    };
    out.guesses = {};
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(after.tries > pin_tries, "a try is given back");
        // A command that never began its comparison takes nothing away.
        if (after.tries < pin_tries) deny_right(trial);
    };
    return out;
}

[[nodiscard]] Command change_pin(Bytes old) {
    Command out = hex("805E0100 0D");
    out.insert(out.end(), old.begin(), old.end());
    out.push_back(0xFF);
    out.insert(out.end(), new_pin.begin(), new_pin.end());
    return out;
}

/// Whether the new PIN, or none but the old, opens the card afterwards.
[[nodiscard]] bool is_changed(const View& after) {
    return after.status(1) == StatusWord::ok;
}

[[nodiscard]] Scenario wrong_change() {
    Scenario out;
    out.name = "CHANGE PIN, wrong old PIN";
    out.make = [] { return used_card(); };
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        return change_pin(wrong_pin);
    };
    out.undisturbed = protocol::tries_left(pin_tries - 1);
    out.looks = {select_command, bytes_of(protocol::verify_pin(new_pin))};
    out.tried = pin_key;
    out.guesses = [] { return guesses(change_pin(long_pin), 5, 6); };
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(is_changed(after), "a wrong PIN changes the PIN");
        deny_free_guess(trial, after, pin_tries);
    };
    return out;
}

[[nodiscard]] Scenario right_change() {
    Scenario out;
    out.name = "CHANGE PIN, right";
    out.make = [] { return used_card(); };
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        return change_pin(long_pin);
    };
    out.looks = {select_command, bytes_of(protocol::verify_pin(new_pin)),
                 bytes_of(protocol::verify_pin(long_pin))};
    out.knows_pin = true;
    out.judge = [](Trial& trial) {
        const bool is_old = trial.view().status(2) == StatusWord::ok;
        deny(trial.answers(StatusWord::ok) && is_old, "9000, and the PIN is the old one");
    };
    return out;
}

[[nodiscard]] Scenario wrong_reload() {
    Scenario out;
    out.name = "RELOAD PIN, wrong MAC";
    out.make = [] { return used_card(); };
    const auto reload = [] {
        const auto mac =
            crypto::purse::reload_pin_mac(card_key(KeyUsage::pin_reload, suite), new_pin);
        std::vector<std::uint8_t> data{new_pin.begin(), new_pin.end()};
        data.insert(data.end(), mac.begin(), mac.end());
        return bytes_of(protocol::make_command(0x80, 0x5E, 0, 0, data));
    };
    out.prepare = [reload](EmulatedCard& card) {
        select_transit(card);
        return with_wrong_mac(reload());
    };
    out.undisturbed = StatusWord::secure_messaging_wrong;
    out.looks = {select_command, bytes_of(protocol::verify_pin(new_pin))};
    out.tried = TriedKey{KeyUsage::pin_reload, protocol::administrative_key_index};
    out.guesses = [reload] { return mac_guesses(reload()); };
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(is_changed(after), "a wrong MAC changes the PIN");
        deny_free_guess(trial, after, all_tries);
    };
    return out;
}

[[nodiscard]] Scenario wrong_unblock() {
    const auto known = std::make_shared<Command>();
    Scenario out;
    out.name = "PIN UNBLOCK, wrong MAC";
    out.make = [] { return used_card([](Chip& card) { lose_pin_tries(card, pin_tries); }); };
    out.prepare = [known](EmulatedCard& card) {
        select_transit(card);
        *known = protect_enciphered(card, card_key(KeyUsage::pin_unblock, suite),
                                    {0x84, 0x24, 0x00, 0x00}, new_pin);
        return with_wrong_mac(*known);
    };
    out.undisturbed = StatusWord::secure_messaging_wrong;
    out.looks = {select_command, bytes_of(protocol::verify_pin(new_pin)),
                 bytes_of(protocol::verify_pin(long_pin))};
    out.tried = TriedKey{KeyUsage::pin_unblock, protocol::administrative_key_index};
    out.guesses = [known] { return mac_guesses(*known); };
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(is_changed(after) || after.status(2) == StatusWord::ok, "a wrong MAC frees the PIN");
        deny_free_guess(trial, after, all_tries);
    };
    return out;
}

}  // namespace

std::vector<Scenario> holder_scenarios() {
    std::vector<Scenario> out;
    out.push_back(
        verify("VERIFY, wrong", pin_tries, wrong_pin, protocol::tries_left(pin_tries - 1)));
    out.push_back(verify("VERIFY, wrong for the last time", 1, wrong_pin, protocol::tries_left(0)));
    out.push_back(
        verify("VERIFY, right without a try", 0, long_pin, StatusWord::authentication_blocked));
    out.back().guesses = {};
    out.back().knows_pin = true;
    out.push_back(verify_again());
    out.push_back(wrong_change());
    out.push_back(right_change());
    out.push_back(wrong_reload());
    out.push_back(wrong_unblock());
    return out;
}

}  // namespace tests::glitch
