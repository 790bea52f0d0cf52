#include "tests/firmware/os/status_word_chips.hpp"

#include <stdexcept>

#include "firmware/kernel/log_format.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::status_words {

using firmware::ObjectId;
using firmware::Store;
using protocol::KeyIndex;
using protocol::TransactionType;
namespace objects = firmware::objects;

namespace {

void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error{what};
}
[[nodiscard]] bool is_card(const Chip& chip) {
    return chip.label() == "card";
}
[[nodiscard]] bool is_sam(const Chip& chip) {
    return chip.label() == "sam";
}

[[nodiscard]] protocol::ShortCommand init_sam(const protocol::PurchaseInitialised& opened) {
    return protocol::init_sam_for_purchase({opened.random, opened.counter,
                                            protocol::Money::from_fen(1), TransactionType::purchase,
                                            noon(), opened.key_version, opened.suite,
                                            protocol::card_factor(card_number), issuer.value()});
}

[[nodiscard]] protocol::ShortCommand any_init_sam() {
    return init_sam({protocol::Money::from_fen(1), protocol::OfflineCounter{7}, 0, key_version,
                     Suite::sm4, protocol::CardRandom{1, 2, 3, 4}});
}

/// Writes into the memory behind the card's back.
void write_behind(Chip& chip, const std::function<void(Store&)>& write) {
    Store store{chip.flash()};
    require(store.mount().has_value(), "the chip does not mount");
    write(store);
    chip.power_on();
    select_own(chip);
}

}  // namespace

// ---- Chips -------------------------------------------------------------------------------------

Chip ready_card() {
    static const Chip stock = [] {
        Chip card = issued_card();
        Chip sam = issued_sam();
        load(card, 5'000);
        card.must(debit(open_purchase(card, sam, 1, TransactionType::purchase)));
        return card;
    }();
    Chip card = stock.clone();
    select_own(card);
    return card;
}

Chip ready_sam() {
    static const Chip stock = issued_sam();
    Chip sam = stock.clone();
    select_own(sam);
    return sam;
}

Chip blank() {
    static const Chip stock = [] {
        Chip chip{"blank"};
        chip.manufacture(card_serial);
        return chip;
    }();
    return stock.clone();
}

namespace {

void build(Chip& chip) {
    auto script = transit_card_script(challenge_of(chip), card_serial, Suite::sm4);
    script.pop_back();  // ACTIVATE
    for (const auto& command : script) chip.must(command);
}

}  // namespace

Chip unfinished() {
    static const Chip stock = [] {
        Chip chip = blank();
        build(chip);
        return chip;
    }();
    return stock.clone();
}

Chip rich_card() {
    static const Chip stock = [] {
        Chip card{"card"};
        card.manufacture(card_serial);
        build(card);
        auto session = open_session(card);
        select_own(card);
        const auto create = [&](std::uint8_t number, std::string_view definition) {
            const Data data = hex(definition);
            card.must(session.protect({{0x84, 0xE0, 0x00, number}, data}));
        };
        create(0x19, "28 19 01 FF 01 0010");
        create(0x1B, "2C 1B 01 01 02 0010");
        create(0x1C, "2A 1C 00 7F 02 0010");
        for (const char* record : {"1122", "3344"}) {
            const Data data = hex(record);
            card.must(session.protect(protocol::append_record_command(0x1B, data)));
        }
        card.must(session.activate(card_serial).command);
        card.power_on();
        select_own(card);
        load(card, 5'000);
        return card;
    }();
    Chip card = stock.clone();
    select_own(card);
    return card;
}

Chip& terminal_sam() {
    static Chip sam = ready_sam();
    return sam;
}

crypto::purse::PersonalisationSession open_session(Chip& chip) {
    crypto::purse::PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
        challenge_of(chip)};
    chip.must(session.authenticate());
    return session;
}

std::array<std::uint8_t, 8> challenge_of(Chip& chip) {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), out.begin());
    return out;
}

