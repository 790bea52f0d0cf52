#include "firmware/os/card.hpp"

#include <utility>

#include "firmware/os/command_table.hpp"
#include "firmware/os/commands.hpp"

namespace firmware {

using protocol::CommandApdu;
using protocol::fail;

namespace {

constexpr std::uint8_t secure_messaging_bit = 0x04;  // CLA, ISO/IEC 7816-4:2005, 5.1.1, table 2
constexpr std::size_t mac_size = 4;
constexpr std::uint8_t get_data_ins = 0xCA;

/// The class without its protection bit. Channel 0 only, no chaining.
[[nodiscard]] Outcome<std::uint8_t> check_class(std::uint8_t cla) {
    const auto base = static_cast<std::uint8_t>(cla & ~secure_messaging_bit);
    if (base == 0x00 || base == 0x80 || base == 0xE0) return base;
    const auto without_channel = static_cast<std::uint8_t>(base & ~0x03);
    if (without_channel == 0x00 || without_channel == 0x80) {
        return fail(StatusWord::channel_not_supported);
    }
    return fail(StatusWord::class_not_supported);
}

/// docs/card_commands.md, 3: blank and blocked cards know little.
[[nodiscard, gnu::noinline]] Outcome<void> check_life_cycle(const Context& card,
                                                            const Command& command) {
    ONECARD_TRY(chip, read_chip_info(card.store));
    const bool is_active = chip.life_cycle == protocol::LifeCycle::active;
    if (chip.life_cycle == protocol::LifeCycle::blocked && command.ins != get_data_ins) {
        return fail(StatusWord::function_not_supported);
    }
    if (command.needs == Needs::session) {
        if (is_active) return fail(StatusWord::conditions_not_satisfied);
        if (!card.session.personalisation) return fail(StatusWord::security_status_not_satisfied);
    }
    return {};
}

[[nodiscard, gnu::noinline]] Outcome<void> check_application(const Context& card,
                                                             const Command& command) {
    using protocol::ApplicationKind;
    const Session& session = card.session;
    const bool is_known =
        command.where == Where::anywhere ||
        (command.where == Where::purse && session.application == ApplicationKind::transit_purse) ||
        (command.where == Where::sam && session.application == ApplicationKind::purchase_sam);
    if (!is_known) return fail(StatusWord::instruction_not_supported);
    if (command.needs == Needs::nothing) return {};
    ONECARD_TRY(state, card.files.state(session.directory));
    switch (state) {
        case FileState::active: return {};
        case FileState::deactivated: return fail(StatusWord::function_not_supported);
        case FileState::terminated: return fail(StatusWord::application_permanently_blocked);
    }
    return fail(StatusWord::no_precise_diagnosis);
}

[[nodiscard]] Outcome<void> check_le(const CommandApdu& apdu, const Command& command) {
    if (apdu.le() && *apdu.le() < command.le_answer) {
        return fail(protocol::correct_le(command.le_answer));
    }
    return {};
}

[[nodiscard]] crypto::purse::CommandHeader header_of(const CommandApdu& apdu) {
    return {apdu.cla(), apdu.ins(), apdu.p1(), apdu.p2(),
            static_cast<std::uint8_t>(apdu.data().size())};
}

// noinline: the handlers run on top of `run`'s frame, which need not hold what was done before.
/// Section 3: the session's key, the command's number.
[[nodiscard, gnu::noinline]] Outcome<void> check_session_mac(Context& card, Request& request,
                                                             Bytes mac) {
    auto& session = *card.session.personalisation;
    const auto expected = crypto::purse::secure_messaging_mac(
        session.mac_key, session.starting_value(), header_of(request.apdu), request.data);
    card.proof.compare(expected, mac);
    if (!card.proof.is_right()) return fail(StatusWord::secure_messaging_wrong);
    request.with_mac = true;
    request.cipher_key = session.encryption_key.duplicate();
    return {};
}

/// Section 4: the application's key for this command, the challenge just before.
[[nodiscard, gnu::noinline]] Outcome<void> check_operational_mac(Context& card,
                                                                 const Command& command,
                                                                 Request& request, Bytes mac) {
    if (!request.challenge) return fail(StatusWord::no_challenge);
    ONECARD_TRY(key, card.key(command.mac_key, protocol::administrative_key_index));
    const auto purse_key = key.purse_key();
    const auto expected = crypto::purse::secure_messaging_mac(
        purse_key, crypto::purse::Challenge{request.challenge->bytes}, header_of(request.apdu),
        request.data);
    ONECARD_CHECK(card.prove(key, expected, mac, StatusWord::secure_messaging_wrong));
    request.with_mac = true;
    request.cipher_key = purse_key.duplicate();
    return {};
}

[[nodiscard]] Outcome<void> check_protection(Context& card, const Command& command,
                                             Request& request) {
    const bool is_protected = (request.apdu.cla() & secure_messaging_bit) != 0;
    if (!is_protected) {
        const bool needs = command.protection == Protection::always;
        return refuse_unless(!needs, StatusWord::secure_messaging_missing);
    }
    if (command.protection == Protection::none) {
        return fail(StatusWord::secure_messaging_not_supported);
    }
    if (request.data.size() < mac_size) return fail(StatusWord::secure_messaging_missing);
    const Bytes mac = request.data.last(mac_size);
    request.data = request.data.first(request.data.size() - mac_size);
    if (card.session.personalisation) return check_session_mac(card, request, mac);
    return check_operational_mac(card, command, request, mac);
}

/// Everything before the commit. The checks stand in the documented order.
[[nodiscard]] Outcome<Urgency> run(Context& card, Bytes raw) {
    const auto challenge = std::exchange(card.session.challenge, std::nullopt);
    const auto parsed = CommandApdu::parse(raw);
    if (!parsed || parsed->is_extended()) return fail(StatusWord::wrong_length);
    ONECARD_TRY(cla, check_class(parsed->cla()));
    const Command* command = card.command = find_command(cla, parsed->ins());
    if (command == nullptr) return fail(StatusWord::instruction_not_supported);
    ONECARD_CHECK(check_life_cycle(card, *command));
    ONECARD_CHECK(check_application(card, *command));
    ONECARD_CHECK(check_le(*parsed, *command));
    if (!command->continues) card.close_transactions();
    Request request{.apdu = *parsed, .data = parsed->data(), .challenge = challenge};
    ONECARD_CHECK(check_protection(card, *command, request));
    ONECARD_CHECK(command->run(card, request));
    if (request.with_mac && card.session.personalisation) {
        ++card.session.personalisation->command_number;
    }
    return command->urgency;
}

[[nodiscard]] Outcome<void> run_and_commit(Context& card, Bytes raw) {
    ONECARD_TRY(urgency, run(card, raw));
    if (card.command->success == Success::deed && !card.is_done) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    if (card.is_settled && card.change.empty()) return {};
    const auto done = card.commit(urgency);
    if (!done) card.session.rights = {};  // what VERIFY proved did not become durable
    return done;
}

/// The loop's decisions once more and in another form, from the flash: is the chip or the
/// application blocked, and was everything shown that had to be?
[[nodiscard, gnu::noinline]] Outcome<void> look_again(const Context& card) {
    using protocol::LifeCycle;
    const Command& command = *card.command;
    ONECARD_TRY(chip, read_chip_info(card.store));
    constexpr auto blocked = static_cast<std::uint8_t>(LifeCycle::blocked);
    const auto lacking = static_cast<std::uint8_t>(~static_cast<std::uint8_t>(chip.life_cycle));
    if ((lacking & blocked) == 0 && command.ins != get_data_ins) {
        return fail(StatusWord::function_not_supported);
    }
    if (command.needs == Needs::active_directory) {
        ONECARD_TRY(state, card.files.state(card.session.directory));
        const auto other =
            static_cast<std::uint8_t>(state) ^ static_cast<unsigned>(FileState::active);
        if (other != 0) return fail(StatusWord::function_not_supported);
    }
    const bool must_prove = command.success != Success::any ||
                            command.protection == Protection::always || card.proof.was_asked();
    if (must_prove && !card.proof.is_still_right()) return fail(StatusWord::no_precise_diagnosis);
    return {};
}

/// A refused command changes nothing, except that a try which was right comes back.
void forget_refused(Context& card) {
    card.change.clear();
    card.close_transactions();
    card.session.personalisation.reset();
    if (card.proven && card.proof.is_still_right() &&
        card.keys.give_back(card.change, *card.proven)) {
        // If even this fails, the try stays lost: the safe side.
        (void)card.store.commit(card.change, Urgency::tap);
    }
    card.change.clear();
}

/// A refusal never reads like a success, whatever has become of its reason.
[[nodiscard]] StatusWord refusal(StatusWord why) {
    return why == StatusWord::ok ? StatusWord::no_precise_diagnosis : why;
}

}  // namespace

Outcome<void> Context::prove(const Key& key, Bytes expected, Bytes received, StatusWord wrong) {
    ONECARD_TRY(left, keys.tries_left(key));
    ONECARD_CHECK(keys.take_try(key));
    ONECARD_TRY(left_now, keys.tries_left(key));
    if (left_now + 1U != left) return fail(StatusWord::no_precise_diagnosis);  // was it taken?
    proof.compare(expected, received);
    if (!proof.is_right()) return fail(wrong);
    proven = key.slot;
    return keys.give_back(change, key.slot);
}

Outcome<void> Context::commit(Urgency urgency) {
    ONECARD_CHECK(look_again(*this));
    is_settled = true;
    if (change.empty()) return {};
    return store.commit(change, urgency);
}

Outcome<void> Context::done_if(bool is_there) {
    is_done = is_there;
    return refuse_unless(is_there, StatusWord::memory_failure);
}

Outcome<FileHandle> Context::short_file(std::uint8_t sfi) const {
    const auto own = files.by_short_identifier(session.directory, ShortFileIdentifier{sfi});
    if (own || own.error() != StatusWord::file_not_found) return own;
    return files.by_short_identifier(master_file, ShortFileIdentifier{sfi});
}

Outcome<Key> Context::key(KeyUsage usage, KeyIndex index, StatusWord absent) const {
    const auto slot = keys.find(session.directory, usage, index);
    if (!slot) {
        const bool is_absent = slot.error() == StatusWord::referenced_data_not_found;
        return fail(is_absent ? absent : slot.error());
    }
    auto key = keys.load(*slot);
    // What was found once more: it is the key that was asked for.
    if (key && (key->slot != *slot || key->owner != session.directory || key->usage != usage ||
                key->index != index)) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    return key;
}

Outcome<void> Context::write_key(const Key& fresh, std::uint8_t used) {
    ONECARD_CHECK(keys.write(change, fresh, used));
    ONECARD_CHECK(commit(Urgency::ordinary));
    ONECARD_TRY(stored, key(fresh.usage, fresh.index));
    const bool is_there = crypto::equal_constant_time(stored.bytes(), fresh.bytes());
    return refuse_unless(is_there, StatusWord::memory_failure);
}

Outcome<Atr> Card::reset() {
    context_.session = {};
    context_.change.clear();
    context_.proven.reset();
    context_.proof.forget();
    ONECARD_CHECK(store_.mount());
    ONECARD_CHECK(migrate(store_, context_.change, *known_));
    ONECARD_TRY(chip, read_chip_info(store_));
    ONECARD_CHECK(enter_directory(context_, master_file));
    // ISO/IEC 7816-3:2006, 8.2: TS, T0 (TD1 follows, 14 historical bytes), TD1 (T=1), ..., TCK.
    // Historical bytes: ISO/IEC 7816-4:2005, 8.1.1; docs/card_commands.md, 2.
    Atr atr{0x3B, 0x8E, 0x01, 0x80, 0x73, 0x94, 0x01, 0x00, 0x68};
    std::ranges::copy(chip.serial.value(), atr.begin() + 9);
    std::uint8_t tck = 0;
    for (std::size_t i = 1; i + 1 < atr.size(); ++i) tck ^= atr[i];
    atr.back() = tck;
    return atr;
}

std::size_t Card::process(Bytes command, ResponseBuffer response) {
    constexpr std::size_t status_size = 2;
    context_.answer = protocol::ByteWriter{response.first(response.size() - status_size)};
    context_.warning = StatusWord::ok;
    context_.proven.reset();
    context_.proof.forget();
    context_.is_settled = context_.is_done = false;
    auto done = run_and_commit(context_, command);
    // The store empties what it has taken: nothing that was staged is left, whoever was to commit.
    const bool is_kept = context_.is_settled && context_.change.empty();
    if (done && !(is_kept && context_.answer.ok())) done = fail(StatusWord::no_precise_diagnosis);
    if (!done) forget_refused(context_);
    const std::size_t size = done ? context_.answer.size() : 0;
    StatusWord word = done ? context_.warning : done.error();
    if (!look_again_at(done)) word = refusal(look_again_at(word));
    const auto status = static_cast<std::uint16_t>(word);
    crypto::wipe(response.subspan(size));
    response[size] = static_cast<std::uint8_t>(status >> 8);
    response[size + 1] = static_cast<std::uint8_t>(status);
    return size + status_size;
}

void Card::housekeeping() {
    // A failure shows at the next command that writes.
    (void)store_.housekeeping_step();
}

}  // namespace firmware
