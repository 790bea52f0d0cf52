#include "firmware/os/commands.hpp"
#include "firmware/os/pin.hpp"

namespace firmware::commands {

using protocol::administrative_key_index;
using protocol::fail;

namespace {

constexpr std::size_t cryptogram_size = 8;

/// Compares with the PIN of the application. 63Cx with the tries left when it is another.
[[nodiscard]] Outcome<void> check_pin(Context& card, const Key& pin, Bytes presented) {
    card.session.rights.revoke(right::pin);
    ONECARD_TRY(left, card.keys.tries_left(pin));
    const auto wrong = protocol::tries_left(left > 0 ? left - 1U : 0U);
    // Sizes are compared as part of the secret: both are padded to the longest.
    const PaddedPin stored{pin.value.bytes(), pin.size};
    const PaddedPin offered{presented};
    const auto shown = card.prove(pin, stored.bytes(), offered.bytes(), wrong);
    if (!shown) card.session.rights.revoke(right::pin);  // once more
    return shown;
}

[[nodiscard]] Outcome<void> store_new_pin(Context& card, const Key& old, Bytes digits) {
    ONECARD_TRY(value, parse_pin(digits));
    Key fresh;
    fresh.owner = old.owner;
    fresh.usage = KeyUsage::pin;
    fresh.index = old.index;
    fresh.tries_max = old.tries_max;
    fresh.size = static_cast<std::uint8_t>(value.size());
    std::ranges::copy(value, fresh.value.bytes().begin());
    return card.write_key(fresh);
}

/// Are these the digits that the store has now?
[[nodiscard]] Outcome<void> confirm_pin(Context& card, Bytes digits) {
    ONECARD_TRY(stored, card.key(KeyUsage::pin, administrative_key_index));
    ONECARD_TRY(wanted, parse_pin(digits));
    return card.done_if(crypto::equal_constant_time(stored.bytes(), wanted));
}

/// 80 5E 01 00: old FF new. domain.md 1.1.
[[nodiscard]] Outcome<void> change_pin(Context& card, const Request& request) {
    ONECARD_TRY(pin, card.key(KeyUsage::pin, administrative_key_index));
    const auto separator = std::ranges::find(request.data, std::uint8_t{0xFF});
    const auto old_size = static_cast<std::size_t>(separator - request.data.begin());
    if (old_size + 1 >= request.data.size()) return fail(StatusWord::incorrect_data);
    ONECARD_CHECK(parse_pin(request.data.subspan(old_size + 1)));
    ONECARD_CHECK(check_pin(card, pin, request.data.first(old_size)));
    ONECARD_CHECK(store_new_pin(card, pin, request.data.subspan(old_size + 1)));
    return confirm_pin(card, request.data.subspan(look_again_at(old_size) + 1));
}

/// 80 5E 00 00: new MAC4 under the reload key. domain.md 1.1.
[[nodiscard]] Outcome<void> reload_pin(Context& card, const Request& request) {
    if (request.data.size() < 4) return fail(StatusWord::wrong_length);
    const Bytes digits = request.data.first(request.data.size() - 4);
    ONECARD_TRY(pin, card.key(KeyUsage::pin, administrative_key_index));
    ONECARD_TRY(reload, card.key(KeyUsage::pin_reload, administrative_key_index));
    const auto expected = crypto::purse::reload_pin_mac(reload.purse_key(), digits);
    ONECARD_CHECK(
        card.prove(reload, expected, request.data.last(4), StatusWord::secure_messaging_wrong));
    ONECARD_CHECK(store_new_pin(card, pin, digits));
    return confirm_pin(card, look_again_at(digits));
}

}  // namespace

Outcome<void> get_challenge(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    const auto le = request.apdu.le();
    if (!request.data.empty() || !le || (*le != 4 && *le != 8)) {
        return fail(StatusWord::wrong_length);
    }
    CardChallenge challenge{.is_eight = *le == 8};
    const auto random = MutableBytes{challenge.bytes}.first(*le);
    card.random.fill(random);
    card.answer.put(random);
    card.session.challenge = challenge;
    card.session.personalisation.reset();
    return {};
}

Outcome<void> external_authenticate(Context& card, const Request& request) {
    ONECARD_TRY(chip, read_chip_info(card.store));
    if (chip.life_cycle != protocol::LifeCycle::active) return open_session(card, request);
    if (request.p1() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.size() == cryptogram_size, StatusWord::wrong_length));
    if (!request.challenge) return fail(StatusWord::no_challenge);
    ONECARD_TRY(control, card.key(KeyUsage::control, KeyIndex{request.p2()}));
    card.session.rights.revoke(right::control_key);
    const auto expected = crypto::purse::authentication_cryptogram(
        control.purse_key(), crypto::purse::Challenge{request.challenge->bytes});
    ONECARD_TRY(left, card.keys.tries_left(control));
    ONECARD_CHECK(card.prove(control, expected, request.data,
                             protocol::tries_left(left > 0 ? left - 1U : 0U)));
    card.session.rights.grant(right::control_key);
    return {};
}

