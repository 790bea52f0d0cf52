#include "crypto/keys/secure_channel.hpp"

#include <utility>

#include "crypto/core/modes.hpp"

namespace crypto::keys {
namespace {

using Error = ChannelError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::size_t mac_size = 8;
constexpr std::size_t data_size_max = 255;
constexpr std::uint8_t level_mac = 0x01;
constexpr std::uint8_t level_encrypt = 0x02;

// ---- SCP02. ----

/// E.4.1: 3DES-CBC of constant | sequence | 00 x 12 under the static key.
SecretBuffer scp02_key(Bytes key, std::uint16_t constant, Bytes sequence) {
    SecretBuffer out{16};
    protocol::ByteWriter{out.bytes()}.put_u16(constant).put(sequence);
    const std::array<std::uint8_t, 8> zero{};
    if (!cbc_encrypt(BlockEncryptor{Cipher::triple_des, key}, zero, out.bytes())) {
        __builtin_trap();
    }
    return out;
}
SessionKeys scp02_session(const ChannelKeys& keys, Bytes sequence) {
    return {scp02_key(keys.enc.bytes(), 0x0182, sequence),
            scp02_key(keys.mac.bytes(), 0x0101, sequence),
            scp02_key(keys.mac.bytes(), 0x0102, sequence),
            scp02_key(keys.dek.bytes(), 0x0181, sequence)};
}

// ---- SCP03. ----

/// SP 800-108, 5.1, with CMAC: blocks of `before` | counter | `after`, until `size` bytes are full.
SecretBuffer counter_derive(Bytes key, std::size_t size, Bytes before, Bytes after) {
    SecretBuffer out{size};
    MutableBytes rest = out.bytes();
    for (std::uint8_t counter = 1; !rest.empty(); ++counter) {
        const std::array<Bytes, 3> pieces{before, Bytes{&counter, 1}, after};
        MacBlock block = cmac(Cipher::aes, key, pieces);
        const std::size_t taken = std::min(rest.size(), block.size());
        std::ranges::copy(std::as_const(block).bytes().first(taken), rest.begin());
        wipe(block.bytes());
        rest = rest.subspan(taken);
    }
    return out;
}

/// Amendment D, 4.1.5: label, 00, length in bits, counter, both challenges. The label is eleven
/// zeros and the purpose.
SecretBuffer scp03_derive(Bytes key, std::uint8_t purpose, std::size_t size,
                          const ChannelChallenges& challenges) {
    std::array<std::uint8_t, 15> label{};
    protocol::ByteWriter{label}.fill(11).put_u8(purpose).put_u8(0).put_u16(
        static_cast<std::uint16_t>(8 * size));
    std::array<std::uint8_t, 16> context{};
    protocol::ByteWriter{context}.put(challenges.host).put(challenges.card);
    return counter_derive(key, size, label, context);
}
SessionKeys scp03_session(const ChannelKeys& keys, const ChannelChallenges& challenges) {
    const std::size_t size = keys.enc.size();
    return {scp03_derive(keys.enc.bytes(), 0x04, size, challenges),
            scp03_derive(keys.mac.bytes(), 0x06, size, challenges),
            scp03_derive(keys.mac.bytes(), 0x07, size, challenges), keys.dek.duplicate()};
}

bool level_known(ChannelProtocol protocol, std::uint8_t level) {
    switch (level) {
        case 0x00:
        case 0x01:
        case 0x03:
        case 0x11:
        case 0x13: return true;
        case 0x33: return protocol == ChannelProtocol::scp03;
        default: return false;
    }
}

std::vector<std::uint8_t> padded(Bytes data, std::size_t block) {
    std::vector<std::uint8_t> out{data.begin(), data.end()};
    out.push_back(0x80);
    out.resize((out.size() + block - 1) / block * block);
    return out;
}

}  // namespace

const char* name(ChannelError error) {
    switch (error) {
        case Error::key_size_wrong: return "key_size_wrong";
        case Error::challenge_size_wrong: return "challenge_size_wrong";
        case Error::level_unknown: return "level_unknown";
        case Error::command_malformed: return "command_malformed";
        case Error::command_too_long: return "command_too_long";
    }
    return "unknown";
}

ChannelResult<SecureChannel> SecureChannel::open(ChannelProtocol protocol, const ChannelKeys& keys,
                                                 ChannelChallenges challenges) {
    const bool scp02 = protocol == ChannelProtocol::scp02;
    const std::size_t size = keys.enc.size();
    const bool fits = scp02 ? size == 16 : key_size_fits(Cipher::aes, size);
    if (!fits || keys.mac.size() != size || keys.dek.size() != size) {
        return refuse(Error::key_size_wrong);
    }
    if (challenges.card.size() != (scp02 ? 6U : 8U)) return refuse(Error::challenge_size_wrong);
    SessionKeys session =
        scp02 ? scp02_session(keys, challenges.sequence) : scp03_session(keys, challenges);
    return SecureChannel{protocol, std::move(session), std::move(challenges)};
}

ChannelCryptogram SecureChannel::card_cryptogram() const {
    if (is_scp02()) {  // E.4.2.1
        const std::array<Bytes, 3> message{challenges_.host, challenges_.sequence,
                                           challenges_.card};
        return cbc_mac(Cipher::triple_des, keys_.enc.bytes(), message, Padding::method_2)
            .first<8>();
    }
    ChannelCryptogram out{};
    std::ranges::copy(scp03_derive(keys_.mac.bytes(), 0x00, 8, challenges_).bytes(), out.begin());
    return out;
}

ChannelCryptogram SecureChannel::host_cryptogram() const {
    if (is_scp02()) {  // E.4.2.2
        const std::array<Bytes, 3> message{challenges_.sequence, challenges_.card,
                                           challenges_.host};
        return cbc_mac(Cipher::triple_des, keys_.enc.bytes(), message, Padding::method_2)
            .first<8>();
    }
    ChannelCryptogram out{};
    std::ranges::copy(scp03_derive(keys_.mac.bytes(), 0x01, 8, challenges_).bytes(), out.begin());
    return out;
}

/// E.4.4: retail MAC whose starting value is the last MAC under single DES with the key's left
/// half. Amendment D, 6.2.4: CMAC over the last whole CMAC and the command, left eight bytes.
std::array<std::uint8_t, 8> SecureChannel::next_mac(Bytes header, Bytes data) {
    if (is_scp02()) {
        const MutableBytes iv = MutableBytes{chain_}.first(8);
        if (chained_) BlockEncryptor{Cipher::des, keys_.mac.bytes().first(8)}.encrypt(iv);
        chained_ = true;
        const std::array<Bytes, 2> message{header, data};
        const auto mac =
            retail_mac(Cipher::des, keys_.mac.bytes(), message, Padding::method_2, iv).first<8>();
        std::ranges::copy(mac, chain_.begin());
        return mac;
    }
    const std::array<Bytes, 3> message{chain_, header, data};
    const MacBlock mac = cmac(Cipher::aes, keys_.mac.bytes(), message);
    std::ranges::copy(mac.bytes(), chain_.begin());
    return mac.first<8>();
}

/// E.4.6: 3DES-CBC from zero. Amendment D, 6.2.6: AES-CBC from the encrypted command counter.
std::vector<std::uint8_t> SecureChannel::enciphered(Bytes data) {
    const BlockEncryptor encryptor{is_scp02() ? Cipher::triple_des : Cipher::aes,
                                   keys_.enc.bytes()};
    std::array<std::uint8_t, block_size_max> iv{};
    if (!is_scp02()) {
        protocol::ByteWriter{iv}.fill(12).put_u32(counter_);
        encryptor.encrypt(iv);
    }
    auto out = padded(data, encryptor.block_size());
    if (!cbc_encrypt(encryptor, Bytes{iv}.first(encryptor.block_size()), out)) __builtin_trap();
    return out;
}

/// SCP02 takes the MAC before enciphering, SCP03 after. E.4.5; Amendment D, 6.2.5.
std::vector<std::uint8_t> SecureChannel::with_mac(std::array<std::uint8_t, 4> header, Bytes data,
                                                  std::optional<std::uint32_t> le) {
    const bool encrypt = (level_ & level_encrypt) != 0 && !data.empty();
    header[0] |= 0x04;
    std::vector<std::uint8_t> body{data.begin(), data.end()};
    if (encrypt && !is_scp02()) body = enciphered(data);
    std::vector<std::uint8_t> start{header.begin(), header.end()};
    start.push_back(static_cast<std::uint8_t>(body.size() + mac_size));
    const auto mac = next_mac(start, body);
    if (encrypt && is_scp02()) {
        body = enciphered(data);
        start.back() = static_cast<std::uint8_t>(body.size() + mac_size);
    }
    start.insert(start.end(), body.begin(), body.end());
    start.insert(start.end(), mac.begin(), mac.end());
    if (le) start.push_back(static_cast<std::uint8_t>(*le));
    return start;
}

ChannelResult<std::vector<std::uint8_t>> SecureChannel::external_authenticate(std::uint8_t level) {
    if (!level_known(protocol_, level)) return refuse(Error::level_unknown);
    level_ = 0;  // its own data is never enciphered
    auto command = with_mac({0x84, 0x82, level, 0x00}, host_cryptogram(), std::nullopt);
    level_ = level;
    counter_ = 0;
    return command;
}

ChannelResult<std::vector<std::uint8_t>> SecureChannel::wrap(Bytes command) {
    const auto parsed = protocol::CommandApdu::parse(command);
    if (!parsed || parsed->is_extended()) return refuse(Error::command_malformed);
    ++counter_;
    if ((level_ & level_mac) == 0) return std::vector<std::uint8_t>{command.begin(), command.end()};
    const std::size_t padding = (level_ & level_encrypt) != 0 ? block_size_max : 0;
    if (parsed->data().size() + padding + mac_size > data_size_max) {
        return refuse(Error::command_too_long);
    }
    return with_mac(parsed->header(), parsed->data(), parsed->le());
}

namespace {

/// KDD bytes, F0 n, the same again, 0F n: two 3DES blocks. EMV CPS 1.1, 4.1; Visa2.
SecretBuffer des_diversified(Bytes master, Bytes six, std::uint8_t which) {
    SecretBuffer out{16};
    protocol::ByteWriter{out.bytes()}
        .put(six)
        .put_u8(0xF0)
        .put_u8(which)
        .put(six)
        .put_u8(0x0F)
        .put_u8(which);
    if (!ecb_encrypt(BlockEncryptor{Cipher::triple_des, master}, out.bytes())) __builtin_trap();
    return out;
}

}  // namespace

ChannelResult<ChannelKeys> diversify_channel_keys(
    ChannelDiversification method, Bytes master,
    const std::array<std::uint8_t, 10>& diversification) {
    if (method == ChannelDiversification::kdf3) {
        if (!key_size_fits(Cipher::aes, master.size())) return refuse(Error::key_size_wrong);
        const auto derive = [&](std::uint8_t which) {
            std::array<std::uint8_t, 15> after{};  // counter, 00 00 00 which 00, the card's bytes
            protocol::ByteWriter{after}.fill(3).put_u8(which).put_u8(0).put(diversification);
            return counter_derive(master, master.size(), {}, after);
        };
        return ChannelKeys{derive(1), derive(2), derive(3)};
    }
    if (master.size() != 16) return refuse(Error::key_size_wrong);
    std::array<std::uint8_t, 6> six{};
    protocol::ByteWriter writer{six};
    const Bytes all{diversification};
    if (method == ChannelDiversification::emv) {
        writer.put(all.last(6));
    } else {
        writer.put(all.first(2)).put(all.subspan(4, 4));
    }
    const auto derive = [&](std::uint8_t which) { return des_diversified(master, six, which); };
    return ChannelKeys{derive(1), derive(2), derive(3)};
}

}  // namespace crypto::keys