Data bytes_of(const protocol::ShortCommand& command) {
    return {command.bytes().begin(), command.bytes().end()};
}

// ---- States ------------------------------------------------------------------------------------

void select_own(Chip& chip) {
    if (is_card(chip)) chip.must(protocol::select_by_name(protocol::transit_aid));
    if (is_sam(chip)) chip.must(protocol::select_by_name(protocol::sam_aid));
}

void select_master(Chip& chip) {
    chip.must(protocol::select_file(protocol::master_file));
}

void verify(Chip& card) {
    card.must(protocol::verify_pin(first_pin));
}

void block_pin(Chip& card) {
    constexpr std::array<std::uint8_t, 3> wrong_pin{0x65, 0x43, 0x21};
    for (int i = 0; i < 3; ++i) (void)card.send(protocol::verify_pin(wrong_pin));
}

void block_application(Chip& chip, std::uint8_t for_good) {
    chip.must(protect(chip, card_key(KeyUsage::application_lock, Suite::sm4),
                      {{0x84, 0x1E, 0, for_good}, {}}));
}

void block_card(Chip& card) {
    select_master(card);
    card.must(
        protect(card, card_key(KeyUsage::application_lock, Suite::sm4), {{0x84, 0x16, 0, 0}, {}}));
}

void exhaust_counters(Chip& card) {
    write_behind(card, [](Store& store) {
        firmware::Transaction change;
        for (const std::uint8_t which : {std::uint8_t{0}, std::uint8_t{1}}) {
            Data state(255);
            const auto id = objects::state(0, which);
            state.resize(store.read(id, state).value());
            const std::size_t at = which == 0 ? 7 : 0;
            state[at] = state[at + 1] = 0xFF;
            require(change.put(id, state).has_value(), "the state does not fit");
        }
        require(store.commit(change, firmware::Urgency::tap).has_value(), "no commit");
    });
}

void exhaust_numbers(Chip& sam) {
    write_behind(sam, [](Store& store) {
        firmware::Transaction change;
        require(change.put(objects::state(0, 0), Data(4, 0xFF)).has_value() &&
                    store.commit(change, firmware::Urgency::tap).has_value(),
                "no commit");
    });
}

namespace {

/// Dead records in every page but those that a reset would free.
void fill_pages(Store& store) {
    constexpr ObjectId filling = objects::state(objects::instance_count - 1, 3);
    firmware::Transaction change;
    do {
        require(change.put(filling, Data(200)).has_value(), "the filling does not fit");
    } while (store.commit(change, firmware::Urgency::tap));
}

/// Commands that write as taps do: as many as there is room for, at most `limit`.
unsigned write_taps(Chip& chip, unsigned limit) {
    for (unsigned done = 0; done < limit; ++done) {
        if (is_sam(chip)) select_master(chip);  // the numbers it had reserved are burnt
        if (is_sam(chip)) select_own(chip);
        const Answer answer =
            is_sam(chip) ? chip.send(any_init_sam()) : chip.send(protocol::verify_pin(first_pin));
        if (!answer.ok()) return done;
    }
    return limit;
}

/// The same for wrong MACs: each takes a try and no more.
unsigned take_tries(Chip& chip, unsigned limit) {
    for (unsigned taken = 0; taken < limit; ++taken) {
        (void)challenge_of(chip);
        const Answer answer = is_sam(chip) ? chip.send(hex("04D69700 05 00 00000000"))
                                           : chip.send(hex("805E0000 06 9876 00000000"));
        if (status(answer) != 0x6988) return taken;
    }
    return limit;
}
constexpr unsigned no_limit = 100'000;

}  // namespace

void drain(Chip& chip) {
    write_behind(chip, fill_pages);
    (void)write_taps(chip, no_limit);
    require(take_tries(chip, 4) < 4, "the reserve is not used up");
}

