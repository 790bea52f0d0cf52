#include "firmware/os/card.hpp"
#include "firmware/os/commands.hpp"
#include "firmware/os/pin.hpp"
#include "firmware/purse/commands.hpp"
#include "firmware/purse/state.hpp"
#include "firmware/sam/commands.hpp"

namespace firmware {

using protocol::ApplicationKind;
using protocol::ChipInfo;
using protocol::fail;
using protocol::LifeCycle;

namespace {

constexpr std::uint8_t transport_tries_max = 10;
constexpr std::uint8_t no_suite = 0xFF;

[[nodiscard]] Outcome<crypto::purse::PurseKey> load_transport_key(const Store& store,
                                                                  const ChipInfo& chip) {
    crypto::SecretBytes<key_value_size_max> value;
    ONECARD_TRY(size, store.read(objects::transport_key, value.bytes()));
    if (size != value.size || !protocol::is_suite(chip.transport_suite)) {
        return fail(StatusWord::memory_failure);
    }
    return crypto::purse::PurseKey{static_cast<protocol::Suite>(chip.transport_suite),
                                   value.bytes()};
}

}  // namespace

Outcome<ChipInfo> read_chip_info(const Store& store) {
    std::array<std::uint8_t, ChipInfo::size> bytes{};
    ONECARD_TRY(size, store.read(objects::chip, bytes));
    const auto chip = ChipInfo::parse(Bytes{bytes}.first(size));
    if (!chip) return fail(StatusWord::memory_failure);
    return *chip;
}

Outcome<void> stage_chip_info(Transaction& change, const ChipInfo& chip) {
    return change.put(objects::chip, chip.bytes());
}

Outcome<void> Card::manufacture(Flash& flash, crypto::Random& random,
                                const protocol::ChipSerial& serial,
                                const crypto::purse::PurseKey& transport_key, KeyVersion version) {
    std::array<std::uint8_t, 8> mask_seed{};
    random.fill(mask_seed);
    ONECARD_CHECK(Store::format(flash, mask_seed));
    Store store{flash};
    ONECARD_CHECK(store.mount());
    Transaction change;
    FileDescription master{.identifier = master_file_identifier, .type = FileType::dedicated};
    master.name_size = protocol::master_file_name.size();
    std::ranges::copy(protocol::master_file_name, master.name.begin());
    ONECARD_CHECK(FileSystem{store}.create_master(change, master));
    ONECARD_CHECK(stage_chip_info(
        change,
        {serial, LifeCycle::blank, static_cast<std::uint8_t>(transport_key.suite), version}));
    ONECARD_CHECK(change.put_masked(objects::transport_key, transport_key.value.bytes()));
    return store.commit(change, Urgency::ordinary);
}

namespace commands {
namespace {

/// Every object but the chip's own and the MF's description, in as many commits as it takes: a torn
/// ERASE is begun again by the next session.
[[nodiscard]] Outcome<void> erase_objects(Context& card) {
    for (std::uint16_t id = objects::key_first; id < object_count_max; ++id) {
        const bool is_master = id == file_object_first + master_file.value();
        if (is_master || !card.store.contains(ObjectId{id})) continue;
        if (card.change.erase(ObjectId{id})) continue;
        ONECARD_CHECK(card.commit(Urgency::ordinary));
        ONECARD_CHECK(card.change.erase(ObjectId{id}));
    }
    return card.commit(Urgency::ordinary);
}

/// The number of the next application: one more than there are.
[[nodiscard]] Outcome<std::uint8_t> next_instance(const Context& card) {
    std::uint8_t count = 0;
    for (std::uint8_t i = 1; i < file_count_max; ++i) {
        const auto file = card.files.describe(FileHandle{i});
        if (!file && file.error() == StatusWord::file_not_found) break;
        if (!file) return fail(file.error());
        if (file->type == FileType::dedicated) ++count;
    }
    if (count >= objects::instance_count) return fail(StatusWord::not_enough_memory);
    return count;
}

/// 38 kind1 AID(5..16). The new DF and its application's state are one commit.
[[nodiscard]] Outcome<void> create_application(Context& card, FileIdentifier identifier,
                                               Bytes data) {
    if (data.size() < 2 + 5 || data.size() > 2 + dedicated_file_name_max ||
        !protocol::is_application_kind(data[1])) {
        return fail(StatusWord::incorrect_data);
    }
    ONECARD_TRY(instance, next_instance(card));
    FileDescription directory{.identifier = identifier, .type = FileType::dedicated};
    directory.application = static_cast<std::uint8_t>(instance << 4 | data[1]);
    directory.name_size = static_cast<std::uint8_t>(data.size() - 2);
    std::ranges::copy(data.subspan(2), directory.name.begin());
    ONECARD_TRY(file, card.files.create(card.change, master_file, directory));
    switch (static_cast<ApplicationKind>(data[1])) {
        case ApplicationKind::none: break;
        case ApplicationKind::transit_purse:
            ONECARD_CHECK(purse::stage_new(card.change, instance));
            break;
        case ApplicationKind::purchase_sam:
            ONECARD_CHECK(sam::stage_new(card.change, instance));
            break;
    }
    ONECARD_CHECK(card.commit(Urgency::ordinary));
    return enter_directory(card, file);
}

[[nodiscard]] AccessCondition condition(protocol::Access access) {
    const auto byte = static_cast<std::uint8_t>(access);
    if (access == protocol::Access::nobody || access == protocol::Access::capp) {
        return AccessCondition::never();
    }
    switch (static_cast<protocol::Access>(byte & 0x03)) {
        case protocol::Access::pin: return AccessCondition::rights(right::pin);
        case protocol::Access::control_key: return AccessCondition::rights(right::control_key);
        default: return AccessCondition::free();  // 00, and 03: its MAC is the condition
    }
}

/// type1 sfi1 read1 update1 count1 size2.
[[nodiscard]] Outcome<void> create_elementary(Context& card, FileIdentifier identifier,
                                              Bytes data) {
    const auto wanted =
        protocol::FileDefinition::parse(protocol::FileIdentifier{identifier.value()}, data);
    if (!wanted) return fail(StatusWord::incorrect_data);
    const auto update = static_cast<std::uint8_t>(wanted->update);
    const bool needs_mac =
        condition(wanted->update) == AccessCondition::free() && (update & 0x03) == 0x03;
    FileDescription file{.identifier = identifier,
                         .type = static_cast<FileType>(wanted->type),
                         .short_identifier = wanted->sfi,
                         .read = condition(wanted->read),
                         .update = condition(wanted->update),
                         .append = condition(wanted->update),
                         .messaging = needs_mac ? messaging::update_mac : std::uint8_t{0},
                         .size = wanted->size,
                         .record_count = wanted->count};
    if (protocol::permits_capp(wanted->update)) file.messaging |= capp_permitted;
    ONECARD_CHECK(card.files.create(card.change, card.session.directory, file));
    return {};
}

/// Keys that are compared with what an outsider sends need a try counter.
[[nodiscard]] bool is_compared(KeyUsage usage) {
    switch (usage) {
        case KeyUsage::transaction_certificate:
        case KeyUsage::internal_authentication:
        case KeyUsage::sam_purchase:
        case KeyUsage::sam_delegated_mac: return false;
        default: return true;
    }
}

/// key16, and of a delegated SAM key its uses2.
[[nodiscard]] Outcome<Bytes> take_key(Key& key, Bytes value) {
    const bool has_uses = key.usage == KeyUsage::sam_delegated_mac;
    const std::size_t size = key_value_size_max + (has_uses ? protocol::key_uses_size : 0);
    if (value.size() != size || !protocol::is_suite(key.suite)) {
        return fail(StatusWord::incorrect_data);
    }
    if (has_uses) {
        const auto uses = value.last<protocol::key_uses_size>();
        key.uses = protocol::KeyUses{static_cast<std::uint16_t>(protocol::read_big_endian(uses))};
        ONECARD_CHECK(
            refuse_unless(protocol::is_delegated_limit(key.limit), StatusWord::incorrect_data));
    }
    return value.first(key_value_size_max);
}

/// version1 suite1 tries1 limit1 value, for this usage and index.
struct NewKey {
    Key key;
    std::uint8_t used;
};
[[nodiscard]] Outcome<NewKey> parse_key(const Request& request, FileHandle owner, Bytes plain) {
    constexpr std::size_t header_size = protocol::KeyHeader::size;
    if (plain.size() < header_size || !protocol::is_key_usage(request.p1())) {
        return fail(StatusWord::incorrect_data);
    }
    NewKey fresh;
    Key& key = fresh.key;
    key.owner = owner;
    key.usage = static_cast<KeyUsage>(request.p1());
    key.index = KeyIndex{request.p2()};
    key.version = KeyVersion{plain[0]};
    key.suite = plain[1];
    key.tries_max = plain[2] >> 4;
    key.limit = plain[3];
    const std::uint8_t left = plain[2] & 0x0F;
    Bytes value = plain.subspan(header_size);
    if (key.usage == KeyUsage::pin) {
        ONECARD_TRY(digits, parse_pin(value));
        value = digits;
    } else {
        ONECARD_TRY(bytes, take_key(key, value));
        value = bytes;
    }
    if (left > key.tries_max || (is_compared(key.usage) && key.tries_max == 0)) {
        return fail(StatusWord::incorrect_data);
    }
    fresh.used = static_cast<std::uint8_t>(key.tries_max - left);
    key.size = static_cast<std::uint8_t>(value.size());
    std::ranges::copy(value, key.value.bytes().begin());
    return fresh;
}

}  // namespace

Outcome<void> get_data(Context& card, const Request& request) {
    const bool is_purse = card.session.application == ApplicationKind::transit_purse;
    if (is_purse && request.p1() == 0x00 && request.p2() == 0x00) {
        return purse::get_security_code(card, request);
    }
    if (request.p1() != 0xDF || request.p2() != 0x20) {
        return fail(StatusWord::referenced_data_not_found);
    }
    ONECARD_CHECK(check_le(request, ChipInfo::size));
    ONECARD_TRY(chip, read_chip_info(card.store));
    card.answer.put(chip.bytes());
    return {};
}

Outcome<void> open_session(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.size() == 8, StatusWord::wrong_length));
    if (!request.challenge || !request.challenge->is_eight) return fail(StatusWord::no_challenge);
    ONECARD_TRY(chip, read_chip_info(card.store));
    ONECARD_TRY(transport, load_transport_key(card.store, chip));
    ONECARD_TRY(used, card.store.counter(objects::transport_key_tries));
    crypto::purse::SessionState session{transport, request.challenge->bytes};
    const auto expected = crypto::purse::session_cryptogram(session, request.challenge->bytes);
    if (used >= transport_tries_max) return fail(StatusWord::authentication_blocked);
    ONECARD_CHECK(card.store.tick(objects::transport_key_tries));
    ONECARD_TRY(used_now, card.store.counter(objects::transport_key_tries));
    if (used_now != used + 1U || used_now > transport_tries_max) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    card.proof.compare(expected, request.data);
    if (!card.proof.is_right()) return fail(protocol::tries_left(transport_tries_max - used - 1U));
    ONECARD_CHECK(card.change.reset_counter(objects::transport_key_tries));
    chip.life_cycle = LifeCycle::personalising;
    ONECARD_CHECK(stage_chip_info(card.change, chip));
    card.session.personalisation.emplace(std::move(session));
    return {};
}

