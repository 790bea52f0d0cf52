// What the issuer's keys change, and what must not change without them. docs/card_commands.md, 4
// and 5.
#include <algorithm>
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/purse_looks.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

using Header = std::array<std::uint8_t, 4>;
const Command select_command = bytes_of(protocol::select_by_name(protocol::transit_aid));

constexpr Header update_management{0x04, 0xD6, 0x97, 0x05};
constexpr Header block{0x84, 0x1E, 0x00, 0x00}, unblock{0x84, 0x18, 0x00, 0x00};
constexpr Header block_the_card{0x84, 0x16, 0x00, 0x00};
constexpr Header write_load_key{0x84, 0xD4, 0x07, 0x01};

void block_application(Chip& card) {
    card.must(tests::protect(card, card_key(KeyUsage::application_lock, suite), {block, {}}));
}

/// A command under one of the card's keys.
struct Managed {
    const char* name;
    KeyUsage usage;
    Header header;
    std::vector<std::uint8_t> plain;
    bool is_enciphered = false;
    More before = {};

    [[nodiscard]] Command make(EmulatedCard& card) const {
        select_transit(card);
        const auto key = card_key(usage, suite);
        return is_enciphered ? protect_enciphered(card, key, header, plain)
                             : protect(card, key, {header, plain});
    }
};

[[nodiscard]] Managed update() {
    return {"UPDATE BINARY", KeyUsage::maintenance, update_management,
            std::vector<std::uint8_t>(20, 0xA7)};
}
[[nodiscard]] Managed write_key() {
    // version, suite, tries, limit, value: a key that the attacker knows.
    std::vector<std::uint8_t> plain{0x02, static_cast<std::uint8_t>(suite), 0xAA, 0x00};
    plain.resize(plain.size() + 16, 0x5C);
    return {"WRITE KEY", KeyUsage::control, write_load_key, std::move(plain), true};
}
[[nodiscard]] Managed unblock_application() {
    return {"APPLICATION UNBLOCK", KeyUsage::application_unlock, unblock, {}, false,
            block_application};
}

/// After a loss of power: SELECT, the file, and INITIALIZE FOR LOAD, which tells the key's version.
[[nodiscard]] std::vector<Command> issuer_looks() {
    return {select_command, hex("00B0970000"), bytes_of(protocol::verify_pin(long_pin)),
            bytes_of(protocol::initialise_for_load(initialise_data(1)))};
}
[[nodiscard]] bool is_updated(const View& view) {
    return view.answers.size() > 1 && holds(view.answers[1].data, hex("A7A7A7A7"));
}
/// The new key's version; the old one's is 1.
[[nodiscard]] std::optional<std::uint32_t> load_key_version(const View& view) {
    return view.number(3, 6, 1);
}
[[nodiscard]] bool is_blocked(const View& view) {
    return view.status(0) != StatusWord::ok;
}

[[nodiscard]] Scenario wrong(const Managed& managed, std::function<bool(const View&)> is_done) {
    const auto known = std::make_shared<Command>();
    Scenario out;
    out.name = std::string{managed.name} + ", wrong MAC";
    out.make = [managed] { return used_card(managed.before); };
    out.prepare = [known, managed](EmulatedCard& card) {
        *known = managed.make(card);
        return with_wrong_mac(*known);
    };
    out.undisturbed = StatusWord::secure_messaging_wrong;
    out.looks = issuer_looks();
    out.tried = TriedKey{managed.usage, protocol::administrative_key_index};
    out.guesses = [known] { return mac_guesses(*known); };
    out.judge = [is_done = std::move(is_done)](Trial& trial) {
        const View& after = trial.view();
        deny(!after.is_mute && is_done(after), "done under a wrong MAC");
        deny_free_guess(trial, after, all_tries);
    };
    return out;
}

/// 9000 says that it is done, and for good.
[[nodiscard]] Scenario right(const Managed& managed, std::function<bool(const View&)> is_undone) {
    Scenario out;
    out.name = std::string{managed.name} + ", right MAC";
    out.make = [managed] { return used_card(managed.before); };
    out.prepare = [managed](EmulatedCard& card) { return managed.make(card); };
    out.looks = issuer_looks();
    out.judge = [is_undone = std::move(is_undone)](Trial& trial) {
        const View& after = trial.view();
        deny(trial.answers(StatusWord::ok) && !after.is_mute && is_undone(after),
             "9000, and it is not done");
    };
    return out;
}

/// The file wants a MAC, and there is none.
[[nodiscard]] Scenario plain_update() {
    Scenario out = wrong(update(), is_updated);
    out.name = "UPDATE BINARY without its MAC";
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        return hex("00D69705 14 A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7A7");
    };
    out.undisturbed = StatusWord::secure_messaging_missing;
    out.tried.reset();
    out.guesses = {};
    out.judge = [](Trial& trial) { deny(is_updated(trial.view()), "written without a MAC"); };
    return out;
}

