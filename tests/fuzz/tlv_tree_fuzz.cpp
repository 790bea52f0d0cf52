// Any bytes as a tree of data objects: a tree whose objects lie inside the input and in order, or a
// place inside it; text and JSON of bounded depth.
#include "host/keys/calc/tlv_tree.hpp"

namespace {

using namespace host::keys::calc;

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void walk(const std::vector<TlvNode>& nodes, std::size_t begin, std::size_t end,
          std::size_t depth) {
    require(depth <= tlv_depth_max);
    for (const TlvNode& node : nodes) {
        require(node.offset >= begin && node.offset < end);
        require(node.value.size() < end - node.offset);
        begin = node.offset + 1;
        walk(node.children, begin, end, depth + 1);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto tree = parse_tlv_tree({data, size});
    if (!tree) {
        require(tree.error().offset < size);
        return 0;
    }
    walk(*tree, 0, size, 0);
    require(tree->empty() == tlv_text(*tree).empty());
    require(!tlv_json(*tree).empty());
    return 0;
}
