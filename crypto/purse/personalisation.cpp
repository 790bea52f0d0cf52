#include "crypto/purse/personalisation.hpp"

namespace crypto::purse {
namespace {

using protocol::ByteWriter;
using protocol::ShortCommand;

constexpr std::size_t mac_size = 4;
constexpr std::size_t data_size_max = 255;

[[nodiscard]] SessionChallenge inverted(const SessionChallenge& challenge) {
    SessionChallenge out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(~challenge[i]);
    }
    return out;
}

}  // namespace

PurseKey transport_key(const PurseKey& transport_master, const protocol::ChipSerial& serial) {
    return diversify(transport_master, Factor{serial.value()});
}

SessionState::SessionState(const PurseKey& transport, const SessionChallenge& challenge)
    : mac_key{diversify(transport, Factor{challenge})},
      encryption_key{diversify(transport, Factor{inverted(challenge)})} {}

Challenge SessionState::starting_value() const {
    std::array<std::uint8_t, 8> number{};
    ByteWriter{number}
        .put_u32(static_cast<std::uint32_t>(command_number >> 32))
        .put_u32(static_cast<std::uint32_t>(command_number));
    return Challenge{number};
}

AuthenticationData session_cryptogram(const SessionState& session,
                                      const SessionChallenge& challenge) {
    return authentication_cryptogram(session.mac_key, Challenge{challenge});
}

Mac activation_receipt(const SessionState& session, const protocol::ChipSerial& serial) {
    constexpr CommandHeader header{0x80, 0x44, 0x00, 0x00, 0x08};
    return secure_messaging_mac(session.mac_key, session.starting_value(), header, serial.value());
}

PersonalisationSession::PersonalisationSession(const PurseKey& transport,
                                               const SessionChallenge& challenge)
    : session_{transport, challenge}, challenge_{challenge} {}

ShortCommand PersonalisationSession::authenticate() const {
    return protocol::make_command(0x00, 0x82, 0x00, 0x00, session_cryptogram(session_, challenge_));
}

ShortCommand PersonalisationSession::protect(const protocol::PlainCommand& command) {
    if (command.data.size() > data_size_max - mac_size) __builtin_trap();  // bounded by its layout
    const CommandHeader header{command.header[0], command.header[1], command.header[2],
                               command.header[3],
                               static_cast<std::uint8_t>(command.data.size() + mac_size)};
    const Mac mac =
        secure_messaging_mac(session_.mac_key, session_.starting_value(), header, command.data);
    protocol::ByteBuffer<data_size_max> data;
    if (!data.append(command.data) || !data.append(mac)) __builtin_trap();
    ++session_.command_number;
    return protocol::make_command(header[0], header[1], header[2], header[3], data, command.le);
}

ShortCommand PersonalisationSession::write_value(const std::array<std::uint8_t, 4>& header,
                                                 const protocol::KeyHeader& key_header,
                                                 Bytes value) {
    SecretBytes<protocol::KeyHeader::size + key_size + protocol::key_uses_size> plain;
    ByteWriter writer{plain.bytes()};
    writer.put(key_header.bytes()).put(value);
    if (!writer.ok()) __builtin_trap();  // callers pass a key or a PIN
    std::array<std::uint8_t, 32> enciphered{};
    const auto size = encipher(session_.encryption_key, writer.written(), enciphered);
    if (!size) __builtin_trap();
    return protect({header, Bytes{enciphered}.first(*size)});
}

ShortCommand PersonalisationSession::write_key(protocol::KeyUsage usage, protocol::KeyIndex index,
                                               protocol::KeyVersion version, const PurseKey& key,
                                               std::uint8_t tries) {
    const protocol::KeyHeader header{version, static_cast<std::uint8_t>(key.suite), tries};
    return write_value(protocol::write_key_header(usage, index), header, key.value.bytes());
}

ShortCommand PersonalisationSession::write_delegated_key(protocol::KeyIndex index,
                                                         protocol::KeyVersion version,
                                                         const PurseKey& key, std::uint8_t limit,
                                                         protocol::KeyUses uses) {
    constexpr std::uint8_t not_counted = 0;  // nobody's MAC is compared with it
    const protocol::KeyHeader header{version, static_cast<std::uint8_t>(key.suite), not_counted,
                                     limit};
    SecretBytes<key_size + protocol::key_uses_size> value;
    ByteWriter{value.bytes()}.put(key.value.bytes()).put_u16(uses.value());
    return write_value(protocol::write_key_header(protocol::KeyUsage::sam_delegated_mac, index),
                       header, value.bytes());
}

ShortCommand PersonalisationSession::write_pin(Bytes pin, std::uint8_t tries) {
    const auto header =
        protocol::write_key_header(protocol::KeyUsage::pin, protocol::administrative_key_index);
    return write_value(header, {protocol::KeyVersion{0}, 0x00, tries}, pin);
}

PersonalisationSession::Activation PersonalisationSession::activate(
    const protocol::ChipSerial& serial) {
    const Mac receipt = activation_receipt(session_, serial);
    return {protect(protocol::activate_command()), receipt};
}

}  // namespace crypto::purse
