#include "crypto/keys/ibm3624.hpp"

#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

struct Options {
    Value key, validation, table, offset;
};

std::string text_of(const SecretBuffer& characters) {
    const Bytes bytes = characters.bytes();
    return {bytes.begin(), bytes.end()};
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(key, options.key.bytes({16, 24}));
    ONECARD_TRY(validation, options.validation.array<8>());
    ONECARD_TRY(table, options.table.characters());
    std::string offset = "0000";
    if (options.offset.given()) {
        ONECARD_TRY(given, options.offset.characters());
        offset = text_of(given);
    }
    std::array<std::uint8_t, 8> data{};
    std::ranges::copy(validation.bytes(), data.begin());
    const auto pin = crypto::keys::ibm3624_pin(key.bytes(), data, text_of(table), offset);
    if (!pin) {
        const bool of_table = pin.error() == crypto::keys::Ibm3624Error::table_wrong;
        return mistake(std::string{of_table ? "--table: " : "--offset: "} + name(pin.error()));
    }
    Output output;
    return output.add_text("pin", text_of(*pin));
}

}  // namespace

void add_ibm3624(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("ibm3624", "A PIN by the IBM 3624 method");
    options->key.add_to(command, "--key", "PIN verification key, 16 or 24 bytes");
    options->validation.add_to(command, "--validation", "Validation data, 8 bytes");
    options->table.add_to(command, "--table", "Decimalisation table, 16 digits");
    options->offset.add_to(command, "--offset", "Offset, as long as the PIN; 0000 if left out",
                           Need::optional);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
