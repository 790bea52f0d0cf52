#include "host/keys/roles.hpp"

namespace host::keys {
namespace {

using platform::PeerRole;

/// Loads and TACs, nothing that could debit a card.
constexpr std::array host_uses{KeyUse::load, KeyUse::transaction_certificate};
constexpr std::array host_signatures{KeyUse::list_signature, KeyUse::day_signature};
/// Everything that goes into a card, and the chips' transport masters.
constexpr std::array issuer_uses{KeyUse::purchase,
                                 KeyUse::application_lock,
                                 KeyUse::load,
                                 KeyUse::transaction_certificate,
                                 KeyUse::application_unlock,
                                 KeyUse::application_maintenance,
                                 KeyUse::card_maintenance,
                                 KeyUse::pin_unblock,
                                 KeyUse::pin_reload,
                                 KeyUse::external_authentication,
                                 KeyUse::internal_authentication,
                                 KeyUse::card_transport,
                                 KeyUse::sam_transport};

}  // namespace

std::span<const KeyUse> master_uses(PeerRole role) {
    if (role == PeerRole::city_host) return host_uses;
    if (role == PeerRole::issuer) return issuer_uses;
    return {};
}
std::span<const KeyUse> signature_uses(PeerRole role) {
    if (role == PeerRole::city_host) return host_signatures;
    return {};
}
bool holds_master(PeerRole role, KeyUse use) {
    return std::ranges::count(master_uses(role), use) != 0;
}

KeyState state_at(PeerRole role, KeyUse use, KeyState state) {
    // A chip says which transport key it came with; the issuer does not choose.
    const bool only_checks = role == PeerRole::city_host || use == KeyUse::card_transport ||
                             use == KeyUse::sam_transport;
    return state == KeyState::planned && only_checks ? KeyState::active : state;
}

}  // namespace host::keys
