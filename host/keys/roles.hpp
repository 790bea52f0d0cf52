#pragma once
// Which keys of a city each kind of place holds, and in which state. docs/keys.md, 1;
// docs/rotation.md, 1.
#include "host/keys/key_text.hpp"
#include "platform/peer_identity.hpp"

namespace host::keys {

/// The city's symmetric masters that a place of this role holds, in every version of the window.
[[nodiscard]] std::span<const KeyUse> master_uses(platform::PeerRole role);
/// Its SM2 keys.
[[nodiscard]] std::span<const KeyUse> signature_uses(platform::PeerRole role);
[[nodiscard]] bool holds_master(platform::PeerRole role, KeyUse use);

/// planned, active, verify_only: what is delivered. Of the nation's roots: active, verify_only.
[[nodiscard]] constexpr bool in_window(KeyState state) {
    return state >= KeyState::planned && state <= KeyState::verify_only;
}
/// The state in a place of a key that has `state` in the city's store. Where a key only checks what
/// others made, a planned one is active at once: it must be accepted before the first chip has it.
[[nodiscard]] KeyState state_at(platform::PeerRole role, KeyUse use, KeyState state);

}  // namespace host::keys
