#pragma once
// What a city's host is told about itself and its neighbours, and the keys it works with.
#include <memory>
#include <optional>
#include <vector>

#include "crypto/batch/issuer_keys.hpp"
#include "crypto/purse/keys.hpp"
#include "host/clearing/decide.hpp"
#include "host/ledger/account.hpp"
#include "protocol/batch.hpp"

namespace host {

struct LoadLimits {
    protocol::Money amount_min = protocol::Money::from_fen(1);
    protocol::Money amount_max = protocol::Money::from_fen(100'000);
    protocol::Money balance_max = protocol::Money::from_fen(100'000);  ///< after the load
};

struct Peer {
    protocol::CityCode city;
    protocol::IssuerId issuer;                  ///< of its cards
    std::array<std::uint8_t, 64> public_key{};  ///< SM2, x | y: signs its statements
};

struct City {
    protocol::CityCode code;
    protocol::IssuerId issuer;  ///< of our cards
    protocol::Mark mark = protocol::Mark::live;
    std::vector<Peer> peers;
    clearing::Limits limits;
    LoadLimits load_limits;
    std::uint32_t forward_records_max = 1'000;  ///< in one message to a peer
    unsigned verify_threads = 1;

    [[nodiscard]] const Peer* peer(protocol::CityCode city) const;
    [[nodiscard]] const Peer* peer_of(const protocol::IssuerId& issuer) const;
    [[nodiscard]] ledger::Participant participant() const { return ledger::Participant::of(code); }
};

/// The city's keys, wherever they are kept (service/key_store_keys.hpp). Secret; never printed.
class Keys {
public:
    virtual ~Keys() = default;
    /// For TACs: our cards' masters, every suite and version inside its window.
    [[nodiscard]] virtual const crypto::batch::IssuerKeyTable& tac_masters() const = 0;
    /// A card's own key; nothing when we have none of that suite and version in its window.
    [[nodiscard]] virtual std::optional<crypto::purse::PurseKey> load_key(
        const protocol::CardNumber& card, protocol::Suite suite,
        protocol::KeyVersion version) const = 0;
    /// Every TAC key of that suite that the card may hold, newest first: a load's answer names the
    /// version of its load key, and that of the TAC's key moves with the purchase key's.
    [[nodiscard]] virtual std::vector<crypto::purse::PurseKey> tac_keys(
        const protocol::CardNumber& card, protocol::Suite suite) const = 0;
    /// SM2 with the default id, by the city. Nothing when the random source is broken.
    [[nodiscard]] virtual std::optional<protocol::Signature> sign_list(
        protocol::Bytes message) const = 0;
    [[nodiscard]] virtual std::optional<protocol::Signature> sign_statement(
        protocol::Bytes message) const = 0;
};

/// SM2 over `message` with the default id, by the owner of `public_key` (x | y).
[[nodiscard]] bool signature_is_right(const std::array<std::uint8_t, 64>& public_key,
                                      protocol::Bytes message,
                                      const protocol::Signature& signature);

}  // namespace host