void block_pin_and_drain(Chip& card) {
    write_behind(card, fill_pages);
    Chip probe = card.with(card.flash());
    select_own(probe);
    (void)write_taps(card, write_taps(probe, no_limit) - 2);
    block_pin(card);
    require(take_tries(card, 9) < 9, "the reserve is not used up");
}

void drain_but_for_the_pin(Chip& card) {
    write_behind(card, fill_pages);
    const TearingFlash filled = card.flash();
    const unsigned taps = write_taps(card, no_limit);
    for (unsigned tries = 0; tries < 9; ++tries) {
        for (const bool is_trial : {true, false}) {
            card = card.with(filled);
            select_own(card);
            require(write_taps(card, taps - 2) == taps - 2, "it has other room than before");
            require(take_tries(card, tries) == tries, "there is no room for so many tries");
            if (!is_trial) return;
            if (write_taps(card, 1) == 1 && take_tries(card, 1) == 0) continue;
            break;
        }
    }
    throw std::runtime_error{"no such room"};
}

// ---- Damage ------------------------------------------------------------------------------------

namespace {

template <class Visit>
void for_each_key(const Chip& chip, Visit visit) {
    Chip copy = chip.clone();
    Store store{copy.flash()};
    require(store.mount().has_value(), "the copy does not mount");
    const firmware::KeyRing ring{store};
    for (std::uint8_t slot = 0; slot < objects::key_slot_count; ++slot) {
        const auto key = ring.load(firmware::KeySlot{slot});
        if (key) visit(slot, *key);
    }
}

}  // namespace

Objects keys_of(const Chip& chip, KeyUsage usage) {
    Objects out;
    for_each_key(chip, [&](std::uint8_t slot, const firmware::Key& key) {
        if (key.usage == usage) {
            out.push_back(ObjectId{static_cast<std::uint16_t>(objects::key_first + slot)});
        }
    });
    return out;
}

Objects all_objects(const Chip& chip) {
    Objects out;
    const Memory memory = memory_of(chip.clone().flash());
    for (const auto& [id, unused] : memory.objects) {
        out.push_back(ObjectId{static_cast<std::uint16_t>(id)});
    }
    return out;
}

Objects descriptions_of(const Chip& chip, std::uint16_t identifier) {
    Objects out;
    for (const auto& [id, value] : memory_of(chip.clone().flash()).objects) {
        constexpr unsigned first = firmware::file_object_first;
        if (id < first || id >= first + firmware::file_count_max) continue;
        if (protocol::read_big_endian(Bytes{value}.subspan<2, 2>()) != identifier) continue;
        out.push_back(ObjectId{static_cast<std::uint16_t>(id)});
    }
    return out;
}

Damage::Damage(Chip& chip, const Objects& objects) : chip_{chip} {
    namespace format = firmware::log_format;
    constexpr std::uint32_t unit_size = firmware::flash_model::unit_size;
    const std::uint32_t end = chip.flash().page_count() * firmware::flash_model::page_size;
    for (std::uint32_t at = 0; at + unit_size < end; at += unit_size) {
        firmware::FlashUnit unit;
        chip.flash().read(at, unit);
        const auto header = format::decode(unit);
        const bool is_object = header && (header->kind == format::Kind::entry_put ||
                                          header->kind == format::Kind::entry_masked);
        if (!is_object || std::ranges::find(objects, ObjectId{header->id}) == objects.end()) {
            continue;
        }
        addresses_.push_back(at + unit_size);
    }
    for (const std::uint32_t address : addresses_) chip_.flash().flip(address, 3);
}

Damage::~Damage() {
    for (const std::uint32_t address : addresses_) chip_.flash().flip(address, 3);
}

// ---- Memory ------------------------------------------------------------------------------------

