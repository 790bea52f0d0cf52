#include "crypto/keys/ibm3624.hpp"

#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

struct Options {
    Value key, validation, table, offset;
};

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(key, options.key.bytes({16, 24}));
    ONECARD_TRY(validation, public_array<8>(options.validation));
    ONECARD_TRY(table, options.table.characters());
    std::string offset = "0000";
    if (options.offset.given()) {
        ONECARD_TRY(given, options.offset.characters());
        offset = view(given);
    }
    const auto pin = crypto::keys::ibm3624_pin(key.bytes(), validation, view(table), offset);
    if (!pin) {
        const bool of_table = pin.error() == crypto::keys::Ibm3624Error::table_wrong;
        return mistake(std::string{of_table ? "--table: " : "--offset: "} + name(pin.error()));
    }
    Output output;
    return output.add_text("pin", std::string{view(*pin)});
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
