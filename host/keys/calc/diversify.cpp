#include "host/keys/calc/families.hpp"
#include "host/keys/calc/suite.hpp"

namespace host::keys::calc {
namespace {

using crypto::purse::Factor;

struct Options {
    std::string suite;
    Value key;
    std::vector<std::string> factors;
};

Answer<Factor> factor_of(const std::string& text) {
    ONECARD_TRY(read, resolve("--factor", text));
    ONECARD_TRY(bytes, bytes_of_hex("--factor", read.bytes(), {8}));
    std::array<std::uint8_t, 8> factor{};
    std::ranges::copy(bytes.bytes(), factor.begin());
    return Factor{factor};
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(key, purse_key(options.suite, options.key));
    Output output;
    for (std::size_t level = 1; level <= options.factors.size(); ++level) {
        ONECARD_TRY(factor, factor_of(options.factors[level - 1]));
        key = crypto::purse::diversify(key, factor);
        const bool last = level == options.factors.size();
        output.add(last ? "key" : "level_" + std::to_string(level), key.value.bytes());
    }
    return output;
}

}  // namespace

void add_diversify(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command =
        calc.add("diversify", "A city's or card's key from its parent (docs/algorithms.md, 2)");
    add_suite(command, options->suite, Need::required);
    options->key.add_to(command, "--key", "The parent's 16 bytes");
    command.list("--factor", options->factors,
                 "8 bytes; repeat for more levels, the issuer's first", Need::required);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
