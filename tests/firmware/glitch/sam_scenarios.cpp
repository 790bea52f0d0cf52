// The SAM, which answers to a gate what the city then pays for. docs/card_commands.md, 7 and 8.
#include <algorithm>
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

constexpr protocol::CardRandom card_random{1, 2, 3, 4};
constexpr protocol::OfflineCounter card_counter{7};
constexpr std::uint32_t price = 5;

[[nodiscard]] protocol::ShortCommand init(TransactionType type) {
    const auto amount = type == protocol::grey_lock_type ? Money{} : Money::from_fen(price);
    return protocol::init_sam_for_purchase({card_random, card_counter, amount, type, noon(),
                                            key_version, suite, protocol::card_factor(card_number),
                                            issuer.value()});
}
[[nodiscard]] crypto::purse::ProcessKey process_key(std::uint32_t number) {
    return crypto::purse::offline_process_key(card_key(KeyUsage::purchase, suite), card_random,
                                              card_counter, protocol::TerminalSequence{number});
}
[[nodiscard]] std::uint32_t number_in(Bytes answer) {
    if (answer.size() < 4) return 0;
    return static_cast<std::uint32_t>(
        protocol::read_big_endian(std::span<const std::uint8_t, 4>{answer.first(4)}));
}

// ---- Purchases ---------------------------------------------------------------------------------

[[nodiscard]] Scenario wrong_credit() {
    Scenario out;
    out.name = "CREDIT SAM, wrong MAC2";
    out.make = [] { return used_sam(); };
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        const auto key = process_key(number_in(sam.must(init(TransactionType::purchase))));
        Mac mac2 =
            crypto::purse::purse_mac(key, protocol::purchase_mac2_input(Money::from_fen(price)));
        mac2[0] ^= 0x5A;
        return bytes_of(protocol::credit_sam_for_purchase(mac2));
    };
    out.undisturbed = StatusWord::mac_wrong;
    out.judge = [](Trial& trial) {
        deny(trial.answers(StatusWord::ok), "a SAM believes a wrong MAC2");
    };
    return out;
}

/// A number that left serves once: the SAM gives out a later one after a loss of power.
[[nodiscard]] Scenario init_number() {
    Scenario out;
    out.name = "INIT SAM FOR PURCHASE";
    out.make = [] { return used_sam(); };
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        return bytes_of(init(TransactionType::purchase));
    };
    out.looks = {bytes_of(protocol::select_by_name(protocol::sam_aid)),
                 bytes_of(init(TransactionType::purchase))};
    out.judge = [](Trial& trial) {
        const auto next = trial.view().number(1, 0, 4);
        if (!next || !trial.answers(StatusWord::ok)) return;
        const std::uint32_t given = number_in(trial.answer()->data);
        const Mac mac1 = crypto::purse::purse_mac(
            process_key(given),
            protocol::purchase_mac1_input(Money::from_fen(price), TransactionType::purchase,
                                          terminal, noon()));
        deny(trial.shows(mac1) && *next <= given, "a number leaves that is not used up");
    };
    return out;
}

/// No MAC1 from a SAM that its issuer has blocked.
[[nodiscard]] Scenario blocked_init() {
    Scenario out = init_number();
    out.name = "INIT SAM FOR PURCHASE, application blocked";
    out.make = [] {
        return used_sam([](Chip& sam) {
            sam.must(tests::protect(sam, card_key(KeyUsage::application_lock, suite),
                                    {{0x84, 0x1E, 0x00, 0x00}, {}}));
        });
    };
    out.undisturbed = StatusWord::function_not_supported;
    out.looks.clear();
    out.judge = [](Trial& trial) {
        deny(trial.answers(StatusWord::ok) && trial.answer()->data.size() == 8,
             "a blocked SAM computes MAC1");
    };
    return out;
}

/// The sum of a grey lock that no card has proved.
[[nodiscard]] Scenario unproven_grey_debit() {
    const auto known = std::make_shared<Mac>();
    Scenario out;
    out.name = "SAM GREY DEBIT without CREDIT";
    out.make = [] { return used_sam(); };
    out.prepare = [known](EmulatedCard& sam) {
        select_sam(sam);
        const auto key = process_key(number_in(sam.must(init(protocol::grey_lock_type))));
        const auto amount = Money::from_fen(250);
        *known = crypto::purse::purse_mac(
            key,
            protocol::purchase_mac1_input(amount, protocol::grey_debit_type, terminal, noon()));
        return bytes_of(protocol::sam_grey_debit(amount, noon()));
    };
    out.undisturbed = StatusWord::command_not_allowed_in_state;
    out.judge = [known](Trial& trial) {
        deny(trial.shows(*known), "GMAC for a lock that is not proved");
    };
    return out;
}

// ---- Delegated keys ----------------------------------------------------------------------------

