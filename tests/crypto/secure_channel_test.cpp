// crypto/keys/secure_channel: GlobalPlatform SCP02 and SCP03 against recorded sessions.
#include "crypto/keys/secure_channel.hpp"

#include <doctest/doctest.h>

#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::keys;
using crypto::Cipher;
using tests::from_hex;
using tests::to_hex;
using Error = ChannelError;

ChannelKeys keys_of(const tests::Vector& vector) {
    return {SecretBuffer{vector.bytes("Enc")}, SecretBuffer{vector.bytes("Mac")},
            SecretBuffer{vector.bytes("Dek")}};
}

ChannelResult<SecureChannel> channel_of(const tests::Vector& vector) {
    ChannelChallenges challenges;
    challenges.host = vector.bytes<8>("HostChallenge");
    challenges.card = vector.bytes("CardChallenge");
    if (vector.has("Sequence")) challenges.sequence = vector.bytes<2>("Sequence");
    return SecureChannel::open(
        vector.text("Protocol") == "02" ? ChannelProtocol::scp02 : ChannelProtocol::scp03,
        keys_of(vector), challenges);
}

ChannelKeys equal_keys(std::size_t size) {
    const std::vector<std::uint8_t> bytes(size, 0x40);
    return {SecretBuffer{bytes}, SecretBuffer{bytes}, SecretBuffer{bytes}};
}
SecureChannel some_channel(ChannelProtocol protocol) {
    ChannelChallenges challenges;
    challenges.card.resize(protocol == ChannelProtocol::scp02 ? 6 : 8);
    auto channel = SecureChannel::open(protocol, equal_keys(16), challenges);
    REQUIRE(channel.has_value());
    return *std::move(channel);
}

/// GlobalPlatform's check values: 3DES of zeros, AES of 01 bytes.
std::string kcv(ChannelDiversification method, crypto::Bytes key) {
    const bool aes = method == ChannelDiversification::kdf3;
    std::vector<std::uint8_t> block(aes ? 16 : 8, aes ? 1 : 0);
    crypto::BlockEncryptor{aes ? Cipher::aes : Cipher::triple_des, key}.encrypt(block);
    return to_hex(crypto::Bytes{block}.first(3));
}

}  // namespace

TEST_CASE("secure channel: cryptograms and chained commands as recorded (GPCS E, Amendment D)") {
    for (const auto& vector : tests::read_vectors("crypto/secure_channel.vec")) {
        INFO(vector.place());
        auto channel = channel_of(vector);
        REQUIRE(channel.has_value());
        CHECK(to_hex(channel->card_cryptogram()) == vector.text("CardCryptogram"));
        const auto level = static_cast<std::uint8_t>(vector.number("Level"));
        const auto authenticate = channel->external_authenticate(level);
        REQUIRE(authenticate.has_value());
        CHECK(to_hex(*authenticate) == vector.text("ExternalAuthenticate"));
        CHECK(to_hex(crypto::Bytes{*authenticate}.subspan(5, 8)) ==
              to_hex(channel->host_cryptogram()));
        for (int i = 1; vector.has("Command" + std::to_string(i)); ++i) {
            const auto number = std::to_string(i);
            INFO("command " << number);
            const auto wrapped = channel->wrap(vector.bytes("Command" + number));
            REQUIRE(wrapped.has_value());
            CHECK(to_hex(*wrapped) == vector.text("Wrapped" + number));
        }
    }
}

TEST_CASE("secure channel: static keys from a master key, as GlobalPlatformPro derives them") {
    for (const auto& vector : tests::read_vectors("crypto/channel_keys.vec")) {
        INFO(vector.place());
        const auto& name = vector.text("Method");
        const auto method = name == "emv"     ? ChannelDiversification::emv
                            : name == "visa2" ? ChannelDiversification::visa2
                                              : ChannelDiversification::kdf3;
        const auto keys =
            diversify_channel_keys(method, vector.bytes("Master"), vector.bytes<10>("Kdd"));
        REQUIRE(keys.has_value());
        if (vector.has("Enc")) {
            CHECK(to_hex(keys->enc.bytes()) == vector.text("Enc"));
        } else {
            CHECK(kcv(method, keys->enc.bytes()) == vector.text("EncKcv"));
            CHECK(kcv(method, keys->mac.bytes()) == vector.text("MacKcv"));
            CHECK(kcv(method, keys->dek.bytes()) == vector.text("DekKcv"));
        }
    }
}

TEST_CASE("secure channel: sizes, levels and commands that do not fit are named") {
    const std::array<std::uint8_t, 10> kdd{};
    ChannelChallenges six;
    six.card.resize(6);
    ChannelChallenges eight;
    eight.card.resize(8);
    const auto error = [](ChannelProtocol protocol, std::size_t size, const auto& challenges) {
        return SecureChannel::open(protocol, equal_keys(size), challenges).error();
    };
    CHECK(error(ChannelProtocol::scp02, 24, six) == Error::key_size_wrong);
    CHECK(error(ChannelProtocol::scp03, 15, eight) == Error::key_size_wrong);
    CHECK(error(ChannelProtocol::scp02, 16, eight) == Error::challenge_size_wrong);
    CHECK(error(ChannelProtocol::scp03, 16, six) == Error::challenge_size_wrong);
    ChannelKeys mixed = equal_keys(16);
    mixed.dek = SecretBuffer{24};
    CHECK(SecureChannel::open(ChannelProtocol::scp03, mixed, eight).error() ==
          Error::key_size_wrong);
    CHECK(diversify_channel_keys(ChannelDiversification::emv, from_hex("00"), kdd).error() ==
          Error::key_size_wrong);
    CHECK(diversify_channel_keys(ChannelDiversification::kdf3, from_hex("00"), kdd).error() ==
          Error::key_size_wrong);
    auto scp02 = some_channel(ChannelProtocol::scp02);
    CHECK(scp02.external_authenticate(0x33).error() == Error::level_unknown);
    CHECK(scp02.external_authenticate(0x02).error() == Error::level_unknown);
    REQUIRE(scp02.external_authenticate(0x03).has_value());
    CHECK(scp02.wrap(from_hex("80F220")).error() == Error::command_malformed);
    CHECK(scp02.wrap(from_hex("80F2200205AA")).error() == Error::command_malformed);
    std::vector<std::uint8_t> longest = from_hex("80E20000F0");
    longest.resize(5 + 0xF0);
    CHECK(scp02.wrap(longest).error() == Error::command_too_long);
}

TEST_CASE("secure channel: level 00 sends commands as they are") {
    auto channel = some_channel(ChannelProtocol::scp03);
    REQUIRE(channel.external_authenticate(0x00).has_value());
    CHECK(to_hex(*channel.wrap(from_hex("80CA006600"))) == "80CA006600");
}
