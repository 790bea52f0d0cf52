#pragma once
// The keys of the electronic purse and what is computed from them: one copy for card, SAM, host,
// tests and calculator. The layouts of the MAC inputs live in protocol/purse.hpp; these functions
// take them as bytes. What the public texts leave open for SM4 is decided in docs/algorithms.md.
#include "crypto/core/secret.hpp"
#include "protocol/ids.hpp"
#include "protocol/purse.hpp"

namespace crypto::purse {

using protocol::Mac;
using protocol::Suite;

constexpr std::size_t key_size = 16;

/// A 16-byte key with its suite: a master, a city's or a card's (DPK, DLK, DTK, unload, overdraft,
/// application lock, maintenance, ...). Which one it is, the caller's variable says.
struct PurseKey {
    Suite suite = Suite::sm4;
    SecretBytes<key_size> value;

    PurseKey() = default;
    PurseKey(Suite suite_, std::span<const std::uint8_t, key_size> from)
        : suite{suite_}, value{from} {}
    [[nodiscard]] PurseKey duplicate() const { return PurseKey{suite, value.bytes()}; }
};

/// Eight bytes that make a child key from its parent: an issuer's, a card's. domain.md 1.10.
using Factor = protocol::Strong<std::array<std::uint8_t, 8>, struct FactorName>;
[[nodiscard]] constexpr Factor factor_of(const protocol::IssuerId& issuer) {
    return Factor{issuer.value()};
}
[[nodiscard]] constexpr Factor factor_of(const protocol::CardNumber& card) {
    return Factor{protocol::card_factor(card)};
}

/// One level. docs/algorithms.md, 2: 3DES: E(F) | E(not F); SM4: E(F | not F).
[[nodiscard]] PurseKey diversify(const PurseKey& parent, const Factor& factor);
/// Both levels, issuer first: national master -> city -> card.
[[nodiscard]] PurseKey diversify(const PurseKey& master, const protocol::IssuerId& issuer,
                                 const protocol::CardNumber& card);

/// Lives for one transaction. 3DES: 8 bytes used, a single-DES key; SM4: 16. domain.md 1.3.
class ProcessKey {
public:
    [[nodiscard]] Suite suite() const { return suite_; }
    /// 8 or 16 bytes. For the calculator, which prints it; everyone else asks for MACs.
    [[nodiscard]] Bytes bytes() const {
        return Bytes{value_.bytes()}.first(suite_ == Suite::triple_des ? 8 : 16);
    }

private:
    ProcessKey(const PurseKey& key, const std::array<std::uint8_t, 8>& input);
    friend ProcessKey online_process_key(const PurseKey&, const protocol::CardRandom&,
                                         protocol::OnlineCounter);
    friend ProcessKey offline_process_key(const PurseKey&, const protocol::CardRandom&,
                                          protocol::OfflineCounter, protocol::TerminalSequence);
    Suite suite_;
    SecretBytes<key_size> value_;
};

/// SESLK, and SESULK and SESUK alike: load, unload, change of the overdraft limit.
/// docs/algorithms.md, 3.
[[nodiscard]] ProcessKey online_process_key(const PurseKey& key, const protocol::CardRandom& random,
                                            protocol::OnlineCounter counter);
/// SESPK: purchase, composite purchase, cash withdrawal. Of the terminal's number the low two bytes
/// count.
[[nodiscard]] ProcessKey offline_process_key(const PurseKey& key,
                                             const protocol::CardRandom& random,
                                             protocol::OfflineCounter counter,
                                             protocol::TerminalSequence sequence);

/// MAC1, MAC2, MAC3 of every purse transaction; `input` is a layout of protocol/purse.hpp.
/// domain.md 1.4.
[[nodiscard]] Mac purse_mac(const ProcessKey& key, Bytes input);

/// The transaction's certificate, under the card's DTK. 3DES: single DES under left XOR right half;
/// SM4: under the whole key. domain.md 1.3, 1.13.
[[nodiscard]] Mac tac(const PurseKey& transaction_key, Bytes input);
/// MAC of RELOAD PIN, under the card's DRPK: the same rule as the TAC. domain.md 1.1.
[[nodiscard]] Mac reload_pin_mac(const PurseKey& reload_key, Bytes pin);

}  // namespace crypto::purse
