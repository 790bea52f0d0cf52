#pragma once
// The ceremony that makes a nation's roots out of components. docs/ceremony.md: steps, what holds
// (C1..C7), refusals in the order in which they are checked. Each function is one step, whole or
// without effect, and may be killed anywhere; random source and clock are passed in.
#include "host/keys/components.hpp"

namespace host::keys {

struct CeremonyPlan {
    std::filesystem::path directory;  ///< to be made
    std::vector<std::string> custodians;
    unsigned quorum = 2;  ///< how many of them open the nation's store later
    Mark mark = Mark::live;
};
/// `dual_control_missing`, `input_wrong` (a name), `target_exists`.
[[nodiscard]] Result<Ceremony> begin_ceremony(const CeremonyPlan& plan, crypto::Random& random,
                                              const platform::Clock& clock);

struct Contribution {
    std::filesystem::path directory;
    Custodian custodian;  ///< with the passphrase or token that will open file and nation
    Mark mark = Mark::live;
    bool again = false;            ///< replaces what this custodian gave before
    crypto::Bytes old_passphrase;  ///< with `again`: of the file to be replaced; not with a token
};
/// Whether this custodian may give now: before anyone types a component. `ceremony_finished`,
/// `mark_mismatch`, `custodian_not_invited`, `component_exists`.
[[nodiscard]] Result<void> check_contribution(const Ceremony& ceremony,
                                              const Contribution& contribution);
/// Seals one custodian's components into a file of their own and records it.
[[nodiscard]] Result<void> give_components(const Contribution& contribution,
                                           std::span<const Component> components,
                                           crypto::Random& random, const platform::Clock& clock);

struct Combination {
    std::filesystem::path directory;     ///< the ceremony's
    std::filesystem::path nation;        ///< to be made
    std::span<const Custodian> present;  ///< everyone
    Mark mark = Mark::live;
    std::optional<crypto::keys::TokenPlan> token{};  ///< what keeps the nation's secrets, if any
};
/// Sums the components, founds the nation, writes the minutes, erases the component files; called
/// again after a kill, goes on where that stopped. Answers the minutes.
[[nodiscard]] Result<std::string> combine(const Combination& combination, crypto::Random& random,
                                          const platform::Clock& clock);

}  // namespace host::keys
