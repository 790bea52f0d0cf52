#pragma once
// The issuing state's answer to rotation and compromise. docs/rotation.md, docs/issuing.md, 4.
#include "host/keys/fleet.hpp"
#include "host/keys/fleet_view.hpp"

namespace host::keys {

class IssueFleet final : public FleetView {
public:
    explicit IssueFleet(IssueStore store) : store_{std::move(store)}, fleet_{store_} {}
    IssueFleet(const IssueFleet&) = delete;
    IssueFleet& operator=(const IssueFleet&) = delete;

    [[nodiscard]] Result<ChipCount> in_use() override;
    [[nodiscard]] Result<ChipCount> carrying(const ChipKey& key) override;
    [[nodiscard]] Result<ChipCount> ever_carried(const ChipKey& key) override;
    [[nodiscard]] Result<void> each_ever(const ChipKey& key,
                                         const std::function<void(const Carrier&)>& each) override;

private:
    IssueStore store_;
    Fleet fleet_;
};

}  // namespace host::keys
