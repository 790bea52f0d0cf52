// What the issuer's keys and the holder's PIN change. docs/card_commands.md, 4 and 5.
#include "tests/firmware/tear/cases.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::tear {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::PlainCommand;

namespace {

constexpr std::array<std::uint8_t, 3> wrong_pin{0x65, 0x43, 0x21};
constexpr std::array<std::uint8_t, 3> new_pin{0x98, 0x76, 0x54};
const Command select_command = bytes_of(protocol::select_by_name(protocol::transit_aid));

/// A wrong MAC under this command's key, until 6983.
[[nodiscard]] Probe wrong_mac(std::string_view header) {
    return {{select_command, hex("0084000004"), hex(std::string{header} + "04 00000000")}};
}
[[nodiscard]] Probe pin_query() {
    return {{select_command, hex("00200000")}};
}

[[nodiscard]] Command protected_command(Chip& card, KeyUsage usage, Suite suite,
                                        const std::array<std::uint8_t, 4>& header, Bytes data) {
    return bytes_of(protect(card, card_key(usage, suite), PlainCommand{header, data}));
}

[[nodiscard]] Command enciphered(Chip& card, KeyUsage usage, Suite suite,
                                 const std::array<std::uint8_t, 4>& header, Bytes plain) {
    std::array<std::uint8_t, 48> text{};
    const auto size = crypto::purse::encipher(card_key(usage, suite), plain, text);
    if (!size) throw std::logic_error{"the plaintext is too long"};
    return protected_command(card, usage, suite, header, Bytes{text}.first(*size));
}

/// A new load key, version 2, of the other suite.
[[nodiscard]] Command write_load_key(Chip& card, Suite suite) {
    std::vector<std::uint8_t> plain{0x02, static_cast<std::uint8_t>(suite), 0xAA, 0x00};
    const auto fresh = master_key(KeyUsage::unload, suite);
    std::ranges::copy(fresh.value.bytes(), std::back_inserter(plain));
    return enciphered(card, KeyUsage::control, suite, {0x84, 0xD4, 0x07, 0x01}, plain);
}

struct Making {
    Suite suite;
    std::vector<Case>* out;

