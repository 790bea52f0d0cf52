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

/// A chip whose personalisation stopped after `count` commands.
[[nodiscard]] Chip begun_card(std::size_t count) {
    Chip chip{"card"};
    chip.manufacture(card_serial);
    const auto script = transit_card_script(challenge_of(chip), card_serial, Suite::sm4);
    for (std::size_t i = 0; i < count; ++i) chip.must(script[i]);
    chip.power_on();
    return chip;
}
constexpr std::size_t until_files = 3, until_all_but_activation = 26;

/// Opens a session again; in the transit application, if it exists.
[[nodiscard]] PersonalisationSession resume(Chip& chip, bool in_application) {
    if (in_application) chip.must(protocol::select_file(protocol::transit_application));
    PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
        challenge_of(chip)};
    chip.must(session.authenticate());
    return session;
}

/// Torn personalisation is begun again from the top, and ends in a card that pays.
void personalise(Chip& chip) {
    for (const auto& command : transit_card_script(challenge_of(chip), card_serial, Suite::sm4)) {
        chip.must(command);
    }
    chip.must(protocol::select_by_name(protocol::transit_aid));
    chip.must(protocol::verify_pin(first_pin));
}

[[nodiscard]] std::vector<Command> begun_looks() {
    return {hex("80CADF200B"),     hex("00A40000023F00"),
            hex("00A40000023F01"), hex("00B0950000"),
            hex("00B0970000"),     hex("00B201D400"),
            hex("00200000"),       hex("00880001 08 0102030405060708 08"),
            hex("805C030204")};
}

[[nodiscard]] Case begun(const char* name, std::size_t count,
                         std::function<Command(Chip&)> prepare) {
    Case out;
    out.name = name;
    out.make = [count] { return begun_card(count); };
    out.prepare = std::move(prepare);
    out.looks = begun_looks();
    out.next = personalise;
    return out;
}

}  // namespace

std::vector<Case> personalisation_cases() {
    std::vector<Case> out;
    out.push_back(begun("EXTERNAL AUTHENTICATE with the transport key", 0, [](Chip& chip) {
        const PersonalisationSession session{
            crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
            challenge_of(chip)};
        return bytes_of(session.authenticate());
    }));
    out.push_back(begun("CREATE FILE, DF", until_files, [](Chip& chip) {
        auto session = resume(chip, false);
        const protocol::ApplicationDefinition application{protocol::ApplicationKind::transit_purse,
                                                          protocol::transit_aid};
        const auto data = application.data();
        return bytes_of(
            session.protect(protocol::create_file_command(protocol::transit_application, data)));
    }));
    out.push_back(begun("CREATE FILE, EF", until_files + 1, [](Chip& chip) {
        auto session = resume(chip, true);
        const auto data = protocol::transit_files[0].data();
        return bytes_of(session.protect(
            protocol::create_file_command(protocol::transit_files[0].identifier, data)));
    }));
    out.push_back(begun("WRITE KEY in the session", until_files + 1, [](Chip& chip) {
        auto session = resume(chip, true);
        return bytes_of(session.write_key(KeyUsage::internal_authentication, KeyIndex{1},
                                          key_version,
                                          card_key(KeyUsage::internal_authentication, Suite::sm4)));
    }));
    out.push_back(begun("WRITE KEY of a PIN in the session", until_files + 1, [](Chip& chip) {
        auto session = resume(chip, true);
        return bytes_of(session.write_pin(first_pin));
    }));
    Case activate = begun("ACTIVATE", until_all_but_activation, [](Chip& chip) {
        auto session = resume(chip, true);
        return bytes_of(session.activate(card_serial).command);
    });
    activate.next = [](Chip& chip) {
        select_transit(chip);
        chip.must(protocol::verify_pin(first_pin));
    };
    out.push_back(std::move(activate));
    return out;
}

namespace {

[[nodiscard]] protocol::ShortCommand init_sam() {
    return protocol::init_sam_for_purchase({{1, 2, 3, 4},
                                            protocol::OfflineCounter{7},
                                            protocol::Money::from_fen(5),
                                            protocol::TransactionType::purchase,
                                            noon(),
                                            key_version,
                                            Suite::sm4,
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
[[nodiscard]] Case sam_init(const char* name, unsigned given) {
    Case out;
    out.name = name;
    constexpr std::uint32_t given_before = 1;
    out.make = [] {
        Chip sam = issued_sam();
        sam.must(init_sam());
        sam.power_on();
        return sam;
    };
    out.prepare = [given](Chip& sam) {
        select_sam(sam);
        for (unsigned i = 0; i < given; ++i) sam.must(init_sam());
        return bytes_of(init_sam());
    };
    out.looks = {hex("80CADF200B"), bytes_of(protocol::select_by_name(protocol::sam_aid)),
                 hex("00B0960006"), hex("00B0970019")};
    out.next = [](Chip& sam) {
        select_sam(sam);
        sam.must(init_sam());
    };
    out.replays = false;
    // A number that left, before the reset or in this session, never comes back.
    const std::uint32_t last = given == 0 ? given_before : 32 + given;
    out.judge = [last](const std::function<Bytes(Bytes)>& send) {
        (void)send(protocol::select_by_name(protocol::sam_aid));
        const std::uint32_t next = number_of(send(init_sam()));
        if (next <= last || next > last + 96) {
            throw Violation{"the SAM's next number is " + std::to_string(next)};
        }
        if (number_of(send(init_sam())) != next + 1) throw Violation{"a number is left out"};
    };
    return out;
}

}  // namespace

std::vector<Case> sam_cases() {
    std::vector<Case> out;
    out.push_back(sam_init("INIT SAM FOR PURCHASE, first of a session", 0));
    out.push_back(sam_init("INIT SAM FOR PURCHASE, a block is used up", 32));
    return out;
}

}  // namespace tests::tear
