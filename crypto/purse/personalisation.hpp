#pragma once
// The session in which an issuer personalises a chip: one copy for the card, the host and the
// tests. docs/card_commands.md, 3. From the transport key and one challenge of the card, the issuer
// computes every command: no further answer is needed.
#include <optional>

#include "crypto/purse/secure_messaging.hpp"
#include "protocol/personalisation.hpp"

namespace crypto::purse {

using SessionChallenge = std::array<std::uint8_t, 8>;

/// The chip's own transport key, from the chip maker's master.
[[nodiscard]] PurseKey transport_key(const PurseKey& transport_master,
                                     const protocol::ChipSerial& serial);

/// The keys of one session and the number of its next command. Both sides hold one.
struct SessionState {
    PurseKey mac_key;         ///< diversify(transport key, C)
    PurseKey encryption_key;  ///< diversify(transport key, not C)
    std::uint64_t command_number = 1;

    SessionState(const PurseKey& transport, const SessionChallenge& challenge);
    /// The starting value of the next command's MAC.
    [[nodiscard]] Challenge starting_value() const;
};
/// EXTERNAL AUTHENTICATE's data.
[[nodiscard]] AuthenticationData session_cryptogram(const SessionState& session,
                                                    const SessionChallenge& challenge);
/// ACTIVATE's answer, when `command_number` is ACTIVATE's.
[[nodiscard]] Mac activation_receipt(const SessionState& session,
                                     const protocol::ChipSerial& serial);

/// The issuer's side. Call in the order in which the card will receive the commands.
class PersonalisationSession {
public:
    PersonalisationSession(const PurseKey& transport, const SessionChallenge& challenge);

    /// First of all. 00 82 00 00 08 cryptogram.
    [[nodiscard]] protocol::ShortCommand authenticate() const;
    /// Adds the MAC and counts the command. At most 251 bytes of data.
    [[nodiscard]] protocol::ShortCommand protect(const protocol::PlainCommand& command);
    /// WRITE KEY of a 16-byte key. The key's own suite goes into its header.
    [[nodiscard]] protocol::ShortCommand write_key(
        protocol::KeyUsage usage, protocol::KeyIndex index, protocol::KeyVersion version,
        const PurseKey& key, std::uint8_t tries = protocol::key_tries_default);
    /// WRITE KEY of a delegated SAM key: `limit` is the only 80 1A usage it serves, `uses` how
    /// often it computes. docs/card_commands.md, 8.
    [[nodiscard]] protocol::ShortCommand write_delegated_key(protocol::KeyIndex index,
                                                             protocol::KeyVersion version,
                                                             const PurseKey& key,
                                                             std::uint8_t limit,
                                                             protocol::KeyUses uses);
    /// The holder's first PIN: 2..6 bytes of BCD digits.
    [[nodiscard]] protocol::ShortCommand write_pin(
        Bytes pin, std::uint8_t tries = protocol::pin_tries_default);
    /// ACTIVATE, and the receipt the chip must answer to it.
    struct Activation {
        protocol::ShortCommand command;
        Mac receipt;
    };
    [[nodiscard]] Activation activate(const protocol::ChipSerial& serial);

private:
    [[nodiscard]] protocol::ShortCommand write_value(const std::array<std::uint8_t, 4>& header,
                                                     const protocol::KeyHeader& key_header,
                                                     Bytes value);
    SessionState session_;
    SessionChallenge challenge_;
};

}  // namespace crypto::purse
