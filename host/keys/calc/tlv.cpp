#include "host/keys/calc/families.hpp"
#include "host/keys/calc/tlv_tree.hpp"

namespace host::keys::calc {
namespace {

Answer<Output> compute(const Value& option) {
    ONECARD_TRY(data, option.bytes(Sizes::between(1, std::size_t{1} << 20)));
    const auto tree = parse_tlv_tree(std::as_const(data).bytes());
    if (!tree) {
        return refused("--data: byte " + std::to_string(tree.error().offset) + ": " +
                       protocol::name(tree.error().error));
    }
    Output output;
    return output.set_document(tlv_text(*tree), tlv_json(*tree));
}

}  // namespace

void add_tlv(Command& calc, Run& run) {
    const auto option = std::make_shared<Value>();
    Command command = calc.add("tlv", "A tree of data objects with the names of their tags");
    option->add_to(command, "--data,data", "The bytes");
    run_when_chosen(command, run, [option] { return compute(*option); });
}

}  // namespace host::keys::calc
