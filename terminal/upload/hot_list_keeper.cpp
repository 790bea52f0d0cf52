#include "terminal/upload/hot_list_keeper.hpp"

namespace terminal {

using protocol::HotKind;
using protocol::HotListView;
using protocol::ListSequence;

const char* name(HotListRefusal refusal) {
    switch (refusal) {
        case HotListRefusal::hot_list_malformed: return "hot_list_malformed";
        case HotListRefusal::hot_list_other_mark: return "hot_list_other_mark";
        case HotListRefusal::hot_list_other_city: return "hot_list_other_city";
        case HotListRefusal::hot_list_signature_wrong: return "hot_list_signature_wrong";
        case HotListRefusal::hot_list_older: return "hot_list_older";
        case HotListRefusal::journal_failed: return "journal_failed";
    }
    return "unknown";
}

auto HotListKeeper::check(std::vector<std::uint8_t> file) const
    -> std::expected<HeldList, HotListRefusal> {
    const auto view = HotListView::parse(file);
    if (!view) return std::unexpected{HotListRefusal::hot_list_malformed};
    if (view->header().mark != publisher_.mark) {
        return std::unexpected{HotListRefusal::hot_list_other_mark};
    }
    if (view->header().city != publisher_.city) {
        return std::unexpected{HotListRefusal::hot_list_other_city};
    }
    if (!crypto::sm2::verify(publisher_.key, crypto::sm2::default_id, view->signed_bytes(),
                             view->signature())) {
        return std::unexpected{HotListRefusal::hot_list_signature_wrong};
    }
    // Moving the vector keeps its bytes where the view refers to them.
    return std::make_shared<const Held>(Held{std::move(file), *view});
}

Stored<void> HotListKeeper::load() {
    ONECARD_TRY(stored, journal_.hot_lists());
    const std::lock_guard lock{mutex_};
    for (auto& list : stored) {
        if (auto held = check(std::move(list.file))) held_.push_back(*held);
    }
    return {};
}

std::expected<ListSequence, HotListRefusal> HotListKeeper::offer(std::vector<std::uint8_t> file) {
    ONECARD_TRY(held, check(std::move(file)));
    const auto& header = held->view.header();
    if (header.sequence <= newest()) return std::unexpected{HotListRefusal::hot_list_older};
    if (!journal_.keep_hot_list({header.sequence, header.effective, held->file})) {
        return std::unexpected{HotListRefusal::journal_failed};
    }
    const ListSequence sequence = header.sequence;
    {
        const std::lock_guard lock{mutex_};
        held_.push_back(held);
    }
    if (const HeldList current = list_in_force()) {
        forget_before(current->view.header().sequence);
    }
    return sequence;
}

void HotListKeeper::forget_before(ListSequence sequence) {
    {
        const std::lock_guard lock{mutex_};
        std::erase_if(
            held_, [&](const HeldList& list) { return list->view.header().sequence < sequence; });
    }
    // An older list that could not be dropped only costs space.
    (void)journal_.drop_hot_lists_before(sequence);
}

auto HotListKeeper::list_in_force() const -> HeldList {
    const DateTime now = clock_.now();
    const std::lock_guard lock{mutex_};
    HeldList found;
    for (const HeldList& list : held_) {
        if (list->view.header().effective <= now) found = list;
    }
    return found;
}

ListSequence HotListKeeper::sequence_in_force() const {
    const HeldList list = list_in_force();
    return list ? list->view.header().sequence : ListSequence{};
}

std::size_t HotListKeeper::held() const {
    const std::lock_guard lock{mutex_};
    return held_.size();
}

ListSequence HotListKeeper::newest() const {
    const std::lock_guard lock{mutex_};
    return held_.empty() ? ListSequence{} : held_.back()->view.header().sequence;
}

bool HotListKeeper::listed(HotKind kind, const std::array<std::uint8_t, 10>& number,
                           const DateTime& when) const {
    const HeldList list = list_in_force();
    if (!list) return false;
    const auto entry = list->view.find(kind, number);
    return entry && entry->since <= when;
}

bool HotListKeeper::lists(const CardNumber& card, const DateTime& when) const {
    return listed(HotKind::card, card.value(), when);
}
bool HotListKeeper::lists_sam(const protocol::SamNumber& sam, const DateTime& when) const {
    return listed(HotKind::sam, sam.value(), when);
}

}  // namespace terminal
