#include "host/keys/chip_block.hpp"

#include <algorithm>

#include "crypto/purse/secure_messaging.hpp"
#include "host/keys/stores.hpp"

namespace host::keys {
namespace {

constexpr std::uint16_t application_blocked = 0x6283;  // ISO/IEC 7816-4:2005, 5.1.3: deactivated

std::unexpected<IssuingFailure> fail(IssuingRefusal refusal, std::string detail) {
    return std::unexpected{IssuingFailure{refusal, std::move(detail)}};
}

/// The version of the chip's own lock key: not the nation's roots in a SAM, which lock cards.
std::optional<protocol::KeyVersion> lock_version(std::span<const KeyStamp> keys, Suite suite) {
    const auto* const found = std::to_address(std::ranges::find_if(keys, [&](const KeyStamp& key) {
        return key.use == KeyUse::application_lock && key.suite == suite && !key.national;
    }));
    if (found == std::to_address(keys.end())) return std::nullopt;
    return found->version;
}

IssuingResult<crypto::purse::PurseKey> lock_key(const KeyStore& store, const IssuerPlace& place,
                                                const IssueOrder& order, const ChipSerial& chip,
                                                std::span<const KeyStamp> keys) {
    const Suite suite = suite_of(order);
    const auto version = lock_version(keys, suite);
    if (!version) return fail(IssuingRefusal::keys_missing, "the chip has no lock key of its own");
    const auto id =
        store.find(crypto::keys::city_key(place.city, KeyUse::application_lock, suite, *version));
    if (!id) return fail(IssuingRefusal::keys_missing, "the city's lock master of that version");
    const auto* const card = std::get_if<CardOrder>(&order);
    const std::array card_factor{card != nullptr ? crypto::purse::factor_of(card->number)
                                                 : crypto::purse::Factor{}};
    auto key =
        card != nullptr ? store.derive(*id, card_factor) : store.derive(*id, sam_own_factors(chip));
    if (!key) return fail(IssuingRefusal::keys_missing, crypto::keys::name(key.error()));
    return *std::move(key);
}

}  // namespace

std::vector<ShortCommand> block_opening_commands(ChipKind kind) {
    return {protocol::select_file(protocol::master_file), protocol::get_chip_info(),
            protocol::select_file(kind == ChipKind::card ? protocol::transit_application
                                                         : protocol::sam_application)};
}

IssuingResult<ChipSerial> read_block_opening(std::span<const ResponseBytes> responses) {
    ONECARD_CHECK(expect_answers(responses, 3));
    ONECARD_CHECK(answer_data(responses, 0));
    ONECARD_TRY(info, answer_data(responses, 1));
    const auto chip = protocol::ChipInfo::parse(info);
    if (!chip) {
        return fail(IssuingRefusal::response_malformed,
                    std::string{"answer 2, the chip's data: "} + protocol::name(chip.error()));
    }
    const auto selected = protocol::ResponseApdu::parse(responses[2]);
    const bool blocked =
        selected && static_cast<std::uint16_t>(selected->status()) == application_blocked;
    if (!blocked) ONECARD_CHECK(answer_data(responses, 2));
    return chip->serial;
}

IssuingResult<std::vector<ShortCommand>> block_commands(
    const KeyStore& store, const IssuerPlace& place, const IssueOrder& order,
    const ChipSerial& chip, std::span<const KeyStamp> keys,
    std::span<const ResponseBytes> challenge_answer) {
    ONECARD_CHECK(expect_answers(challenge_answer, 1));
    ONECARD_TRY(random, answer_data(challenge_answer, 0));
    std::array<std::uint8_t, 8> challenge{};
    if (random.size() != challenge.size()) {
        return fail(IssuingRefusal::response_malformed, "the challenge: not 8 bytes");
    }
    std::ranges::copy(random, challenge.begin());
    ONECARD_TRY(key, lock_key(store, place, order, chip, keys));
    constexpr crypto::purse::CommandHeader header{0x84, 0x1E, 0x00, 0x01, 0x04};  // 01: for good
    const auto mac =
        crypto::purse::secure_messaging_mac(key, crypto::purse::Challenge{challenge}, header, {});
    return std::vector{
        protocol::make_command(header[0], header[1], header[2], header[3], mac, std::nullopt)};
}

}  // namespace host::keys