const Command lock_command = hex("80FA0500 10 0102030405060708 841E000004800000 04");
const Command other_command = hex("80FA0500 12 0102030405060708 04D6970006A7A7800000 04");

[[nodiscard]] Command prepare_key(std::uint8_t usage) {
    std::vector<std::uint8_t> factors;
    std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
    std::ranges::copy(issuer.value(), std::back_inserter(factors));
    return bytes_of(protocol::make_command(0x80, 0x1A, usage, counted_lock_index(suite), factors));
}
void use(Chip& sam, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        sam.must(prepare_key(protocol::delegated_lock_limit));
        sam.must(lock_command);
    }
}
/// What the key computes over data of 80 FA: challenge, header, the rest.
[[nodiscard]] Mac delegated_mac(const Command& command) {
    std::array<std::uint8_t, 8> challenge{};
    std::copy_n(command.begin() + 5, 8, challenge.begin());
    crypto::purse::CommandHeader header{};
    std::copy_n(command.begin() + 13, header.size(), header.begin());
    const Bytes rest = Bytes{command}.subspan(18, command[4] - 13U);
    const bool is_lock = command == lock_command;  // it brings its own padding
    return crypto::purse::secure_messaging_mac(card_key(KeyUsage::application_lock, suite),
                                               crypto::purse::Challenge{challenge}, header,
                                               is_lock ? Bytes{} : rest);
}

/// The lock key without a limit, which the SAM has as well, becomes another key: whoever got that
/// one instead has gained nothing.
void replace_unlimited_key(Chip& sam) {
    std::vector<std::uint8_t> plain{0x02, static_cast<std::uint8_t>(suite), 0x00,
                                    protocol::delegated_lock_limit};
    plain.resize(plain.size() + 16, 0x3E);
    plain.insert(plain.end(), {0x00, 0x00});
    sam.must(tests::write_key(sam, card_key(KeyUsage::control, suite), KeyUsage::sam_delegated_mac,
                              KeyIndex{0}, plain));
}

[[nodiscard]] Scenario delegated(const char* name, unsigned used, StatusWord undisturbed) {
    Scenario out;
    out.name = name;
    out.make = [used] {
        return used_sam([used](Chip& sam) {
            replace_unlimited_key(sam);
            use(sam, used);
        });
    };
    out.undisturbed = undisturbed;
    return out;
}

/// 80 1A must refuse; the 80 FA behind it is not disturbed.
[[nodiscard]] Scenario no_use_left() {
    Scenario out =
        delegated("80 1A, no use left", counted_uses.value(), StatusWord::counter_exhausted);
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        return prepare_key(protocol::delegated_lock_limit);
    };
    out.judge = [](Trial& trial) {
        const Answer answer = trial.ask(lock_command);
        deny(holds(answer.data, delegated_mac(lock_command)), "a MAC without a use");
    };
    return out;
}

[[nodiscard]] Scenario other_usage() {
    Scenario out = delegated("80 1A for another purpose", 0, StatusWord::conditions_not_satisfied);
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        return prepare_key(0x46);
    };
    out.judge = [](Trial& trial) {
        const Answer answer = trial.ask(other_command);
        deny(holds(answer.data, delegated_mac(other_command)), "a MAC over another command");
    };
    return out;
}

[[nodiscard]] Scenario last_use() {
    Scenario out = delegated("80 FA, the last use", counted_uses.value() - 1U, StatusWord::ok);
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        sam.must(prepare_key(protocol::delegated_lock_limit));
        return lock_command;
    };
    out.looks = {bytes_of(protocol::select_by_name(protocol::sam_aid)),
                 prepare_key(protocol::delegated_lock_limit)};
    out.judge = [](Trial& trial) {
        const bool has_left = trial.shows(delegated_mac(lock_command));
        deny(has_left && trial.view().status(1) == StatusWord::ok, "a MAC leaves, its use stays");
    };
    return out;
}

[[nodiscard]] Scenario other_data() {
    Scenario out = delegated("80 FA over another command", 0, StatusWord::conditions_not_satisfied);
    out.prepare = [](EmulatedCard& sam) {
        select_sam(sam);
        sam.must(prepare_key(protocol::delegated_lock_limit));
        return other_command;
    };
    out.judge = [](Trial& trial) {
        deny(trial.shows(delegated_mac(other_command)), "a MAC over another command");
    };
    return out;
}

}  // namespace

std::vector<Scenario> sam_scenarios() {
    std::vector<Scenario> out;
    out.push_back(wrong_credit());
    out.push_back(init_number());
    out.push_back(blocked_init());
    out.push_back(unproven_grey_debit());
    out.push_back(no_use_left());
    out.push_back(other_usage());
    out.push_back(last_use());
    out.push_back(other_data());
    return out;
}

}  // namespace tests::glitch
