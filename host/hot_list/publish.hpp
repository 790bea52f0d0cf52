#pragma once
// The city's hot list: entries are added, then published as one signed file with the next sequence.
// docs/hot_list.md.
#include "host/service/city.hpp"
#include "host/store/store.hpp"

namespace host::hot_list {

enum class HotListRefusal : std::uint8_t {  // In the order they are checked.
    too_many_entries,
    effective_too_early,  ///< before the list that is in force: time goes forward
    key_failed,
    store_failed,
};
[[nodiscard]] const char* name(HotListRefusal refusal);
struct Refused {
    HotListRefusal why;
    std::string detail;
};

/// Adds or changes entries; they bind nobody before they are published.
[[nodiscard]] std::expected<void, Refused> add(store::Store& store,
                                               std::span<const protocol::HotEntry> entries);

/// A list of everything, in force from `effective`.
[[nodiscard]] std::expected<store::HotListRow, Refused> publish(store::Store& store,
                                                                const City& city, const Keys& keys,
                                                                const protocol::DateTime& effective,
                                                                const protocol::DateTime& now);

}  // namespace host::hot_list
