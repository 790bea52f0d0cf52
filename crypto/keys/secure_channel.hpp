#pragma once
// GlobalPlatform secure channels, the off-card side: Card Specification 2.3.1, annex E (SCP02, i =
// 15 and 55), and Amendment D 1.1.2 (SCP03, eight-byte cryptograms). Session keys, cryptograms,
// and commands wrapped in order, since each MAC chains to the one before.
#include <expected>
#include <vector>

#include "crypto/core/mac.hpp"
#include "crypto/keys/secret_buffer.hpp"
#include "protocol/apdu.hpp"

namespace crypto::keys {

enum class ChannelProtocol : std::uint8_t { scp02 = 0x02, scp03 = 0x03 };

/// ENC, MAC and DEK, as static keys or as those of one session. SCP02: 16 bytes; SCP03: 16, 24, 32.
struct ChannelKeys {
    SecretBuffer enc;
    SecretBuffer mac;
    SecretBuffer dek;
};
struct SessionKeys {
    SecretBuffer enc;
    SecretBuffer mac;
    SecretBuffer rmac;
    SecretBuffer dek;  ///< SCP03: the static DEK
};

/// What INITIALIZE UPDATE exchanged.
struct ChannelChallenges {
    std::array<std::uint8_t, 8> host{};
    std::vector<std::uint8_t> card;          ///< SCP02: 6 bytes; SCP03: 8
    std::array<std::uint8_t, 2> sequence{};  ///< SCP02
};
using ChannelCryptogram = std::array<std::uint8_t, 8>;

enum class ChannelError : std::uint8_t {
    key_size_wrong,        ///< SCP02: not 16; SCP03: not an AES key, or three different sizes
    challenge_size_wrong,  ///< SCP02: the card's is not 6; SCP03: not 8
    level_unknown,         ///< not a security level of that protocol
    command_malformed,     ///< not a short command APDU
    command_too_long,      ///< no room for padding and MAC in 255 bytes
};
[[nodiscard]] const char* name(ChannelError error);
template <class T>
using ChannelResult = std::expected<T, ChannelError>;

/// One channel from the exchange of challenges on.
class SecureChannel {
public:
    [[nodiscard]] static ChannelResult<SecureChannel> open(ChannelProtocol protocol,
                                                           const ChannelKeys& keys,
                                                           ChannelChallenges challenges);
    [[nodiscard]] const SessionKeys& keys() const { return keys_; }
    /// What the card must have answered, and what the host answers. E.4.2; Amendment D, 6.2.2.
    [[nodiscard]] ChannelCryptogram card_cryptogram() const;
    [[nodiscard]] ChannelCryptogram host_cryptogram() const;

    /// EXTERNAL AUTHENTICATE; the first of the chain. SCP02: 00, 01, 03, 11, 13. SCP03: also 33.
    [[nodiscard]] ChannelResult<std::vector<std::uint8_t>> external_authenticate(
        std::uint8_t level);
    /// Any later command, short form, with MAC and encryption as the level says.
    [[nodiscard]] ChannelResult<std::vector<std::uint8_t>> wrap(Bytes command);

private:
    SecureChannel(ChannelProtocol protocol, SessionKeys keys, ChannelChallenges challenges)
        : protocol_{protocol}, keys_{std::move(keys)}, challenges_{std::move(challenges)} {}
    [[nodiscard]] bool is_scp02() const { return protocol_ == ChannelProtocol::scp02; }
    [[nodiscard]] std::array<std::uint8_t, 8> next_mac(Bytes header, Bytes data);
    [[nodiscard]] std::vector<std::uint8_t> enciphered(Bytes data);
    [[nodiscard]] std::vector<std::uint8_t> with_mac(std::array<std::uint8_t, 4> header, Bytes data,
                                                     std::optional<std::uint32_t> le);

    ChannelProtocol protocol_;
    SessionKeys keys_;
    ChannelChallenges challenges_;
    std::uint8_t level_ = 0;
    std::array<std::uint8_t, 16> chain_{};  ///< SCP02 uses the left half
    bool chained_ = false;
    std::uint32_t counter_ = 0;  ///< SCP03: commands since EXTERNAL AUTHENTICATE
};

/// How a card's static keys come from a master key: GlobalPlatform's EMV CPS 1.1 and Visa2 (3DES),
/// and KDF3 (AES: SP 800-108). `diversification` is INITIALIZE UPDATE's first ten bytes.
enum class ChannelDiversification : std::uint8_t { emv, visa2, kdf3 };
[[nodiscard]] ChannelResult<ChannelKeys> diversify_channel_keys(
    ChannelDiversification method, Bytes master,
    const std::array<std::uint8_t, 10>& diversification);

}  // namespace crypto::keys
