#include "crypto/purse/emv.hpp"

#include "crypto/keys/emv_master.hpp"
#include "host/keys/calc/families.hpp"
#include "host/keys/calc/suite.hpp"

namespace host::keys::calc {
namespace {

using crypto::emv::Cryptogram;
using crypto::emv::TransactionCounter;
using crypto::keys::MasterOption;
using crypto::purse::PurseKey;

struct Options {
    std::string suite = "3des";
    std::string option = "a";
    std::string session = "pboc";
    std::string padding = "2";
    std::string response_key = "session";
    Value master, pan, psn, counter, data, response_code, random, status_update, proprietary;
};

Answer<PurseKey> card_key(const Options& options) {
    ONECARD_TRY(master, purse_key(options.suite, options.master));
    ONECARD_TRY(pan, options.pan.characters());
    ONECARD_TRY(psn, options.psn.characters());
    const auto factor =
        emv_factor(options.option == "b" ? MasterOption::b : MasterOption::a, view(pan), view(psn));
    if (factor) return crypto::purse::diversify(master, *factor);
    const bool pan_wrong = factor.error() == crypto::keys::AccountError::pan_wrong;
    return mistake(std::string{pan_wrong ? "--pan: " : "--psn: "} + name(factor.error()));
}

Answer<PurseKey> session_key(const Options& options, const PurseKey& card) {
    if (options.random.given() && options.session != "emv") {
        return mistake("--random belongs to --session emv");
    }
    if (options.session == "none") return card.duplicate();
    if (options.suite == "sm4" && options.session != "pboc") {
        return mistake("--session " + options.session + " is defined for 3des only");
    }
    if (options.random.given()) {
        ONECARD_TRY(r, public_array<8>(options.random));
        return crypto::emv::common_session_key(card, r);
    }
    ONECARD_TRY(bytes, public_array<2>(options.counter));
    const TransactionCounter counter{static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1])};
    if (options.session == "emv") return crypto::emv::common_session_key(card, counter);
    return options.session == "pboc" ? crypto::emv::pboc_session_key(card, counter)
                                     : crypto::emv::visa_script_key(card, counter);
}

Answer<void> add_response(const Options& options, const PurseKey& key, const Cryptogram& ac,
                          Output& output) {
    if (options.response_code.given() && options.status_update.given()) {
        return mistake("--arc (method 1) or --csu (method 2), not both");
    }
    if (options.response_code.given()) {
        ONECARD_TRY(code, public_array<2>(options.response_code));
        output.add("arpc", crypto::emv::response_cryptogram(key, ac, code));
    }
    if (options.status_update.given()) {
        ONECARD_TRY(update, public_array<4>(options.status_update));
        ONECARD_TRY(given, options.proprietary.optional_bytes(Sizes::between(0, 8)));
        const SecretBuffer proprietary = given ? std::move(*given) : SecretBuffer{};
        output.add("arpc", crypto::emv::response_mac(key, ac, update, proprietary.bytes()));
    }
    return {};
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(card, card_key(options));
    ONECARD_TRY(session, session_key(options, card));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    const auto padding =
        options.padding == "1" ? crypto::Padding::method_1 : crypto::Padding::method_2;
    const Cryptogram ac =
        crypto::emv::application_cryptogram(session, std::as_const(data).bytes(), padding);
    Output output;
    output.add("udk", card.value.bytes()).add("session_key", session.value.bytes()).add("ac", ac);
    ONECARD_CHECK(
        add_response(options, options.response_key == "udk" ? card : session, ac, output));
    return output;
}

void add_choices(Command& command, Options& options) {
    add_suite(command, options.suite, Need::optional);
    command.choice("--option", options.option, {"a", "b"},
                   "Card's key: EMV option a (if left out) or b", Need::optional);
    command.choice("--session", options.session, {"pboc", "emv", "none", "visa-script"},
                   "Session key: pboc (if left out), emv (common session key), none (the UDK "
                   "itself), visa-script",
                   Need::optional);
    command.choice("--padding", options.padding, {"1", "2"}, "Of the AC: 2 (if left out) or 1",
                   Need::optional);
    command.choice("--arpc-key", options.response_key, {"session", "udk"},
                   "ARPC under session (if left out) or udk", Need::optional);
}

}  // namespace

void add_emv(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("emv", "UDK, session key, AC and ARPC of a finance card");
    options->master.add_to(command, "--mdk", "The issuer's master key, 16 bytes");
    options->pan.add_to(command, "--pan", "Account number, decimal digits");
    options->psn.add_to(command, "--psn", "Its sequence number, two digits");
    options->counter.add_to(command, "--atc", "Transaction counter, 2 bytes", Need::optional);
    options->data.add_to(command, "--data", "What the AC covers: CDOL data, AIP, ATC, CVR");
    options->response_code.add_to(command, "--arc", "Prints ARPC method 1 for this code, 2 bytes",
                                  Need::optional);
    options->status_update.add_to(command, "--csu",
                                  "Prints ARPC method 2 for this card status update, 4 bytes",
                                  Need::optional);
    options->proprietary.add_to(command, "--proprietary", "Method 2: up to 8 bytes more",
                                Need::optional);
    options->random.add_to(command, "--random", "--session emv: R, 8 bytes, in place of the ATC",
                           Need::optional);
    add_choices(command, *options);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
