#include "crypto/keys/secure_channel.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::keys::ChannelDiversification;
using crypto::keys::ChannelError;
using crypto::keys::ChannelKeys;
using crypto::keys::ChannelProtocol;
using crypto::keys::SecureChannel;

struct Options {
    std::string protocol;
    std::string diversification;
    Value enc, mac, dek, master, diversification_data, host_challenge, card_challenge, sequence,
        level;
    std::vector<std::string> commands;
};

std::unexpected<Complaint> wrong(ChannelError error) {
    switch (error) {
        case ChannelError::key_size_wrong:
            return mistake(
                "--enc, --mac, --dek, --master: scp 02 takes 16 bytes, scp 03 16, 24 or "
                "32, all of one size");
        case ChannelError::level_unknown:
            return mistake("--level: 00, 01, 03, 11, 13, or with scp 03 also 33 expected");
        default: return mistake(std::string{"--command: "} + name(error));
    }
}

ChannelDiversification method_of(const Options& options) {
    if (options.diversification == "emv") return ChannelDiversification::emv;
    return options.diversification == "visa2" ? ChannelDiversification::visa2
                                              : ChannelDiversification::kdf3;
}

/// The card's static keys: given, or from a master.
Answer<ChannelKeys> static_keys(const Options& options) {
    if (options.diversification.empty()) {
        if (options.master.given()) return mistake("--master needs --diversification");
        const Sizes sizes = options.protocol == "02" ? Sizes{16} : Sizes{16, 24, 32};
        ONECARD_TRY(enc, options.enc.bytes(sizes));
        ONECARD_TRY(mac, options.mac.bytes(sizes));
        ONECARD_TRY(dek, options.dek.bytes(sizes));
        return ChannelKeys{std::move(enc), std::move(mac), std::move(dek)};
    }
    ONECARD_TRY(master, options.master.bytes({16, 24, 32}));
    ONECARD_TRY(data, public_array<10>(options.diversification_data));
    auto keys = diversify_channel_keys(method_of(options), master.bytes(), data);
    if (!keys) return wrong(keys.error());
    return *std::move(keys);
}

Answer<SecureChannel> channel_of(const Options& options, const ChannelKeys& keys) {
    const bool scp02 = options.protocol == "02";
    crypto::keys::ChannelChallenges challenges;
    ONECARD_TRY(host, options.host_challenge.bytes({8}));
    ONECARD_TRY(card, options.card_challenge.bytes({scp02 ? 6U : 8U}));
    std::ranges::copy(host.bytes(), challenges.host.begin());
    challenges.card.assign(card.bytes().begin(), card.bytes().end());
    if (scp02) {
        ONECARD_TRY(sequence, options.sequence.bytes({2}));
        std::ranges::copy(sequence.bytes(), challenges.sequence.begin());
    } else if (options.sequence
                   .given()) {  // SCP03 counts in 3 bytes, and derives nothing from them
        const auto sequence = options.sequence.bytes({2, 3});
        if (!sequence) return std::unexpected{sequence.error()};
    }
    auto channel = SecureChannel::open(scp02 ? ChannelProtocol::scp02 : ChannelProtocol::scp03,
                                       keys, std::move(challenges));
    if (!channel) return wrong(channel.error());
    return *std::move(channel);
}

Answer<void> add_commands(const Options& options, SecureChannel& channel, Output& output) {
    std::uint8_t level = 0x01;
    if (options.level.given()) {
        ONECARD_TRY(read, options.level.bytes({1}));
        level = read.bytes()[0];
    }
    const auto authenticate = channel.external_authenticate(level);
    if (!authenticate) return wrong(authenticate.error());
    output.add("external_authenticate", *authenticate);
    std::size_t number = 0;
    for (const std::string& text : options.commands) {
        ONECARD_TRY(read, resolve("--command", text));
        ONECARD_TRY(command, bytes_of_hex("--command", read.bytes(), Sizes::between(4, 261)));
        const auto wrapped = channel.wrap(command.bytes());
        if (!wrapped) return wrong(wrapped.error());
        output.add("command_" + std::to_string(++number), *wrapped);
    }
    return {};
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(keys, static_keys(options));
    Output output;
    if (!options.diversification.empty()) {
        output.add("enc", keys.enc.bytes())
            .add("mac", keys.mac.bytes())
            .add("dek", keys.dek.bytes());
        if (!options.host_challenge.given()) return output;
    }
    ONECARD_TRY(channel, channel_of(options, keys));
    output.add("session_enc", channel.keys().enc.bytes())
        .add("session_mac", channel.keys().mac.bytes())
        .add("session_rmac", channel.keys().rmac.bytes())
        .add("session_dek", channel.keys().dek.bytes())
        .add("card_cryptogram", channel.card_cryptogram())
        .add("host_cryptogram", channel.host_cryptogram());
    ONECARD_CHECK(add_commands(options, channel, output));
    return output;
}

}  // namespace

void add_scp(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add(
        "scp", "GlobalPlatform secure channels: session keys, cryptograms, wrapped commands");
    command.choice("--protocol", options->protocol, {"02", "03"}, "02 (3DES) or 03 (AES)",
                   Need::required);
    options->enc.add_to(command, "--enc", "Static encryption key", Need::optional);
    options->mac.add_to(command, "--mac", "Static MAC key", Need::optional);
    options->dek.add_to(command, "--dek", "Static key encryption key", Need::optional);
    command.choice("--diversification", options->diversification, {"emv", "visa2", "kdf3"},
                   "Derive the static keys from --master: emv, visa2 (3DES), kdf3 (AES)",
                   Need::optional);
    options->master.add_to(command, "--master", "Master key", Need::optional);
    options->diversification_data.add_to(
        command, "--kdd", "The first 10 bytes of INITIALIZE UPDATE's answer", Need::optional);
    options->host_challenge.add_to(command, "--host-challenge", "8 bytes", Need::optional);
    options->card_challenge.add_to(command, "--card-challenge", "6 bytes; scp 03: 8",
                                   Need::optional);
    options->sequence.add_to(command, "--sequence", "scp 02: sequence counter, 2 bytes",
                             Need::optional);
    options->level.add_to(command, "--level", "Security level, 1 byte; 01 if left out",
                          Need::optional);
    command.list("--command", options->commands,
                 "A command to wrap; repeat for more, in order: their MACs are chained",
                 Need::optional);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
