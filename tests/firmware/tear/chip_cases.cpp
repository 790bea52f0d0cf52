// Personalisation, and the SAM. docs/card_commands.md, 3, 7 and 8.
#include "tests/firmware/tear/cases.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::tear {

using crypto::purse::PersonalisationSession;
using protocol::KeyIndex;
using protocol::KeyUsage;

namespace {

[[nodiscard]] std::array<std::uint8_t, 8> challenge_of(Chip& chip) {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), out.begin());
    return out;
}

[[nodiscard]] Chip blank_card(Suite suite) {
    Chip chip{"card", 1, chip_pages};
    chip.manufacture(card_serial, suite);
    return chip;
}
/// A chip whose personalisation stopped after `count` commands.
[[nodiscard]] Chip begun_card(Suite suite, std::size_t count) {
    Chip chip = blank_card(suite);
    const auto script = transit_card_script(challenge_of(chip), card_serial, suite);
    for (std::size_t i = 0; i < count; ++i) chip.must(script[i]);
    chip.power_on();
    return chip;
}
// Commands of the script before these.
constexpr std::size_t until_files = 3, until_public_info = 23, until_rail_record = 25,
                      until_activation = 26;

/// Opens a session again; in the transit application, if it exists.
[[nodiscard]] PersonalisationSession resume(Chip& chip, Suite suite, bool in_application) {
    if (in_application) chip.must(protocol::select_file(protocol::transit_application));
    PersonalisationSession session{
        crypto::purse::transport_key(transport_master(suite), card_serial), challenge_of(chip)};
    chip.must(session.authenticate());
    return session;
}

/// Torn personalisation is begun again from the top, and ends in a card that pays.
[[nodiscard]] std::function<void(Chip&)> personalise(Suite suite) {
    return [suite](Chip& chip) {
        for (const auto& command : transit_card_script(challenge_of(chip), card_serial, suite)) {
            chip.must(command);
        }
        chip.must(protocol::select_by_name(protocol::transit_aid));
        chip.must(protocol::verify_pin(first_pin));
    };
}

const Command wrong_cryptogram = hex("00820000 08 0000000000000000");

struct Personalising {
    Suite suite;
    std::vector<Case>* out;

    Case& add(const char* name, std::size_t count, std::function<Command(Chip&)> prepare) const {
        Case tested;
        tested.name = named(name, suite);
        tested.make = [with = suite, count] { return begun_card(with, count); };
        tested.prepare = std::move(prepare);
        tested.looks = {hex("80CADF200B"),     hex("00A40000023F00"),
                        hex("00A40000023F01"), hex("00B0950000"),
                        hex("00B0970000"),     hex("00B201D400"),
                        hex("00200000"),       hex("00880001 08 0102030405060708 08"),
                        hex("805C030204")};
        tested.next = personalise(suite);
        // The transport key's tries. It is gone from an active card: then nothing is read here.
        tested.probe = {{bytes_of(protocol::get_challenge_8()), wrong_cryptogram}, 0, 1};
        out->push_back(std::move(tested));
        return out->back();
    }
    /// A command in a session that is opened anew, in the transit application.
    template <class Protect>
    Case& add_protected(const char* name, std::size_t count, Protect protect) const {
        return add(name, count, [with = suite, protect](Chip& chip) {
            auto session = resume(chip, with, true);
            return bytes_of(protect(session));
        });
    }
};

/// Opening a session, or failing to.
void add_opening(const Personalising& making) {
    const Suite suite = making.suite;
    making.add("EXTERNAL AUTHENTICATE with the transport key", 0, [suite](Chip& chip) {
        const PersonalisationSession session{
            crypto::purse::transport_key(transport_master(suite), card_serial), challenge_of(chip)};
        return bytes_of(session.authenticate());
    });
    const auto wrong = [](Chip& chip) {
        (void)challenge_of(chip);
        return wrong_cryptogram;
    };
    making.add("EXTERNAL AUTHENTICATE of a blank chip, wrong", 0, wrong).replays = false;
    Case& last = making.add("EXTERNAL AUTHENTICATE of a blank chip, the last", 0, wrong);
    last.make = [suite, wrong] {
        Chip chip = blank_card(suite);
        for (unsigned i = 1; i < 10; ++i) (void)chip.send(wrong(chip));
        chip.power_on();
        return chip;
    };
    last.replays = false;
    last.next = [](Chip& chip) { chip.must(protocol::get_chip_info()); };  // it is dead
}

