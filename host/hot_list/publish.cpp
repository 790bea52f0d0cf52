#include "host/hot_list/publish.hpp"

#include "host/store/decide.hpp"

namespace host::hot_list {
namespace {

using protocol::HotListHeader;
using store::FileBytes;
using store::HotListRow;

std::unexpected<Refused> refuse(HotListRefusal why, std::string detail) {
    return std::unexpected{Refused{why, std::move(detail)}};
}

FileBytes unsigned_file(const HotListHeader& header, const std::vector<store::HotRow>& rows) {
    FileBytes out;
    const auto append = [&](protocol::Bytes bytes) {
        out.insert(out.end(), bytes.begin(), bytes.end());
    };
    out.reserve(HotListHeader::size + rows.size() * protocol::HotEntry::size +
                protocol::signature_size);
    append(header.bytes());
    for (const store::HotRow& row : rows) append(row.entry.bytes());
    return out;
}

std::expected<HotListRow, Refused> decide(store::Store& store, const City& city, const Keys& keys,
                                          const protocol::DateTime& effective,
                                          const protocol::DateTime& now) {
    const auto rows = store.all_hot();
    if (rows.size() > HotListHeader::entry_count_max) {
        return refuse(HotListRefusal::too_many_entries, "10,000,000 at most");
    }
    const auto newest = store.newest_hot_list();
    if (newest) {
        const auto view = protocol::HotListView::parse(newest->file);
        if (!view || effective < view->header().effective) {
            return refuse(HotListRefusal::effective_too_early,
                          "a list may not come into force before the one it replaces");
        }
    }
    const std::uint32_t sequence = newest ? newest->sequence.value() + 1 : 1;
    const HotListHeader header{city.mark, city.code, protocol::ListSequence{sequence},
                               effective, now,       static_cast<std::uint32_t>(rows.size())};
    FileBytes file = unsigned_file(header, rows);
    const auto signature = keys.sign_list(file);
    if (!signature) return refuse(HotListRefusal::key_failed, "SM2 signature");
    file.insert(file.end(), signature->begin(), signature->end());
    HotListRow out{header.sequence, std::move(file)};
    store.insert_hot_list(out);
    store.mark_listed(effective);
    return out;
}

}  // namespace

const char* name(HotListRefusal refusal) {
    switch (refusal) {
        case HotListRefusal::too_many_entries: return "too_many_entries";
        case HotListRefusal::effective_too_early: return "effective_too_early";
        case HotListRefusal::key_failed: return "key_failed";
        case HotListRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::expected<void, Refused> add(store::Store& store, std::span<const protocol::HotEntry> entries) {
    const auto done = store.transact([&] {
        for (const protocol::HotEntry& entry : entries) {
            const auto known = store.hot(entry.kind, entry.number);
            store.put_hot({entry, known ? known->listed_from : std::nullopt});
        }
        return store::End::commit;
    });
    if (!done) return refuse(HotListRefusal::store_failed, done.error().text);
    return {};
}

bool take_notice(store::Store& store, const store::NoticeRow& notice) {
    const auto before = store.notice(notice.kind, notice.number);
    if (before && before->line >= notice.line) return false;
    store.put_notice(notice);
    const auto known = store.hot(notice.kind, notice.number);
    if (notice.entry) {
        store.put_hot({*notice.entry, known ? known->listed_from : std::nullopt});
    } else if (known && before && before->entry && known->entry.bytes() == before->entry->bytes()) {
        store.remove_hot(notice.kind, notice.number);  // what the office made of it since stays
    }
    return true;
}

std::expected<std::optional<HotListRow>, Refused> publish_waiting_sams(
    store::Store& store, const City& city, const Keys& keys, const protocol::DateTime& now) {
    if (!store.unlisted_sam()) return std::nullopt;
    auto effective = now;
    if (const auto newest = store.newest_hot_list()) {
        const auto view = protocol::HotListView::parse(newest->file);
        if (view && effective < view->header().effective) effective = view->header().effective;
    }
    return decide(store, city, keys, effective, now);
}

std::expected<HotListRow, Refused> publish(store::Store& store, const City& city, const Keys& keys,
                                           const protocol::DateTime& effective,
                                           const protocol::DateTime& now) {
    return store::decide_in_transaction<HotListRow, Refused>(
        store, HotListRefusal::store_failed,
        [&] { return decide(store, city, keys, effective, now); });
}

}  // namespace host::hot_list
