#include "crypto/keys/check_value.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::keys::CheckMethod;

struct Options {
    std::string cipher;
    std::string method;
    Value key;
};

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(cipher, cipher_named(options.cipher));
    ONECARD_TRY(key, key_for(cipher, options.key));
    const CheckMethod method = options.method == "cmac" ? CheckMethod::cmac : CheckMethod::legacy;
    const auto block = crypto::keys::check_block(method, cipher, std::as_const(key).bytes());
    Output output;
    return output.add("kcv", block.bytes().first(crypto::keys::check_value_size(method)))
        .add("block", block.bytes())
        .add_text("method", name(method));
}

}  // namespace

void add_kcv(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("kcv", "Check value of a key");
    command.choice("--cipher", options->cipher, {"3des", "des", "sm4", "aes"}, "The key's cipher",
                   Need::required);
    command.choice("--method", options->method, {"legacy", "cmac"},
                   "legacy: zero block encrypted, 3 bytes; cmac: CMAC of it, 5 bytes",
                   Need::required);
    options->key.add_to(command, "--key", "The key");
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