/// ERASE of what one commit holds, and of more: between two commits it may stop.
void add_erase(const Personalising& making) {
    const Suite suite = making.suite;
    const auto erase = [suite](Chip& chip) {
        auto session = resume(chip, suite, false);
        return bytes_of(session.protect(protocol::erase_command()));
    };
    making.add("ERASE", until_activation, erase);
    if (suite != Suite::sm4) return;  // much to cut, and no cipher in it
    Case& much = making.add("ERASE in more than one commit", until_activation, erase);
    much.make = [suite] {
        Chip chip = begun_card(suite, until_activation);
        auto session = resume(chip, suite, true);
        constexpr protocol::FileIdentifier identifier{0x0001};
        const auto small_records = hex("2E 01 00 00 AA 0001");
        chip.must(session.protect(protocol::create_file_command(identifier, small_records)));
        for (unsigned i = 0; i < 170; ++i) {
            const std::array<std::uint8_t, 1> record{static_cast<std::uint8_t>(i)};
            chip.must(session.protect(protocol::append_record_command(1, record)));
        }
        chip.power_on();
        return chip;
    };
    much.is_in_steps = true;
}

void add_building(const Personalising& making) {
    const Suite suite = making.suite;
    making.add("CREATE FILE, DF", until_files, [suite](Chip& chip) {
        auto session = resume(chip, suite, false);
        const protocol::ApplicationDefinition application{protocol::ApplicationKind::transit_purse,
                                                          protocol::transit_aid};
        const auto data = application.data();
        return bytes_of(
            session.protect(protocol::create_file_command(protocol::transit_application, data)));
    });
    making.add_protected("CREATE FILE, EF", until_files + 1, [](PersonalisationSession& session) {
        const auto data = protocol::transit_files[0].data();
        return session.protect(
            protocol::create_file_command(protocol::transit_files[0].identifier, data));
    });
    making.add_protected(
        "WRITE KEY in the session", until_files + 1, [suite](PersonalisationSession& session) {
            return session.write_key(KeyUsage::internal_authentication, KeyIndex{1}, key_version,
                                     card_key(KeyUsage::internal_authentication, suite));
        });
    making.add_protected(
        "WRITE KEY of a PIN in the session", until_files + 1,
        [](PersonalisationSession& session) { return session.write_pin(first_pin); });
    making.add_protected(
        "UPDATE BINARY in the session", until_public_info, [](PersonalisationSession& session) {
            constexpr std::array<std::uint8_t, 30> content{1, 2, 3, 4, 5, 6, 7};
            return session.protect(
                protocol::write_binary_command(protocol::sfi_public_info, 0, content));
        });
    making.add_protected("APPEND RECORD in the session", until_rail_record,
                         [](PersonalisationSession& session) {
                             return session.protect(protocol::append_record_command(
                                 protocol::sfi_journey, protocol::blank_rail_record()));
                         });
}

}  // namespace

std::vector<Case> personalisation_cases(Suite suite) {
    std::vector<Case> out;
    out.reserve(32);  // add() hands out references
    const Personalising making{suite, &out};
    add_opening(making);
    add_erase(making);
    add_building(making);
    Case& activate = making.add_protected(
        "ACTIVATE", until_activation,
        [](PersonalisationSession& session) { return session.activate(card_serial).command; });
    activate.next = [](Chip& chip) {
        select_transit(chip);
        chip.must(protocol::verify_pin(first_pin));
    };
    return out;
}

