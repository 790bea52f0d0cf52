#pragma once
// The issuing state's answer to rotation and compromise. docs/rotation.md, docs/issuing.md, 4.
#include "host/keys/city_register.hpp"
#include "host/keys/fleet.hpp"
#include "host/keys/fleet_view.hpp"
#include "host/keys/founding.hpp"

namespace host::keys {

/// This city deployed the issuer whose store that is: by its log, with id, role and audit key.
/// `fleet_unknown`, and why not.
[[nodiscard]] Result<void> check_issuer(const City& city, const crypto::keys::StoreIdentity& owner);

class IssueFleet final : public FleetView {
public:
    /// The state in `file`, believed only when its log is whole, vouches for every row, and is that
    /// of an issuer's store which `city` deployed; and when it still has the head that the city
    /// wrote down at the last rotation. `fleet_unknown`, with what is wrong. Answers stay those of
    /// this moment.
    [[nodiscard]] static Result<std::unique_ptr<IssueFleet>> open(const std::filesystem::path& file,
                                                                  const City& city,
                                                                  const platform::Clock& clock);
    IssueFleet(const IssueFleet&) = delete;
    IssueFleet& operator=(const IssueFleet&) = delete;

    [[nodiscard]] Result<ChipCount> in_use() override;
    [[nodiscard]] Result<ChipCount> carrying(const ChipKey& key) override;
    [[nodiscard]] Result<ChipCount> ever_carried(const ChipKey& key) override;
    [[nodiscard]] Result<void> each_ever(const ChipKey& key,
                                         const std::function<void(const Carrier&)>& each) override;

    [[nodiscard]] const StateWitness& witness() const { return witness_; }

private:
    explicit IssueFleet(IssueStore store) : store_{std::move(store)}, fleet_{store_} {}
    [[nodiscard]] Result<void> verify(const std::filesystem::path& file, const City& city);
    IssueStore store_;
    Fleet fleet_;
    StateWitness witness_;
};

}  // namespace host::keys
