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

/// The issuer's word about a chip, inside the caller's transaction: on the list, or off again.
/// False: it was said before, or a later one was.
[[nodiscard]] bool take_notice(store::Store& store, const store::NoticeRow& notice);
/// Inside the caller's transaction: the next list, when a SAM waits for one. In force now, or with
/// a later list that waits already. docs/issuing.md, 2.
[[nodiscard]] std::expected<std::optional<store::HotListRow>, Refused> publish_waiting_sams(
    store::Store& store, const City& city, const Keys& keys, const protocol::DateTime& now);

/// A list of everything, in force from `effective`.
[[nodiscard]] std::expected<store::HotListRow, Refused> publish(store::Store& store,
                                                                const City& city, const Keys& keys,
                                                                const protocol::DateTime& effective,
                                                                const protocol::DateTime& now);

}  // namespace host::hot_list
