#include "crypto/purse/secure_messaging.hpp"

#include "host/keys/calc/families.hpp"
#include "host/keys/calc/suite.hpp"

namespace host::keys::calc {
namespace {

using crypto::purse::Challenge;
using crypto::purse::PurseKey;

struct Options {
    std::string suite = "3des";
    std::string operation = "mac";
    Value key, challenge, header, data;
};

Answer<Challenge> challenge_of(const Options& options) {
    ONECARD_TRY(read, options.challenge.bytes({4, 8}));
    std::array<std::uint8_t, 8> eight{};  // four bytes, then zeros: docs/algorithms.md, 5
    std::ranges::copy(read.bytes(), eight.begin());
    return Challenge{eight};
}

Answer<Output> mac(const Options& options, const PurseKey& key) {
    ONECARD_TRY(challenge, challenge_of(options));
    ONECARD_TRY(given, options.data.optional_bytes(Sizes::between(0, 251)));
    const SecretBuffer data = given ? std::move(*given) : SecretBuffer{};
    ONECARD_TRY(read, options.header.bytes({4, 5}));
    crypto::purse::CommandHeader header{};
    std::ranges::copy(read.bytes(), header.begin());
    const auto lc = static_cast<std::uint8_t>(data.size() + protocol::Mac{}.size());
    if (read.size() == 5 && header[4] != lc) {
        return mistake("--header: Lc counts the data and the 4 bytes of the MAC");
    }
    header[4] = lc;
    Output output;
    return output.add("mac", secure_messaging_mac(key, challenge, header, data.bytes()));
}

Answer<Output> encipher(const Options& options, const PurseKey& key) {
    ONECARD_TRY(plain, options.data.bytes(Sizes::between(0, 255)));
    SecretBuffer out{1 + plain.size() + crypto::block_size_max};
    const auto size = crypto::purse::encipher(key, plain.bytes(), out.bytes());
    if (!size) return mistake(std::string{"--data: "} + name(size.error()));
    Output output;
    return output.add("data", std::as_const(out).bytes().first(*size));
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(key, purse_key(options.suite, options.key));
    if (options.operation == "mac") return mac(options, key);
    if (options.operation == "encipher") return encipher(options, key);
    ONECARD_TRY(challenge, challenge_of(options));
    Output output;
    return output.add("cryptogram", authentication_cryptogram(key, challenge));
}

}  // namespace

void add_secure_messaging(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add(
        "secure-messaging",
        "MAC of a card command with CLA low nibble 4, and its company (docs/algorithms.md, 5, 6)");
    add_suite(command, options->suite, Need::optional);
    command.choice("--operation", options->operation, {"mac", "encipher", "authenticate"},
                   "mac (if left out); encipher: the data of a WRITE KEY; authenticate: the "
                   "answer to a challenge",
                   Need::optional);
    options->key.add_to(command, "--key", "16 bytes");
    options->challenge.add_to(command, "--challenge", "What GET CHALLENGE answered: 4 or 8 bytes",
                              Need::optional);
    options->header.add_to(command, "--header", "CLA INS P1 P2, and Lc if you like",
                           Need::optional);
    options->data.add_to(command, "--data", "The command's data, enciphered if it is sent so",
                         Need::optional);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
