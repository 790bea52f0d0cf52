#include "crypto/keys/key_block.hpp"

#include "crypto/random/system_random.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::keys::CheckMethod;
using crypto::keys::KeyBlockHeader;

struct WrapOptions {
    Value protection_key, header, key;
    std::string check_value;
};
struct UnwrapOptions {
    Value protection_key, block;
};

CheckMethod method_for(char algorithm) {
    return algorithm == 'A' || algorithm == '4' ? CheckMethod::cmac : CheckMethod::legacy;
}

/// The key's check value, by the method its algorithm goes with. docs/key_blocks.md, 3.
void add_check_value(Output& output, char algorithm, Bytes key) {
    const auto cipher = crypto::keys::cipher_of_key_block(algorithm);
    if (!cipher) return;
    const CheckMethod method = method_for(algorithm);
    output
        .add(
            "kcv",
            check_block(method, *cipher, key).bytes().first(crypto::keys::check_value_size(method)))
        .add_text("method", name(method));
}

Answer<void> record_check_value(const WrapOptions& options, KeyBlockHeader& header, Bytes key) {
    if (options.check_value.empty()) return {};
    const auto cipher = crypto::keys::cipher_of_key_block(header.algorithm);
    if (!cipher || !key_size_fits(*cipher, key.size())) {
        return mistake("--check-value: the algorithm has none, or --key does not fit it");
    }
    const CheckMethod method =
        options.check_value == "cmac" ? CheckMethod::cmac : CheckMethod::legacy;
    header.optional_blocks.push_back(crypto::keys::check_value_block("KC", method, *cipher, key));
    return {};
}

Answer<Output> wrap(const WrapOptions& options) {
    ONECARD_TRY(protection_key, options.protection_key.bytes({16, 24, 32}));
    ONECARD_TRY(header_text, options.header.characters());
    auto header = crypto::keys::parse_key_block_header(view(header_text));
    if (!header) return mistake(std::string{"--header: "} + name(header.error()));
    ONECARD_TRY(key, options.key.bytes(Sizes::between(1, 4096)));
    ONECARD_CHECK(record_check_value(options, *header, key.bytes()));
    auto random = crypto::SystemRandom::open();
    if (!random) return refused(std::string{"random: "} + crypto::name(random.error()));
    const auto block = wrap_key_block(protection_key.bytes(), *header, key.bytes(), *random);
    if (!block) return mistake(name(block.error()));
    Output output;
    output.add_text("block", *block);
    add_check_value(output, header->algorithm, key.bytes());
    return output;
}

Answer<Output> unwrap(const UnwrapOptions& options) {
    ONECARD_TRY(protection_key, options.protection_key.bytes({16, 24, 32}));
    ONECARD_TRY(block, options.block.characters());
    const auto opened = crypto::keys::unwrap_key_block(protection_key.bytes(), view(block));
    if (!opened) return refused(std::string{"BLOCK: "} + name(opened.error()));
    const KeyBlockHeader& header = opened->header;
    Output output;
    output.add_text("version", {header.version})
        .add_text("usage", header.usage)
        .add_text("algorithm", {header.algorithm})
        .add_text("mode", {header.mode})
        .add_text("key_version", header.key_version)
        .add_text("exportability", {header.exportability});
    for (const auto& optional : header.optional_blocks) {
        output.add_text("optional_" + optional.id, optional.data);
    }
    output.add("key", opened->key.bytes());
    add_check_value(output, header.algorithm, opened->key.bytes());
    return output;
}

}  // namespace

void add_key_block(Command& calc, Run& run) {
    Command group =
        calc.group("key-block",
                   "X9.143 (TR-31) key blocks: opens A, B, C, D and 4, makes B, D and 4 "
                   "(docs/key_blocks.md)");

    const auto wrapping = std::make_shared<WrapOptions>();
    Command wrap_command = group.add("wrap", "Make a key block");
    wrapping->protection_key.add_to(wrap_command, "--kbpk", "Key block protection key");
    wrapping->header.add_to(wrap_command, "--header",
                            "16 characters, such as D0000P0AE00E0000 (the length is filled in), "
                            "and optional blocks");
    wrapping->key.add_to(wrap_command, "--key", "The key to wrap");
    wrap_command.choice("--check-value", wrapping->check_value, {"legacy", "cmac"},
                        "Record the key's check value in a KC block, by this method",
                        Need::optional);
    run_when_chosen(wrap_command, run, [wrapping] { return wrap(*wrapping); });

    const auto unwrapping = std::make_shared<UnwrapOptions>();
    Command unwrap_command = group.add("unwrap", "Check and open a key block");
    unwrapping->protection_key.add_to(unwrap_command, "--kbpk", "Key block protection key");
    unwrapping->block.add_to(unwrap_command, "block", "The block's text");
    run_when_chosen(unwrap_command, run, [unwrapping] { return unwrap(*unwrapping); });
}

}  // namespace host::keys::calc
