// Load, unload and the overdraft: what the issuer's host answers for. domain.md 1.2, 1.6.
#include <memory>

#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/purse_looks.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

constexpr std::uint32_t sum = 900;

using Known = std::shared_ptr<Online>;

void verify(EmulatedCard& card) {
    select_transit(card);
    card.must(protocol::verify_pin(long_pin));
}

[[nodiscard]] Scenario load_base(const char* name, const Known& known, bool is_wrong) {
    Scenario out;
    out.name = name;
    out.make = [] { return used_card(); };
    out.prepare = [known, is_wrong](EmulatedCard& card) {
        verify(card);
        *known = load_of(card.must(protocol::initialise_for_load(initialise_data(sum))), sum);
        return is_wrong ? with_wrong_mac(known->command) : known->command;
    };
    out.looks = purse_looks();
    return out;
}

[[nodiscard]] Scenario unload_base(const char* name, const Known& known, bool is_wrong) {
    Scenario out = load_base(name, known, is_wrong);
    out.prepare = [known, is_wrong](EmulatedCard& card) {
        verify(card);
        *known = unload_of(card.must(protocol::initialise_for_unload(initialise_data(sum))), sum);
        return is_wrong ? with_wrong_mac(known->command) : known->command;
    };
    return out;
}

/// What both wrong answers of a host must leave: the purse as it was, a try gone, no certificate.
void refuse(Scenario& scenario, const Known& known, KeyUsage usage) {
    scenario.undisturbed = StatusWord::mac_wrong;
    scenario.tried = TriedKey{usage, KeyIndex{1}};
    scenario.guesses = [known] { return mac_guesses(known->command); };
    scenario.judge = [known](Trial& trial) {
        deny(trial.shows(known->certificate), "certifies what a wrong MAC2 asked for");
        const View& after = trial.view();
        deny_free_guess(trial, after, all_tries);
        deny_changed_purse(after);
    };
}

[[nodiscard]] Scenario right_load() {
    const Known known = std::make_shared<Online>();
    Scenario out = load_base("CREDIT FOR LOAD, right MAC2", known, false);
    out.judge = [](Trial& trial) {
        const auto now = purse_balance(trial.view());
        deny(now && *now > used_balance + sum, "more is loaded than was paid");
    };
    return out;
}

[[nodiscard]] Scenario right_unload() {
    const Known known = std::make_shared<Online>();
    Scenario out = unload_base("DEBIT FOR UNLOAD, right MAC2", known, false);
    out.judge = [known](Trial& trial) {
        const bool is_certified = trial.shows(known->certificate);
        const auto now = purse_balance(trial.view());
        if (!now) return;
        deny(*now > used_balance, "the balance has risen");
        deny(is_certified && *now != used_balance - sum,
             "MAC3 leaves, and the money is still there");
    };
    return out;
}

/// A limit of the issuer's own, with a MAC2 that is not.
[[nodiscard]] Scenario wrong_limit() {
    Scenario out;
    out.name = "UPDATE OVERDRAW LIMIT, wrong MAC2";
    out.make = [] { return used_card(); };
    out.prepare = [](EmulatedCard& card) {
        verify(card);
        card.must(protocol::initialise_for_update(KeyIndex{1}, terminal));
        return bytes_of(protocol::update_overdraw_limit({5'000, noon(), {1, 2, 3, 4}}));
    };
    out.undisturbed = StatusWord::mac_wrong;
    out.looks = purse_looks();
    out.tried = TriedKey{KeyUsage::overdraft, KeyIndex{1}};
    out.judge = [](Trial& trial) {
        const View& after = trial.view();
        deny(after.tries > all_tries, "a try is given back");
        const auto limit = purse_limit(after);
        deny(limit && *limit != 0, "the overdraft has a limit");
        deny_changed_purse(after);
    };
    return out;
}

}  // namespace

std::vector<Scenario> money_scenarios() {
    const Known load = std::make_shared<Online>(), unload = std::make_shared<Online>();
    std::vector<Scenario> out;
    out.push_back(load_base("CREDIT FOR LOAD, wrong MAC2", load, true));
    refuse(out.back(), load, KeyUsage::load);
    out.push_back(right_load());
    out.push_back(unload_base("DEBIT FOR UNLOAD, wrong MAC2", unload, true));
    refuse(out.back(), unload, KeyUsage::unload);
    out.push_back(right_unload());
    out.push_back(wrong_limit());
    return out;
}

}  // namespace tests::glitch
