#include "host/keys/issue_fleet.hpp"

namespace host::keys {
namespace {

/// A released chip is scrap: it holds keys, and nobody meets it. It counts as a card, which it most
/// likely was; a drill lists it by the number of its line.
Result<ChipCount> counted(Result<KeyHolders> holders) {
    if (!holders) return std::unexpected{std::move(holders).error()};
    return ChipCount{holders->cards + holders->scrap, holders->sams};
}

}  // namespace

Result<ChipCount> IssueFleet::in_use() {
    return counted(fleet_.count_in_use());
}

Result<ChipCount> IssueFleet::carrying(const ChipKey& key) {
    return counted(
        fleet_.count_by_key(key.use, key.suite, key.version, Holding::in_use, key.national));
}

Result<ChipCount> IssueFleet::ever_carried(const ChipKey& key) {
    return counted(
        fleet_.count_by_key(key.use, key.suite, key.version, Holding::ever, key.national));
}

Result<void> IssueFleet::each_ever(const ChipKey& key,
                                   const std::function<void(const Carrier&)>& each) {
    return fleet_.each_with_key(
        key.use, key.suite, key.version,
        [&](const FleetChip& chip) {
            each({chip.kind, chip.number, chip.scrap ? "scrap" : name(chip.state)});
        },
        Holding::ever, key.national);
}

}  // namespace host::keys
