#pragma once
// A custodian's sealed file: a key store with one custodian and quorum 1, in D/components/. Its log
// says which ceremony its owner agreed to. docs/ceremony.md, 3. Steps hold the ceremony's lock.
#include "host/keys/components.hpp"

namespace host::keys {

[[nodiscard]] std::filesystem::path component_path(const std::filesystem::path& directory,
                                                   const GivenComponents& given);

/// Seals components into the file that `mine` names; notes the file's id in `mine`.
[[nodiscard]] Result<void> seal_components(const std::filesystem::path& directory,
                                           const Ceremony& ceremony,
                                           std::span<const Component> components,
                                           GivenComponents& mine, const Custodian& custodian,
                                           crypto::Random& random, const platform::Clock& clock);

/// Open, and the one that was given in this ceremony: `mark_mismatch`, `component_foreign`, or what
/// the store says.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_components(
    const std::filesystem::path& directory, const Ceremony& ceremony, const GivenComponents& given,
    const Custodian& custodian, crypto::Random& random);

/// When the components were given, if the log's last line is of that command and says what was
/// agreed.
[[nodiscard]] std::optional<std::string> agreed_at(const KeyStore& store, const Ceremony& ceremony);

/// Erases what lies beside the recorded files: it was left by a step that was killed, or a later
/// one has replaced it.
[[nodiscard]] Result<void> erase_unrecorded(const std::filesystem::path& directory,
                                            const Ceremony& ceremony);

}  // namespace host::keys