Outcome<void> internal_authenticate(Context& card, const Request& request) {
    if (request.p1() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.size() == cryptogram_size, StatusWord::wrong_length));
    ONECARD_TRY(key, card.key(KeyUsage::internal_authentication, KeyIndex{request.p2()}));
    std::array<std::uint8_t, 8> source{};
    std::ranges::copy(request.data, source.begin());
    card.answer.put(crypto::purse::authentication_cryptogram(key.purse_key(),
                                                             crypto::purse::Challenge{source}));
    return {};
}

Outcome<void> verify_pin(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_TRY(pin, card.key(KeyUsage::pin, administrative_key_index));
    if (request.data.empty()) {  // ISO/IEC 7816-4:2005, 7.5.6: asks how many tries are left
        ONECARD_TRY(left, card.keys.tries_left(pin));
        return fail(left == 0 ? StatusWord::authentication_blocked : protocol::tries_left(left));
    }
    ONECARD_CHECK(refuse_unless(request.data.size() <= 8, StatusWord::wrong_length));
    ONECARD_CHECK(check_pin(card, pin, strip_filling(request.data)));
    card.session.rights.grant(right::pin);
    return {};
}

Outcome<void> change_or_reload_pin(Context& card, const Request& request) {
    if (request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    if (request.p1() == 0x01) return change_pin(card, request);
    if (request.p1() == 0x00) return reload_pin(card, request);
    return fail(StatusWord::incorrect_p1_p2);
}

Outcome<void> unblock_pin(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_TRY(pin, card.key(KeyUsage::pin, administrative_key_index));
    ONECARD_TRY(left, card.keys.tries_left(pin));
    if (left != 0) return fail(StatusWord::conditions_not_satisfied);
    crypto::SecretBytes<32> text;
    if (request.data.size() > text.size) return fail(StatusWord::wrong_length);
    const auto enciphered = text.bytes().first(request.data.size());
    std::ranges::copy(request.data, enciphered.begin());
    const auto digits = crypto::purse::decipher(*request.cipher_key, enciphered);
    if (!digits) return fail(StatusWord::incorrect_data);
    ONECARD_CHECK(store_new_pin(card, pin, *digits));
    return confirm_pin(card, *digits);
}

Outcome<void> block_application(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() > 1) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    // The MF's lock key is the card's: it must not pass for an application's.
    if (card.session.directory == master_file) return fail(StatusWord::conditions_not_satisfied);
    const auto state = request.p2() == 1 ? FileState::terminated : FileState::deactivated;
    ONECARD_CHECK(card.files.set_state(card.change, card.session.directory, state));
    ONECARD_CHECK(card.commit(Urgency::ordinary));
    ONECARD_TRY(state_now, card.files.state(card.session.directory));
    const auto wanted = request.p2() == 1 ? FileState::terminated : FileState::deactivated;
    return card.done_if(state_now == wanted);
}

Outcome<void> unblock_application(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(state, card.files.state(card.session.directory));
    switch (state) {
        case FileState::active: return fail(StatusWord::conditions_not_satisfied);
        case FileState::terminated: return fail(StatusWord::application_permanently_blocked);
        case FileState::deactivated: break;
    }
    return card.files.set_state(card.change, card.session.directory, FileState::active);
}

Outcome<void> block_card(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    if (card.session.directory != master_file) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_TRY(chip, read_chip_info(card.store));
    chip.life_cycle = protocol::LifeCycle::blocked;
    ONECARD_CHECK(stage_chip_info(card.change, chip));
    ONECARD_CHECK(card.commit(Urgency::ordinary));
    ONECARD_TRY(chip_now, read_chip_info(card.store));
    return card.done_if(chip_now.life_cycle == protocol::LifeCycle::blocked);
}

}  // namespace firmware::commands