namespace {

[[nodiscard]] protocol::ShortCommand init_sam(Suite suite = Suite::sm4) {
    return protocol::init_sam_for_purchase({{1, 2, 3, 4},
                                            protocol::OfflineCounter{7},
                                            protocol::Money::from_fen(5),
                                            protocol::TransactionType::purchase,
                                            noon(),
                                            key_version,
                                            suite,
                                            protocol::card_factor(card_number),
                                            issuer.value()});
}

void select_sam(Chip& sam) {
    sam.must(protocol::select_by_name(protocol::sam_aid));
}

[[nodiscard]] std::uint32_t number_of(Bytes answer) {
    const auto parsed = protocol::SamPurchaseAnswer::parse(answer.first(answer.size() - 2));
    if (!parsed) throw Violation{"INIT SAM answers " + to_hex(answer)};
    return parsed->sequence.value();
}

/// `given`: how many numbers this session has given out before the cut.
[[nodiscard]] Case sam_init(const char* name, Suite suite, unsigned given) {
    Case out;
    out.name = named(name, suite);
    constexpr std::uint32_t given_before = 1;
    out.make = [suite] {
        Chip sam = issued_sam(1, suite, chip_pages);
        sam.must(init_sam(suite));
        sam.power_on();
        return sam;
    };
    out.prepare = [suite, given](Chip& sam) {
        select_sam(sam);
        for (unsigned i = 0; i < given; ++i) sam.must(init_sam(suite));
        return bytes_of(init_sam(suite));
    };
    out.looks = {hex("80CADF200B"), bytes_of(protocol::select_by_name(protocol::sam_aid)),
                 hex("00B0960006"), hex("00B0970019")};
    out.next = [suite](Chip& sam) {
        select_sam(sam);
        sam.must(init_sam(suite));
    };
    out.replays = false;
    // A number that left, before the reset or in this session, never comes back.
    const std::uint32_t last = given == 0 ? given_before : 32 + given;
    out.judge = [suite, last](const std::function<Bytes(Bytes)>& send) {
        (void)send(protocol::select_by_name(protocol::sam_aid));
        const std::uint32_t next = number_of(send(init_sam(suite)));
        if (next <= last || next > last + 96) {
            throw Violation{"the SAM's next number is " + std::to_string(next)};
        }
        if (number_of(send(init_sam(suite))) != next + 1) throw Violation{"a number is left out"};
    };
    return out;
}

// ---- What changes a SAM for longer than a number -----------------------------------------------

const Command select_sam_command = bytes_of(protocol::select_by_name(protocol::sam_aid));

[[nodiscard]] std::vector<Command> sam_looks() {
    return {hex("80CADF200B"), select_sam_command, hex("00B0960006"), hex("00B0970019"),
            hex("80CADF200B")};
}
[[nodiscard]] Command prepare_lock(Suite suite) {
    std::vector<std::uint8_t> factors;
    std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
    std::ranges::copy(issuer.value(), std::back_inserter(factors));
    return bytes_of(protocol::make_command(0x80, 0x1A, protocol::delegated_lock_limit,
                                           counted_lock_index(suite), factors));
}
const Command compute_lock = hex("80FA0500 10 0102030405060708 841E000004800000 04");

/// Uses the key up: as many computations succeed as were left.
[[nodiscard]] std::vector<Command> use_up(Suite suite) {
    std::vector<Command> out;
    for (unsigned i = 0; i <= counted_uses.value(); ++i) {
        out.push_back(prepare_lock(suite));
        out.push_back(compute_lock);
    }
    return out;
}
/// A wrong MAC under this command's key, until 6983.
[[nodiscard]] Probe wrong_sam_mac(std::string_view header) {
    return {{select_sam_command, hex("0084000004"), hex(std::string{header} + "04 00000000")}};
}
void init_once(Chip& sam) {
    select_sam(sam);
    sam.must(init_sam());
}

struct SamMaking {
    Suite suite;
    std::vector<Case>* out;

