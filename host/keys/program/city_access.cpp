#include "host/keys/program/city_access.hpp"

#include <CLI/CLI.hpp>

namespace host::keys {

void CityAccess::add_to(CLI::App& command) {
    command.add_option("--city-dir", city_directory_, "The city's directory")->required();
    custodians_.add_to(command, "city");
    command.add_option("--nation-dir", nation_directory_,
                       "The nation's directory, where its roots are needed (purchase, "
                       "application_lock) or its signature (card-issuer)");
    nation_custodians_.add_optional_to(command, "nation", "nation-");
}

Result<void> CityAccess::open(crypto::Random& random) {
    ONECARD_TRY(custodians, custodians_.read());
    if (!nation_directory_.empty()) {
        ONECARD_TRY(nation_custodians, nation_custodians_.read());
        ONECARD_TRY(nation, open_nation(nation_directory_, nation_custodians.people, random));
        nation_ = std::move(nation);
    }
    ONECARD_TRY(city, open_city(city_directory_, custodians.people, random));
    city_ = std::move(city);
    return {};
}

void CityApproval::add_to(CLI::App& command) {
    command.add_option("--city-dir", directory_,
                       "The city's directory: its custodians order SAMs, nobody alone");
    custodians_.add_optional_to(command, "city", "");
}

Result<void> CityApproval::give(crypto::keys::Command command,
                                const crypto::keys::StoreIdentity& issuer, crypto::Random& random) {
    if (directory_.empty() || !custodians_.given()) {
        return refuse(RefusalKind::dual_control_missing,
                      "SAMs carry the nation's roots: the city's custodians order them, with "
                      "--city-dir DIR --custodian A --custodian B");
    }
    ONECARD_TRY(custodians, custodians_.read());
    ONECARD_TRY(city, open_city(directory_, custodians.people, random));
    if (const auto ours = check_issuer(city, issuer); !ours) {
        return refuse(RefusalKind::city_mismatch,
                      directory_.string() + ": this city did not deploy that issuer");
    }
    return record(*city.store, std::move(command));
}

void FleetAccess::add_to(CLI::App& command) {
    auto* state = command.add_option("--state", state_,
                                     "The issuer's SQLite file: which chips carry which keys");
    command
        .add_flag("--no-chips", no_chips_,
                  "This city has issued no card and no SAM; the log keeps that you said so")
        ->excludes(state);
}

Result<FleetView*> FleetAccess::open(const City& city) {
    if (state_.empty() || fleet_ != nullptr) return fleet_.get();
    ONECARD_TRY(fleet, IssueFleet::open(state_, city, clock_));
    fleet_ = std::move(fleet);
    return fleet_.get();
}

}  // namespace host::keys
