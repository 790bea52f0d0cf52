#include "crypto/core/sm3.hpp"
#include "crypto/keys/sha.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

struct Options {
    std::string algorithm;
    Value data;
};

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    const Bytes bytes = std::as_const(data).bytes();
    Output output;
    if (options.algorithm == "sm3") return output.add("digest", crypto::sm3(bytes));
    if (options.algorithm == "sha1") return output.add("digest", crypto::keys::sha1(bytes));
    return output.add("digest", crypto::keys::sha256(bytes));
}

}  // namespace

void add_digest(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("digest", "SM3, SHA-1, SHA-256");
    command.choice("--algorithm", options->algorithm, {"sm3", "sha1", "sha256"}, "Which",
                   Need::required);
    options->data.add_to(command, "--data", "The message");
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