Outcome<void> erase(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_CHECK(erase_objects(card));
    return enter_directory(card, master_file);
}

Outcome<void> create_file(Context& card, const Request& request) {
    const FileIdentifier identifier{static_cast<std::uint16_t>(request.p1() << 8 | request.p2())};
    if (request.data.empty()) return fail(StatusWord::incorrect_data);
    if (request.data[0] == static_cast<std::uint8_t>(protocol::FileType::application)) {
        return create_application(card, identifier, request.data);
    }
    return create_elementary(card, identifier, request.data);
}

Outcome<void> write_key(Context& card, const Request& request) {
    crypto::SecretBytes<32> text;
    if (request.data.size() > text.size) return fail(StatusWord::wrong_length);
    const auto enciphered = text.bytes().first(request.data.size());
    std::ranges::copy(request.data, enciphered.begin());
    const auto plain = crypto::purse::decipher(*request.cipher_key, enciphered);
    if (!plain) return fail(StatusWord::incorrect_data);
    ONECARD_TRY(fresh, parse_key(request, card.session.directory, *plain));
    if (!card.session.personalisation) {  // only replaces
        const auto old = card.keys.find(fresh.key.owner, fresh.key.usage, fresh.key.index);
        const bool is_absent = !old && old.error() == StatusWord::referenced_data_not_found;
        if (!old) return fail(is_absent ? StatusWord::conditions_not_satisfied : old.error());
    }
    ONECARD_CHECK(card.write_key(fresh.key, fresh.used));
    // It is the key that was sent.
    ONECARD_TRY(stored, card.key(static_cast<KeyUsage>(request.p1()), KeyIndex{request.p2()}));
    const Bytes header = plain->first(protocol::KeyHeader::size);
    const Bytes sent = plain->subspan(protocol::KeyHeader::size, stored.size);
    const bool is_it = stored.version == KeyVersion{header[0]} && stored.suite == header[1] &&
                       stored.tries_max == header[2] >> 4 && stored.limit == header[3] &&
                       crypto::equal_constant_time(stored.bytes(), sent);
    return card.done_if(is_it);
}

Outcome<void> activate(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(chip, read_chip_info(card.store));
    card.answer.put(crypto::purse::activation_receipt(*card.session.personalisation, chip.serial));
    chip.life_cycle = LifeCycle::active;
    chip.transport_suite = no_suite;
    chip.transport_version = KeyVersion{0xFF};
    ONECARD_CHECK(stage_chip_info(card.change, chip));
    ONECARD_CHECK(card.change.erase(objects::transport_key));
    ONECARD_CHECK(card.change.erase(objects::transport_key_tries));
    card.session.personalisation.reset();
    return {};
}

}  // namespace commands
}  // namespace firmware
