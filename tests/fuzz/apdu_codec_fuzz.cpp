// Any bytes: a command that parses, and is short, can be built again byte for byte.
#include "protocol/apdu.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const protocol::Bytes raw{data, size};
    const auto command = protocol::CommandApdu::parse(raw);
    if (!command) return 0;
    if (command->data().size() > 65535 || command->le().value_or(1) > 65536) __builtin_trap();
    if (command->is_extended() || (command->data().empty() && size > 5)) return 0;
    const auto again = protocol::make_command(command->cla(), command->ins(), command->p1(),
                                              command->p2(), command->data(), command->le());
    if (!std::ranges::equal(again.bytes(), raw)) __builtin_trap();
    return 0;
}