/// Nobody writes the log: a record with a MAC that is right.
[[nodiscard]] Scenario forged_log() {
    Scenario out;
    out.name = "APPEND RECORD to the log";
    out.make = [] { return used_card(); };
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        return protect(card, card_key(KeyUsage::maintenance, suite),
                       {{0x04, 0xE2, 0x00, protocol::sfi_log << 3},
                        hex("A7A7A7A7A7A7A7A7A7A7A7A7"
                            "A7A7A7A7A7A7A7A7A7A7A7")});
    };
    out.undisturbed = StatusWord::security_status_not_satisfied;
    out.looks = {select_command, hex("00B201C400")};
    out.judge = [](Trial& trial) { deny(is_updated(trial.view()), "the log is forged"); };
    return out;
}

[[nodiscard]] Scenario blocks_card() {
    const auto known = std::make_shared<Command>();
    Scenario out;
    out.name = "CARD BLOCK, right MAC";
    out.make = [] { return used_card(); };
    out.prepare = [](EmulatedCard& card) {
        card.must(protocol::select_file(protocol::master_file));
        return protect(card, card_key(KeyUsage::application_lock, suite), {block_the_card, {}});
    };
    out.looks = issuer_looks();
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(trial.answers(StatusWord::ok) && after.status(0) == StatusWord::ok,
             "9000, and the card is not blocked");
    };
    return out;
}

// ---- EXTERNAL AUTHENTICATE ---------------------------------------------------------------------

const std::vector<std::uint8_t> guarded = hex("6B9D2E41F07C8A53B1E4D62F90857A3C");

/// A chip whose only file is read by whoever holds the control key.
[[nodiscard]] std::vector<std::uint8_t> guarded_chip() {
    Chip chip{"guarded"};
    chip.manufacture(card_serial, suite);
    std::array<std::uint8_t, 8> challenge{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), challenge.begin());
    crypto::purse::PersonalisationSession session{
        crypto::purse::transport_key(transport_master(suite), card_serial), challenge};
    chip.must(session.authenticate());
    chip.must(session.protect(protocol::erase_command()));
    const protocol::ApplicationDefinition application{protocol::ApplicationKind::none,
                                                      protocol::transit_aid};
    chip.must(session.protect(
        protocol::create_file_command(protocol::transit_application, application.data())));
    const protocol::FileDefinition file{protocol::FileIdentifier{0x0015},
                                        protocol::FileType::transparent,
                                        1,
                                        protocol::Access::control_key,
                                        protocol::Access::nobody,
                                        1,
                                        static_cast<std::uint16_t>(guarded.size())};
    const auto definition = file.data();
    chip.must(session.protect(protocol::create_file_command(file.identifier, definition)));
    chip.must(session.protect(protocol::write_binary_command(1, 0, guarded)));
    chip.must(session.write_key(KeyUsage::control, KeyIndex{0}, key_version,
                                card_key(KeyUsage::control, suite)));
    chip.must(session.activate(card_serial).command);
    return memory_of(chip);
}

[[nodiscard]] Scenario wrong_cryptogram() {
    const auto known = std::make_shared<Command>();
    Scenario out;
    out.name = "EXTERNAL AUTHENTICATE, wrong cryptogram";
    out.make = guarded_chip;
    out.prepare = [known](EmulatedCard& card) {
        select_transit(card);
        const auto challenge = challenge_of(card);
        *known = bytes_of(protocol::make_command(
            0x00, 0x82, 0, 0,
            crypto::purse::authentication_cryptogram(card_key(KeyUsage::control, suite),
                                                     crypto::purse::Challenge{challenge})));
        return with_wrong_mac(*known);
    };
    out.undisturbed = protocol::tries_left(all_tries - 1);
    out.tried = TriedKey{KeyUsage::control, KeyIndex{0}};
    out.guesses = [known] { return mac_guesses(*known); };
    out.judge = [](Trial& trial) {
        deny_free_guess(trial, trial.view(), all_tries);
        deny(holds(trial.ask(hex("00B0810000")).data, guarded), "a right without its key");
    };
    return out;
}

[[nodiscard]] Scenario unproven_read() {
    Scenario out;
    out.name = "READ BINARY without its right";
    out.make = guarded_chip;
    out.prepare = [](EmulatedCard& card) {
        select_transit(card);
        return hex("00B0810000");
    };
    out.undisturbed = StatusWord::security_status_not_satisfied;
    out.judge = [](Trial& trial) {
        deny(trial.shows(Bytes{guarded}.first(8)) || trial.shows(Bytes{guarded}.last(8)),
             "a file is read without its right");
    };
    return out;
}

}  // namespace

std::vector<Scenario> issuer_scenarios() {
    const auto has_new_key = [](const View& view) { return load_key_version(view) == 2; };
    const auto has_old_key = [](const View& view) { return load_key_version(view) == 1; };
    std::vector<Scenario> out;
    out.push_back(wrong(update(), is_updated));
    out.push_back(plain_update());
    out.push_back(forged_log());
    out.push_back(wrong(unblock_application(), [](const View& view) { return !is_blocked(view); }));
    out.push_back(wrong(write_key(), has_new_key));
    out.push_back(right(write_key(), has_old_key));
    out.push_back(right({"APPLICATION BLOCK", KeyUsage::application_lock, block, {}},
                        [](const View& view) { return !is_blocked(view); }));
    out.push_back(blocks_card());
    out.push_back(wrong_cryptogram());
    out.push_back(unproven_read());
    return out;
}

}  // namespace tests::glitch