Memory memory_of(TearingFlash flash) {
    flash.reboot();
    Store store{flash};
    require(store.mount().has_value(), "the memory does not mount");
    Memory out;
    for (std::uint16_t id = 0; id < firmware::object_count_max; ++id) {
        Data value(255);
        const auto size = store.read(ObjectId{id}, value);
        if (!size) continue;
        value.resize(*size);
        out.objects[id] = value;
    }
    const auto note = [&](std::uint16_t id, KeyUsage usage) {
        const auto used = store.counter(ObjectId{id});
        if (used) out.tries[id] = {usage, *used};
    };
    note(objects::transport_key_tries.value(), transport_usage);
    const firmware::KeyRing ring{store};
    for (std::uint8_t slot = 0; slot < objects::key_slot_count; ++slot) {
        const auto key = ring.load(firmware::KeySlot{slot});
        if (key) note(static_cast<std::uint16_t>(objects::key_tries_first + slot), key->usage);
    }
    return out;
}

TryChange try_change(const Memory& before, const Memory& after, std::optional<KeyUsage> asked) {
    auto seen = TryChange::none;
    if (before.tries.size() != after.tries.size()) return TryChange::other;
    for (const auto& [id, was] : before.tries) {
        const auto found = after.tries.find(id);
        if (found == after.tries.end()) return TryChange::other;
        const Memory::Tries now = found->second;
        if (now == was) continue;
        const bool rose = now.used == was.used + 1;
        const bool is_of_one_key = seen == TryChange::none && asked && *asked == was.usage;
        if (!is_of_one_key || (!rose && now.used != 0)) return TryChange::other;
        seen = rose ? TryChange::rises_by_one : TryChange::came_back;
    }
    return seen;
}

// ---- Use ---------------------------------------------------------------------------------------

namespace {

/// Pays one fen. The first word that is not 9000.
[[nodiscard]] unsigned pay_one_fen(Chip& card) {
    const Answer opened = card.send(protocol::initialise_for_purchase(initialise_data(1)));
    if (!opened.ok()) return status(opened);
    const auto card_says = protocol::PurchaseInitialised::parse(opened.data);
    require(card_says.has_value(), "INITIALIZE's answer does not parse");
    terminal_sam().card().housekeeping();
    const auto sam_says =
        protocol::SamPurchaseAnswer::parse(terminal_sam().must(init_sam(*card_says)));
    require(sam_says.has_value(), "INIT SAM's answer does not parse");
    return status(card.send(debit({*card_says, *sam_says})));
}

void clean_up(Chip& chip) {
    for (int step = 0; step < 64; ++step) chip.card().housekeeping();
}

[[nodiscard]] unsigned unlock(Chip& card) {
    try {
        return status(card.send(issuer_unlock(card, 1)));
    } catch (const std::runtime_error&) {
        return 0;  // the PIN, or the key, has no tries left
    }
}

[[nodiscard]] unsigned unblock(Chip& chip) {
    return status(chip.send(protect(chip, card_key(KeyUsage::application_unlock, Suite::sm4),
                                    {{0x84, 0x18, 0, 0}, {}})));
}

[[nodiscard]] unsigned open_again(Chip& chip) {
    try {
        (void)open_session(chip);
        return 0x9000;
    } catch (const std::runtime_error&) {
        return 0;
    }
}

}  // namespace

std::vector<unsigned> use(Chip& chip) {
    if (!is_card(chip) && !is_sam(chip)) {
        clean_up(chip);
        return {open_again(chip)};
    }
    std::vector<unsigned> words{
        status(chip.send(is_card(chip) ? protocol::select_by_name(protocol::transit_aid)
                                       : protocol::select_by_name(protocol::sam_aid)))};
    if (words.back() == 0x6A81) return words;
    for (int attempt = 0; attempt < 3; ++attempt) {
        words.push_back(is_card(chip) ? pay_one_fen(chip) : status(chip.send(any_init_sam())));
        const unsigned last = words.back();
        if (last == 0x6A81) {
            words.push_back(unblock(chip));
        } else if (last == 0x9408) {
            clean_up(chip);
            words.push_back(unlock(chip));
        } else if (last == 0x6A84) {
            words.pop_back();
            clean_up(chip);
        } else {
            break;
        }
    }
    return words;
}

}  // namespace tests::status_words