    Case& add(
        const char* name, std::function<Command(Chip&)> command,
        std::function<void(Chip&)> before = [](Chip&) {}) const {
        Case tested;
        tested.name = named(name, suite);
        tested.make = [with = suite, before = std::move(before)] {
            Chip sam = issued_sam(1, with, chip_pages);
            before(sam);
            sam.power_on();
            return sam;
        };
        tested.prepare = [command = std::move(command)](Chip& sam) {
            select_sam(sam);
            return command(sam);
        };
        tested.looks = sam_looks();
        tested.next = init_once;
        out->push_back(std::move(tested));
        return out->back();
    }
    [[nodiscard]] Command managed(Chip& sam, KeyUsage usage,
                                  const std::array<std::uint8_t, 4>& header) const {
        return bytes_of(protect(sam, card_key(usage, suite), {header, {}}));
    }
    /// WRITE KEY, with uses if it is a delegated key.
    [[nodiscard]] Command new_key(Chip& sam, KeyUsage usage, std::uint8_t index,
                                  KeyUsage value) const {
        const bool is_delegated = usage == KeyUsage::sam_delegated_mac;
        std::vector<std::uint8_t> text{
            0x02, static_cast<std::uint8_t>(suite), 0x00,
            is_delegated ? protocol::delegated_lock_limit : std::uint8_t{0}};
        const auto fresh = master_key(value, suite);
        std::ranges::copy(fresh.value.bytes(), std::back_inserter(text));
        if (is_delegated) text.insert(text.end(), {0x00, 0x02});
        return bytes_of(
            write_key(sam, card_key(KeyUsage::control, suite), usage, KeyIndex{index}, text));
    }
};

void use_up_all(Chip& sam, Suite suite) {
    select_sam(sam);
    for (unsigned i = 0; i < counted_uses.value(); ++i) {
        sam.must(prepare_lock(suite));
        sam.must(compute_lock);
    }
}

/// The uses of a delegated key: taken, and renewed.
void add_uses(const SamMaking& making) {
    const Suite suite = making.suite;
    const auto compute = [suite](Chip& sam) {
        sam.must(prepare_lock(suite));
        return compute_lock;
    };
    making.add("80 FA of a counted key", compute).trials = use_up(suite);
    making
        .add("80 FA of a counted key, the last use", compute,
             [suite](Chip& sam) {
                 select_sam(sam);
                 for (unsigned i = 1; i < counted_uses.value(); ++i) {
                     sam.must(prepare_lock(suite));
                     sam.must(compute_lock);
                 }
             })
        .trials = use_up(suite);
    Case& renewed = making.add(
        "WRITE KEY renews the uses",
        [making](Chip& sam) {
            return making.new_key(sam, KeyUsage::sam_delegated_mac,
                                  counted_lock_index(making.suite), KeyUsage::application_lock);
        },
        [suite](Chip& sam) { use_up_all(sam, suite); });
    renewed.trials = use_up(suite);
    renewed.probe = wrong_sam_mac("84D42500");
}

/// Its keys, its terminal number, its blocks.
void add_sam_management(const SamMaking& making) {
    const Suite suite = making.suite;
    const std::uint8_t index = suite == Suite::sm4 ? 0 : 1;
    protocol::SamPurchaseData of_new_key{{1, 2, 3, 4},
                                         protocol::OfflineCounter{7},
                                         protocol::Money::from_fen(5),
                                         protocol::TransactionType::purchase,
                                         noon(),
                                         protocol::KeyVersion{2},
                                         suite,
                                         protocol::card_factor(card_number),
                                         issuer.value()};
    const Command init_new = bytes_of(protocol::init_sam_for_purchase(of_new_key));
    of_new_key.key_version = key_version;
    const Command init_old = bytes_of(protocol::init_sam_for_purchase(of_new_key));
    Case& loads = making.add("WRITE KEY of a SAM", [making, index](Chip& sam) {
        return making.new_key(sam, KeyUsage::sam_purchase, index, KeyUsage::load);
    });
    loads.trials = {init_old, init_new};
    loads.probe = wrong_sam_mac("84D42100");
    loads.next = [init_new](Chip& sam) {
        select_sam(sam);
        sam.must(init_new);
    };
    Case& moves = making.add("UPDATE BINARY of a SAM's terminal number", [suite](Chip& sam) {
        sam.must(protocol::select_file(protocol::master_file));
        constexpr std::array<std::uint8_t, 6> other{9, 9, 9, 9, 9, 9};
        return bytes_of(
            protect(sam, sam_master_file_key(suite),
                    protocol::write_binary_command(protocol::sam_sfi_terminal, 0, other)));
    });
    moves.probe = {{bytes_of(protocol::select_file(protocol::master_file)), hex("0084000004"),
                    hex("04D69600 04 00000000")}};
    const auto blocks = [making](std::uint8_t for_good) {
        return [making, for_good](Chip& sam) {
            return making.managed(sam, KeyUsage::application_lock, {0x84, 0x1E, 0, for_good});
        };
    };
    const auto unblock = [making](Chip& sam) {
        return making.managed(sam, KeyUsage::application_unlock, {0x84, 0x18, 0, 0});
    };
    const auto only_select = [](Chip& sam) { (void)sam.send(select_sam_command); };
    Case& block = making.add("APPLICATION BLOCK of a SAM", blocks(0));
    block.trials = {bytes_of(init_sam()), prepare_lock(suite)};
    block.probe = wrong_sam_mac("841E0000");
    block.next = [unblock](Chip& sam) {
        (void)sam.send(select_sam_command);
        sam.must(unblock(sam));
        init_once(sam);
    };
    Case& for_good = making.add("APPLICATION BLOCK of a SAM for good", blocks(1));
    for_good.trials = block.trials;
    for_good.probe = block.probe;
    for_good.next = only_select;
    Case& frees = making.add("APPLICATION UNBLOCK of a SAM", unblock, [blocks](Chip& sam) {
        select_sam(sam);
        sam.must(blocks(0)(sam));
    });
    frees.prepare = [unblock, only_select](Chip& sam) {
        only_select(sam);
        return unblock(sam);
    };
    frees.trials = block.trials;
    frees.probe = wrong_sam_mac("84180000");
}

}  // namespace

std::vector<Case> sam_cases(Suite suite) {
    std::vector<Case> out;
    out.reserve(16);  // add() hands out references
    out.push_back(sam_init("INIT SAM FOR PURCHASE, first of a session", suite, 0));
    out.push_back(sam_init("INIT SAM FOR PURCHASE, a block is used up", suite, 32));
    const SamMaking making{suite, &out};
    add_uses(making);
    add_sam_management(making);
    return out;
}

}  // namespace tests::tear
