#pragma once
// A city's directory, and the nation's when a command needs it, opened from the command line.
#include "host/keys/founding.hpp"
#include "host/keys/issue_fleet.hpp"
#include "host/keys/program/context.hpp"

namespace host::keys {

class CityAccess {
public:
    /// --city-dir, --custodian, --nation-dir, --nation-custodian.
    void add_to(CLI::App& command);
    /// Each store is opened once; both stay open as long as this object.
    [[nodiscard]] Result<void> open(crypto::Random& random);
    [[nodiscard]] City& city() { return *city_; }
    [[nodiscard]] Nation* nation() { return nation_ ? &*nation_ : nullptr; }

private:
    std::filesystem::path city_directory_;
    std::filesystem::path nation_directory_;
    CustodianOptions custodians_;
    CustodianOptions nation_custodians_;
    std::optional<City> city_;
    std::optional<Nation> nation_;
};

/// For a command at the issuer's that is not one person's to give: `--city-dir` with the city's
/// custodians, who open its store and whose log keeps what they allowed.
class CityApproval {
public:
    void add_to(CLI::App& command);
    /// `dual_control_missing` when no city was named, `city_mismatch` when it is not the city that
    /// deployed this issuer.
    [[nodiscard]] Result<void> give(crypto::keys::Command command,
                                    const crypto::keys::StoreIdentity& issuer,
                                    crypto::Random& random);

private:
    std::filesystem::path directory_;
    CustodianOptions custodians_;
};

/// Which chips carry which keys, from the command line: --state, or --no-chips.
class FleetAccess {
public:
    void add_to(CLI::App& command);
    /// Nothing when it was not named.
    [[nodiscard]] Result<FleetView*> open(const City& city);
    /// Of the state that is open.
    [[nodiscard]] std::optional<StateWitness> witness() const {
        return fleet_ ? std::optional{fleet_->witness()} : std::nullopt;
    }
    [[nodiscard]] bool no_chips() const { return no_chips_; }

private:
    std::filesystem::path state_;
    bool no_chips_ = false;
    platform::SystemClock clock_;
    std::unique_ptr<IssueFleet> fleet_;
};

}  // namespace host::keys