    Case* add(const char* name, Probe probe, std::function<Command(Chip&)> command) const {
        Case tested;
        tested.name = named(name, suite);
        tested.make = [with = suite] { return used_card(with); };
        tested.prepare = [command = std::move(command)](Chip& card) {
            select_transit(card);
            return command(card);
        };
        tested.looks = card_looks();
        tested.probe = std::move(probe);
        tested.next = pay_one;
        out->push_back(std::move(tested));
        return &out->back();
    }
    /// A protected command whose MAC is wrong, behind a challenge.
    Case* add_wrong(const char* name, Probe probe, const char* command) const {
        Case* tested = add(name, std::move(probe), [command](Chip& card) {
            card.must(protocol::get_challenge_4());
            return hex(command);
        });
        tested->replays = false;
        return tested;
    }
    /// The card before, after something else was done to it.
    void after(Case* tested, std::function<void(Chip&)> done) const {
        tested->make = [with = suite, done = std::move(done)] {
            Chip card = used_card(with);
            select_transit(card);
            done(card);
            card.power_on();
            return card;
        };
    }
};

void only_select(Chip& card) {
    select_transit(card);
}

[[nodiscard]] Command lock(Chip& card, Suite suite, std::uint8_t p2) {
    return protected_command(card, KeyUsage::application_lock, suite, {0x84, 0x1E, 0, p2}, {});
}
[[nodiscard]] Command unlock(Chip& card, Suite suite) {
    return protected_command(card, KeyUsage::application_unlock, suite, {0x84, 0x18, 0, 0}, {});
}

void add_blocking(const Making& making) {
    const Suite suite = making.suite;
    const auto lock_tries = wrong_mac("841E0000");
    making
        .add("APPLICATION BLOCK", lock_tries, [suite](Chip& card) { return lock(card, suite, 0); })
        ->next = [suite](Chip& card) {
        select_transit(card);
        card.must(unlock(card, suite));
        pay_one(card);
    };
    making
        .add("APPLICATION BLOCK for good", lock_tries,
             [suite](Chip& card) { return lock(card, suite, 1); })
        ->next = only_select;
    Case* unblocks = making.add("APPLICATION UNBLOCK", wrong_mac("84180000"),
                                [suite](Chip& card) { return unlock(card, suite); });
    making.after(unblocks, [suite](Chip& card) { card.must(lock(card, suite, 0)); });
    // Once the card is blocked nothing tells its tries.
    const Probe card_tries{{bytes_of(protocol::select_file(protocol::master_file)),
                            hex("0084000004"), hex("84160000 04 00000000")}};
    Case* card_block = making.add("CARD BLOCK", card_tries, [suite](Chip& card) {
        card.must(protocol::select_file(protocol::master_file));
        return protected_command(card, KeyUsage::application_lock, suite, {0x84, 0x16, 0, 0}, {});
    });
    card_block->next = [](Chip& card) { card.must(protocol::get_chip_info()); };
    making.add_wrong("APPLICATION BLOCK with a wrong MAC", lock_tries, "841E0000 04 00000000");
    Case* wrong_unblock = making.add_wrong("APPLICATION UNBLOCK with a wrong MAC",
                                           wrong_mac("84180000"), "84180000 04 00000000");
    making.after(wrong_unblock, [suite](Chip& card) { card.must(lock(card, suite, 0)); });
    wrong_unblock->next = [suite](Chip& card) {
        select_transit(card);
        card.must(unlock(card, suite));
        pay_one(card);
    };
    Case* wrong_card = making.add("CARD BLOCK with a wrong MAC", card_tries, [](Chip& card) {
        card.must(protocol::select_file(protocol::master_file));
        card.must(protocol::get_challenge_4());
        return hex("84160000 04 00000000");
    });
    wrong_card->replays = false;
}

void add_pin(const Making& making) {
    const Suite suite = making.suite;
    const auto once_wrong = [](Chip& card) { (void)card.send(protocol::verify_pin(wrong_pin)); };
    const auto add = [&](const char* name, bool replays, auto command) {
        Case* tested = making.add(name, pin_query(), command);
        tested->looks = card_looks(false);
        tested->trials = {select_command, bytes_of(protocol::verify_pin(first_pin)),
                          bytes_of(protocol::verify_pin(new_pin))};
        tested->replays = replays;
        making.after(tested, once_wrong);
        return tested;
    };
    const auto verify_new = [](Chip& card) {
        select_transit(card);
        card.must(protocol::verify_pin(new_pin));
    };
    add("VERIFY, right", true, [](Chip&) { return bytes_of(protocol::verify_pin(first_pin)); });
    add("VERIFY, wrong", false, [](Chip&) { return bytes_of(protocol::verify_pin(wrong_pin)); });
    Case* last = add("VERIFY, wrong for the last time", false,
                     [](Chip&) { return bytes_of(protocol::verify_pin(wrong_pin)); });
    making.after(last, [&](Chip& card) {
        for (int i = 0; i < 2; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
    });
    add("CHANGE PIN", true, [](Chip&) { return hex("805E0100 07 123456 FF 987654"); })->next =
        verify_new;
    add("CHANGE PIN, wrong", false, [](Chip&) { return hex("805E0100 07 123455 FF 987654"); });
    add("RELOAD PIN", true, [suite](Chip&) {
        const auto mac =
            crypto::purse::reload_pin_mac(card_key(KeyUsage::pin_reload, suite), new_pin);
        std::vector<std::uint8_t> data{new_pin.begin(), new_pin.end()};
        data.insert(data.end(), mac.begin(), mac.end());
        return bytes_of(protocol::make_command(0x80, 0x5E, 0, 0, data));
    })->next = verify_new;
    Case* unblock = add("PIN UNBLOCK", true, [suite](Chip& card) {
        return enciphered(card, KeyUsage::pin_unblock, suite, {0x84, 0x24, 0, 0}, new_pin);
    });
    making.after(unblock, [](Chip& card) {
        for (int i = 0; i < 3; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
    });
    unblock->next = verify_new;
    // The tries of the keys that renew a PIN; the PIN itself stays as it was.
    const char* wrong_reload = "805E0000 07 987654 00000000";
    const Probe reload_tries{{select_command, hex(wrong_reload)}};
    making
        .add("RELOAD PIN with a wrong MAC", reload_tries,
             [wrong_reload](Chip&) { return hex(wrong_reload); })
        ->replays = false;
    Case* wrong_unblock = making.add_wrong("PIN UNBLOCK with a wrong MAC", wrong_mac("84240000"),
                                           "84240000 04 00000000");
    making.after(wrong_unblock, [](Chip& card) {
        for (int i = 0; i < 3; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
    });
    wrong_unblock->next = only_select;
}

void add_files(const Making& making) {
    const Suite suite = making.suite;
    const auto maintenance_tries = wrong_mac("04D69700");
    const auto write = [&](const char* name, std::array<std::uint8_t, 4> header, Command data) {
        making.add(name, maintenance_tries, [=](Chip& card) {
            return protected_command(card, KeyUsage::maintenance, suite, header, data);
        });
    };
    write("UPDATE BINARY with MAC", {0x04, 0xD6, 0x97, 5}, Command(40, 0xA7));
    auto record = journey(77);
    write("UPDATE RECORD with MAC", {0x04, 0xDC, 1, protocol::sfi_journey << 3 | 4},
          {record.begin(), record.end()});
    record[1] = 0x02;
    write("APPEND RECORD with MAC", {0x04, 0xE2, 0, protocol::sfi_journey << 3},
          {record.begin(), record.end()});
    making.add_wrong("UPDATE BINARY with a wrong MAC", maintenance_tries,
                     "04D69705 06 A7A7 00000000");
}

void add_keys(const Making& making) {
    const Suite suite = making.suite;
    Case* write = making.add("WRITE KEY", wrong_mac("84D40701"),
                             [suite](Chip& card) { return write_load_key(card, suite); });
    // The key's version shows when a load is opened.
    write->looks.push_back(bytes_of(protocol::verify_pin(first_pin)));
    write->looks.push_back(bytes_of(protocol::initialise_for_load(initialise_data(1))));
    const auto answer = [suite](Chip& card, KeyUsage usage) {
        std::array<std::uint8_t, 8> challenge{};
        std::ranges::copy(card.must(protocol::get_challenge_8()), challenge.begin());
        const auto cryptogram = crypto::purse::authentication_cryptogram(
            card_key(usage, suite), crypto::purse::Challenge{challenge});
        return bytes_of(protocol::make_command(0x00, 0x82, 0, 0, cryptogram));
    };
    making.add_wrong("WRITE KEY with a wrong MAC", wrong_mac("84D40701"),
                     "84D40701 08 0000000000000000");
    const Probe control_tries{
        {select_command, hex("0084000008"), hex("00820000 08 0000000000000000")}, 0, 1};
    Case* right = making.add("EXTERNAL AUTHENTICATE", control_tries,
                             [answer](Chip& card) { return answer(card, KeyUsage::control); });
    making.after(right, [answer](Chip& card) { (void)card.send(answer(card, KeyUsage::load)); });
    Case* wrong = making.add("EXTERNAL AUTHENTICATE, wrong", control_tries,
                             [answer](Chip& card) { return answer(card, KeyUsage::load); });
    wrong->replays = false;
}

}  // namespace

std::vector<Case> management_cases(Suite suite) {
    std::vector<Case> out;
    out.reserve(32);  // add() hands out pointers
    const Making making{suite, &out};
    add_blocking(making);
    add_pin(making);
    add_files(making);
    add_keys(making);
    return out;
}

}  // namespace tests::tear
