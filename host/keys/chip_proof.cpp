#include "host/keys/chip_proof.hpp"

#include "crypto/purse/secure_messaging.hpp"
#include "host/keys/stores.hpp"

namespace host::keys {
namespace {

using crypto::purse::Factor;
using crypto::purse::PurseKey;

constexpr std::uint8_t first_key_index = 0x01;

std::unexpected<IssuingFailure> fail(IssuingRefusal refusal, std::string detail) {
    return std::unexpected{IssuingFailure{refusal, std::move(detail)}};
}

std::unexpected<IssuingFailure> key_missing(const std::string& label, KeyUse use) {
    return fail(IssuingRefusal::keys_missing, label + " " + name(use));
}

/// A SAM holds the window of its day. The oldest root is in it whether the SAM was made before the
/// newest came or after.
std::optional<ActiveKey> oldest_root(const KeyStore& store) {
    const auto window = window_of(store, "national", KeyUse::purchase, Suite::sm4);
    if (window.empty()) return std::nullopt;
    return window.back();
}

/// A purchase of nothing by a card that does not exist: the challenge is its factor.
IssuingResult<protocol::SamPurchaseData> sam_question(const KeyStore& store, const SamOrder& sam,
                                                      const IssuerPlace& place,
                                                      const ProofChallenge& challenge) {
    const auto root = oldest_root(store);
    if (!root) return key_missing("national", KeyUse::purchase);
    protocol::SamPurchaseData question{};
    std::ranges::copy(std::span{challenge}.first<4>(), question.random.begin());
    question.type = protocol::TransactionType::capp_purchase;
    question.when = {sam.valid_from, {}};
    question.key_version = root->version;
    question.suite = Suite::sm4;
    question.card_factor = challenge;
    question.issuer_factor = place.issuer.value();
    return question;
}

std::vector<ShortCommand> card_commands(const ProofChallenge& challenge) {
    return {protocol::select_file(protocol::transit_application),
            protocol::make_command(0x00, 0x88, 0x00, first_key_index, challenge, 8)};
}

IssuingResult<void> check_card(const KeyStore& store, const CardOrder& card,
                               const IssuerPlace& place, const ProofChallenge& challenge,
                               protocol::Bytes answer) {
    const std::array factors{crypto::purse::factor_of(card.number)};
    const std::string label = crypto::keys::city_label(place.city);
    const auto window = window_of(store, label, KeyUse::internal_authentication, card.suite);
    if (window.empty()) return key_missing(label, KeyUse::internal_authentication);
    for (const ActiveKey& master : window) {  // another may have become active meanwhile
        const auto key = store.derive(master.id, factors);
        if (!key) return key_missing(label, KeyUse::internal_authentication);
        const auto expected =
            crypto::purse::authentication_cryptogram(*key, crypto::purse::Challenge{challenge});
        if (crypto::equal_constant_time(answer, expected)) return {};
    }
    return fail(IssuingRefusal::receipt_wrong, "the chip does not hold this card's keys");
}

IssuingResult<void> check_sam(const KeyStore& store, const SamOrder& sam, const IssuerPlace& place,
                              const ProofChallenge& challenge, protocol::Bytes answer) {
    const auto parsed = protocol::SamPurchaseAnswer::parse(answer);
    if (!parsed) return fail(IssuingRefusal::response_malformed, "answer 2: not 8 bytes");
    ONECARD_TRY(question, sam_question(store, sam, place, challenge));
    const std::array factors{Factor{question.issuer_factor}, Factor{question.card_factor}};
    const auto root = oldest_root(store);
    const auto key = root ? store.derive(root->id, factors)
                          : std::unexpected{crypto::keys::KeyError::key_unknown};
    if (!key) return key_missing("national", KeyUse::purchase);
    const auto process = crypto::purse::offline_process_key(*key, question.random, question.counter,
                                                            parsed->sequence);
    const auto expected = crypto::purse::purse_mac(
        process,
        protocol::purchase_mac1_input(question.amount, question.type, sam.terminal, question.when));
    if (crypto::equal_constant_time(parsed->mac1, expected)) return {};
    return fail(IssuingRefusal::receipt_wrong, "the chip does not hold this SAM's keys and number");
}

}  // namespace

IssuingResult<std::vector<ShortCommand>> proof_commands(const KeyStore& store,
                                                        const IssueOrder& order,
                                                        const IssuerPlace& place,
                                                        const ProofChallenge& challenge) {
    const auto* sam = std::get_if<SamOrder>(&order);
    if (sam == nullptr) return card_commands(challenge);
    ONECARD_TRY(question, sam_question(store, *sam, place, challenge));
    return std::vector{protocol::select_file(protocol::sam_application),
                       protocol::init_sam_for_purchase(question)};
}

IssuingResult<void> check_proof(const KeyStore& store, const IssueOrder& order,
                                const IssuerPlace& place, const ProofChallenge& challenge,
                                std::span<const ResponseBytes> responses) {
    ONECARD_CHECK(expect_answers(responses, 2));
    ONECARD_CHECK(answer_data(responses, 0));
    ONECARD_TRY(answer, answer_data(responses, 1));
    if (const auto* card = std::get_if<CardOrder>(&order)) {
        return check_card(store, *card, place, challenge, answer);
    }
    return check_sam(store, std::get<SamOrder>(order), place, challenge, answer);
}

}  // namespace host::keys
