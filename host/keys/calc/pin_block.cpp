#include "crypto/keys/pin_block.hpp"

#include "crypto/core/block_cipher.hpp"
#include "host/keys/calc/chosen_random.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::Cipher;
using crypto::keys::PinBlockError;
using crypto::keys::PinFormat;

struct Options {
    std::string format;
    Value pin, pan, key, random, block;
};

/// The option that a refusal is about.
std::unexpected<Complaint> wrong(PinBlockError error) {
    switch (error) {
        case PinBlockError::pin_wrong: return mistake("--pin: 4 to 12 digits expected");
        case PinBlockError::pan_wrong: return mistake("--pan: 13 to 19 digits expected");
        case PinBlockError::key_wrong: return mistake("--key: 16, 24 or 32 bytes expected");
        default: return refused(std::string{"--block: "} + name(error));
    }
}

PinFormat format_of(const Options& options) {
    return static_cast<PinFormat>(options.format[0] - '0');
}

/// The PAN, where the format mixes it in.
Answer<SecretBuffer> pan_of(const Options& options) {
    const bool needed = options.format == "0" || options.format == "3" || options.format == "4";
    if (!needed && !options.pan.given()) return SecretBuffer{};
    return options.pan.characters();
}

Answer<Output> make_format_4(const Options& options, std::string_view pin, std::string_view pan,
                             crypto::Random& random) {
    const auto pin_field = crypto::keys::make_pin_field(pin, random);
    if (!pin_field) return wrong(pin_field.error());
    const auto pan_field = crypto::keys::make_pan_field(pan);
    if (!pan_field) return wrong(pan_field.error());
    Output output;
    output.add("pin_field", pin_field->bytes()).add("pan_field", pan_field->bytes());
    if (!options.key.given()) return output;
    ONECARD_TRY(key, options.key.bytes({16, 24, 32}));
    const auto block = crypto::keys::encipher_pin_field(key.bytes(), *pin_field, *pan_field);
    if (!block) return wrong(block.error());
    return output.add("encrypted", block->bytes());
}

Answer<Output> make(const Options& options) {
    ONECARD_TRY(pin, options.pin.characters());
    ONECARD_TRY(pan, pan_of(options));
    ONECARD_TRY(given, options.random.optional_bytes(Sizes::between(1, 16)));
    ONECARD_TRY(random, ChosenRandom::make(std::move(given)));
    random.use_given();
    if (options.format == "4") return make_format_4(options, view(pin), view(pan), random);
    auto block = crypto::keys::make_pin_block(format_of(options), view(pin), view(pan), random);
    if (!block) return wrong(block.error());
    Output output;
    output.add("pin_block", block->bytes());
    if (!options.key.given()) return output;
    ONECARD_TRY(key, options.key.bytes({16, 24}));
    crypto::BlockEncryptor{Cipher::triple_des, key.bytes()}.encrypt(block->bytes());
    return output.add("encrypted", block->bytes());
}

Answer<Output> read(const Options& options) {
    if (options.pin.given()) return mistake("--pin makes a block, --block reads one: not both");
    ONECARD_TRY(pan, pan_of(options));
    ONECARD_TRY(block, options.block.bytes({options.format == "4" ? 16U : 8U}));
    if (options.format == "4") {
        ONECARD_TRY(key, options.key.bytes({16, 24, 32}));
        const auto pin = crypto::keys::read_format_4(key.bytes(), block.bytes(), view(pan));
        if (!pin) return wrong(pin.error());
        Output output;
        return output.add_text("pin", std::string{view(*pin)});
    }
    if (options.key.given()) {
        ONECARD_TRY(key, options.key.bytes({16, 24}));
        crypto::BlockDecryptor{Cipher::triple_des, key.bytes()}.decrypt(block.bytes());
    }
    const auto pin = crypto::keys::read_pin_block(format_of(options), block.bytes(), view(pan));
    if (!pin) return wrong(pin.error());
    Output output;
    return output.add_text("pin", std::string{view(*pin)});
}

}  // namespace

void add_pin_block(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("pin-block", "ISO 9564-1 PIN blocks, made or read (--block)");
    command.choice("--format", options->format, {"0", "1", "2", "3", "4"},
                   "0, 1, 2 (in card commands), 3 or 4 (AES)", Need::required);
    options->pin.add_to(command, "--pin", "4 to 12 digits", Need::optional);
    options->pan.add_to(command, "--pan", "Account number, with its check digit: 0, 3 and 4",
                        Need::optional);
    options->key.add_to(command, "--key", "Enciphers, or deciphers: 3DES; format 4: AES",
                        Need::optional);
    options->random.add_to(command, "--random", "Fixes the filler, to repeat an example",
                           Need::optional);
    options->block.add_to(command, "--block", "Read this block", Need::optional);
    run_when_chosen(command, run,
                    [options] { return options->block.given() ? read(*options) : make(*options); });
}

}  // namespace host::keys::calc
