// Any bytes: a list that is accepted finds every one of its entries, and nothing beside them.
#include "protocol/hot_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto list = protocol::HotListView::parse({data, size});
    if (!list) return 0;
    for (std::size_t i = 0; i < list->header().entry_count; ++i) {
        const auto entry = list->entry(i);
        const auto found = list->find(entry.kind, entry.number);
        if (!found || found->bytes() != entry.bytes()) __builtin_trap();
    }
    return 0;
}
