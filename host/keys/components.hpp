#pragma once
// Components of the nation's roots: how a custodian writes theirs down, and what is refused.
// docs/ceremony.md, 2. Secret: the values. Their check values are for their custodian's eyes.
#include "crypto/keys/secret_buffer.hpp"
#include "host/keys/ceremony_file.hpp"

namespace host::keys {

/// One custodian's part of a root.
using Component = NationalRoot;

/// E(component, zero block), the left three bytes, in hex: crypto/keys/check_value.hpp, legacy.
[[nodiscard]] std::string check_value_text(const Component& component);

/// `digits`: 32 hex digits; `check`: 6. Blanks between digits do not count, so that paper may group
/// them. `component_malformed`; a refusal says which root, and repeats nothing of what was typed.
[[nodiscard]] Result<Component> parse_component(const RootName& root, std::string_view digits,
                                                std::string_view check);
/// Lines `purchase sm4 HEX32 HEX6`, one for each root in any order; those that begin with '#' do
/// not count. `component_malformed`.
[[nodiscard]] Result<std::vector<Component>> parse_components(
    std::span<const std::string_view> lines);
/// What `parse_components` reads, for the custodian to take away.
[[nodiscard]] crypto::keys::SecretBuffer component_sheet(const Ceremony& ceremony,
                                                         std::string_view custodian,
                                                         std::span<const Component> components);

/// Both halves equal, as far as a cipher reads them (the lowest bits of a 3DES key are parity: FIPS
/// 46-3): the zero key, any key of one repeated byte, a 3DES key that is single DES.
[[nodiscard]] bool is_weak(const Component& component);
/// Each root once, in the order of `root_at`, and none weak: `component_malformed`,
/// `component_weak`.
[[nodiscard]] Result<void> check_components(std::span<const Component> components);

/// HMAC-SM3 under the ceremony's salt, without the parity bits: two components with the same digest
/// cancel each other. Says nothing of 128 random bits.
[[nodiscard]] crypto::Sm3Digest component_digest(const Ceremony& ceremony,
                                                 const Component& component);

}  // namespace host::keys
