#include "firmware/purse/commands.hpp"

#include "firmware/os/commands.hpp"
#include "firmware/purse/state.hpp"

namespace firmware::purse {

using protocol::CreditData;
using protocol::DebitData;
using protocol::fail;
using protocol::InitialiseData;
using protocol::TransactionType;

namespace {

constexpr std::uint16_t counter_end = 0xFFFF;  // docs/card_commands.md, 6
/// Readers mask the top bit off: it marks a negative balance on some cards. domain.md 1.2.
constexpr Money balance_max = Money::from_fen(0x7FFFFFFF);
constexpr protocol::KeyIndex certificate_key_index{1};

struct PurseKeySlot {
    KeySlot slot;
    Key key;
};
/// DPK or DLK with this index; 9403 when there is none.
[[nodiscard]] Outcome<PurseKeySlot> find_key(const Context& card, KeyUsage usage, KeyIndex index) {
    const auto slot = card.keys.find(card.session.directory, usage, index);
    if (!slot) {
        const bool is_absent = slot.error() == StatusWord::referenced_data_not_found;
        return fail(is_absent ? StatusWord::key_index_not_supported : slot.error());
    }
    ONECARD_TRY(key, card.keys.load(*slot));
    return PurseKeySlot{*slot, std::move(key)};
}

[[nodiscard]] Outcome<void> check_le(const Request& request, std::size_t size) {
    const auto le = request.apdu.le();
    if (le && *le < size) return fail(protocol::correct_le(static_cast<unsigned>(size)));
    return {};
}

/// Opens a transaction; the answer's random number comes from it.
Session& open(Context& card, State state, const InitialiseData& data) {
    Session& session = card.session.purse;
    session = {.state = state, .key = data.key, .amount = data.amount, .terminal = data.terminal};
    card.random.fill(session.random);
    return session;
}

/// 80 50 00 02. domain.md 1.2, 1.5.
[[nodiscard]] Outcome<void> initialise_load(Context& card, const Request& request,
                                            const InitialiseData& data) {
    ONECARD_CHECK(check_le(request, protocol::LoadInitialised::size));
    const bool has_pin =
        card.keys.find(card.session.directory, KeyUsage::pin, protocol::administrative_key_index)
            .has_value();
    if (has_pin && (card.session.rights & right::pin) == 0) {
        return fail(StatusWord::security_status_not_satisfied);
    }
    ONECARD_TRY(dlk, find_key(card, KeyUsage::load, data.key));
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    if (online.counter == counter_end) return fail(StatusWord::counter_exhausted);
    const auto sum = add(offline.balance, data.amount);
    if (!sum || *sum > balance_max) return fail(StatusWord::insufficient_balance);
    const Session& session = open(card, State::load, data);
    const protocol::OnlineCounter counter{online.counter};
    const auto process_key =
        crypto::purse::online_process_key(dlk.key.purse_key(), session.random, counter);
    const auto mac1 = crypto::purse::purse_mac(
        process_key, protocol::load_mac1_input(offline.balance, data.amount, TransactionType::load,
                                               data.terminal));
    card.answer.put(protocol::LoadInitialised{offline.balance, counter, dlk.key.version,
                                              static_cast<protocol::Suite>(dlk.key.suite),
                                              session.random, mac1}
                        .bytes());
    return {};
}

/// 80 50 01 02 and 80 50 03 02. domain.md 1.2, 1.6.
[[nodiscard]] Outcome<void> initialise_purchase(Context& card, const Request& request,
                                                const InitialiseData& data, State state) {
    ONECARD_CHECK(check_le(request, protocol::PurchaseInitialised::size));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, data.key));
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    if (offline.counter == counter_end) return fail(StatusWord::counter_exhausted);
    if (data.amount > offline.balance) return fail(StatusWord::insufficient_balance);
    const Session& session = open(card, state, data);
    card.answer.put(protocol::PurchaseInitialised{
        offline.balance, protocol::OfflineCounter{offline.counter}, online.overdraft_limit_fen,
        dpk.key.version, static_cast<protocol::Suite>(dpk.key.suite), session.random}
                        .bytes());
    return {};
}

/// A wrong MAC costs a try; the last one blocks the application for good. domain.md 1.6.
[[nodiscard]] Outcome<void> check_mac(Context& card, const PurseKeySlot& used, const Mac& expected,
                                      const Mac& received) {
    const auto checked = card.prove(used.slot, used.key, expected, received, StatusWord::mac_wrong);
    if (checked) return {};
    if (checked.error() != StatusWord::mac_wrong &&
        checked.error() != StatusWord::authentication_blocked) {
        return checked;
    }
    ONECARD_TRY(left, card.keys.tries_left(used.slot, used.key));
    if (left != 0) return fail(StatusWord::mac_wrong);
    ONECARD_CHECK(card.files.set_state(card.change, card.session.directory, FileState::terminated));
    ONECARD_CHECK(card.store.commit(card.change, Urgency::tap));
    card.session.directory_state = FileState::terminated;
    return fail(StatusWord::application_permanently_blocked);
}

[[nodiscard]] Outcome<void> stage_log(Context& card, std::uint16_t counter_after,
                                      TransactionType type, const protocol::DateTime& when) {
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    ONECARD_TRY(log, card.files.by_short_identifier(card.session.directory,
                                                    ShortFileIdentifier{protocol::sfi_log}));
    const Session& session = card.session.purse;
    const protocol::PurseLogRecord record{counter_after, online.overdraft_limit_fen, session.amount,
                                          type,          session.terminal,           when};
    return card.files.append_record(card.change, log, firmware::Access::internal(), record.bytes());
}

[[nodiscard]] Outcome<void> stage_cache(Context& card) {
    const CappCache& cache = card.session.purse.cache;
    for (const CappCache::Entry& entry : cache.entries()) {
        const auto access = firmware::Access::internal();
        const Bytes data = cache.data(entry);
        ONECARD_CHECK(
            entry.record == 0
                ? card.files.append_record(card.change, entry.file, access, data)
                : card.files.update_record(card.change, entry.file, access, entry.record, data));
    }
    return {};
}

[[nodiscard]] TransactionType type_of(State state) {
    return state == State::capp_purchase ? TransactionType::capp_purchase
                                         : TransactionType::purchase;
}

/// A record of a variable file begins with its two-byte id; byte 5 is its lock. domain.md 3.3.
[[nodiscard]] Outcome<std::uint8_t> find_capp_record(const Context& card, FileHandle file,
                                                     std::uint8_t id, Bytes data) {
    constexpr std::size_t lock_offset = 5;
    if (data.size() <= lock_offset) return fail(StatusWord::not_enough_memory);
    ONECARD_TRY(count, card.files.record_count(file));
    for (std::uint8_t number = 1; number <= count; ++number) {
        std::array<std::uint8_t, record_size_max> record{};
        ONECARD_TRY(size,
                    card.files.read_record(file, firmware::Access::internal(), number, record));
        if (size <= lock_offset || record[1] != id) continue;
        if (record[lock_offset] != 0) return fail(StatusWord::capp_application_locked);
        if (data.size() != size) return fail(StatusWord::not_enough_memory);
        // The record keeps its name.
        if (data[0] != record[0] || data[1] != id) return fail(StatusWord::incorrect_data);
        return number;
    }
    return fail(StatusWord::record_not_found);
}

}  // namespace

bool CappCache::put(FileHandle file, std::uint8_t record, Bytes data) {
    for (Entry& entry : entries_) {
        const bool is_used = &entry - entries_.data() < count_;
        if (!is_used || entry.file != file || entry.record != record) continue;
        if (entry.size != data.size()) return false;
        std::ranges::copy(data, bytes_.begin() + entry.offset);
        return true;
    }
    if (count_ == entry_count_max || data.size() > capacity - used_) return false;
    entries_[count_++] = {file, record, used_, static_cast<std::uint8_t>(data.size())};
    std::ranges::copy(data, bytes_.begin() + used_);
    used_ = static_cast<std::uint16_t>(used_ + data.size());
    return true;
}

Outcome<void> get_balance(Context& card, const Request& request) {
    if (request.p2() != 0x02 || request.p1() > 0x03) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.empty(), StatusWord::wrong_length));
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    switch (request.p1()) {  // domain.md 3.1
        case 0x01: card.answer.put_u32(online.overdraft_limit_fen); break;
        case 0x02: card.answer.put_u32(0); break;  // overdraft used
        default: card.answer.put_u32(offline.balance.fen());
    }
    return {};
}

Outcome<void> initialise(Context& card, const Request& request) {
    if (request.p2() != 0x02) return fail(StatusWord::incorrect_p1_p2);
    const std::uint8_t p1 = request.p1();
    if (p1 != 0x00 && p1 != 0x01 && p1 != 0x03) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, InitialiseData::parse(request.data));
    if (p1 == 0x00) return initialise_load(card, request, data);
    return initialise_purchase(card, request, data,
                               p1 == 0x01 ? State::purchase : State::capp_purchase);
}

Outcome<void> credit(Context& card, const Request& request) {
    Session& session = card.session.purse;
    if (session.state != State::load) return fail(StatusWord::command_not_allowed_in_state);
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, CreditData::parse(request.data));
    ONECARD_TRY(dlk, find_key(card, KeyUsage::load, session.key));
    ONECARD_TRY(dtk, card.key(KeyUsage::transaction_certificate, certificate_key_index));
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    constexpr auto type = TransactionType::load;
    const protocol::OnlineCounter counter{online.counter};
    const auto process_key =
        crypto::purse::online_process_key(dlk.key.purse_key(), session.random, counter);
    const auto expected = crypto::purse::purse_mac(
        process_key, protocol::load_mac2_input(session.amount, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, dlk, expected, data.mac2));
    const auto balance = add(offline.balance, session.amount);
    if (!balance) return fail(StatusWord::insufficient_balance);
    offline.balance = *balance;
    const auto tac = crypto::purse::tac(
        dtk.purse_key(), protocol::load_tac_input(offline.balance, counter, session.amount, type,
                                                  session.terminal, data.when));
    ++online.counter;
    online.proof = {static_cast<std::uint8_t>(type), data.mac2, tac};
    ONECARD_CHECK(stage(card.change, card.session.instance, offline));
    ONECARD_CHECK(stage(card.change, card.session.instance, online));
    ONECARD_CHECK(stage_log(card, online.counter, type, data.when));
    card.answer.put(tac);
    session = {};
    return {};
}

Outcome<void> update_capp_cache(Context& card, const Request& request) {
    Session& session = card.session.purse;
    if (session.state != State::capp_purchase) {
        return fail(StatusWord::command_not_allowed_in_state);
    }
    const std::uint8_t low_bits = request.p2() & 0x07;  // 0, or 4 as some terminals send
    if (low_bits != 0 && low_bits != 4) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(!request.data.empty(), StatusWord::wrong_length));
    const ShortFileIdentifier sfi{static_cast<std::uint8_t>(request.p2() >> 3)};
    ONECARD_TRY(file, card.files.by_short_identifier(card.session.directory, sfi));
    ONECARD_TRY(description, card.files.describe(file));
    if ((description.messaging & capp_permitted) == 0) {
        return fail(StatusWord::security_status_not_satisfied);
    }
    std::uint8_t record = 0;
    if (description.type == FileType::cyclic) {
        if (request.p1() != 0) return fail(StatusWord::record_not_found);
        if (request.data.size() != description.size) return fail(StatusWord::not_enough_memory);
    } else if (description.type == FileType::linear_variable) {
        ONECARD_TRY(found, find_capp_record(card, file, request.p1(), request.data));
        record = found;
    } else {
        return fail(StatusWord::incompatible_file);
    }
    if (!session.cache.put(file, record, request.data)) return fail(StatusWord::not_enough_memory);
    return {};
}

Outcome<void> debit(Context& card, const Request& request) {
    Session& session = card.session.purse;
    if (session.state != State::purchase && session.state != State::capp_purchase) {
        return fail(StatusWord::command_not_allowed_in_state);
    }
    if (request.p1() != 0x01 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, DebitData::parse(request.data));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, session.key));
    ONECARD_TRY(dtk, card.key(KeyUsage::transaction_certificate, certificate_key_index));
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    const TransactionType type = type_of(session.state);
    const auto process_key = crypto::purse::offline_process_key(
        dpk.key.purse_key(), session.random, protocol::OfflineCounter{offline.counter},
        data.sequence);
    const auto expected = crypto::purse::purse_mac(
        process_key,
        protocol::purchase_mac1_input(session.amount, type, session.terminal, data.when));
    ONECARD_CHECK(check_mac(card, dpk, expected, data.mac1));
    const auto balance = subtract(offline.balance, session.amount);
    if (!balance) return fail(StatusWord::insufficient_balance);
    const auto mac2 =
        crypto::purse::purse_mac(process_key, protocol::purchase_mac2_input(session.amount));
    const auto tac = crypto::purse::tac(
        dtk.purse_key(), protocol::purchase_tac_input(session.amount, type, session.terminal,
                                                      data.sequence, data.when));
    offline.balance = *balance;
    ++offline.counter;
    offline.proof = {static_cast<std::uint8_t>(type), mac2, tac};
    ONECARD_CHECK(stage(card.change, card.session.instance, offline));
    ONECARD_CHECK(stage_log(card, offline.counter, type, data.when));
    ONECARD_CHECK(stage_cache(card));
    card.answer.put(tac).put(mac2);
    session = {};
    return {};
}

Outcome<void> prove(Context& card, const Request& request) {
    if (request.p1() != 0 || !protocol::is_transaction_type(request.p2())) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_CHECK(refuse_unless(request.data.size() == 2, StatusWord::wrong_length));
    const auto asked = protocol::read_big_endian(request.data.first<2>());
    ONECARD_TRY(offline, load_offline(card.store, card.session.instance));
    ONECARD_TRY(online, load_online(card.store, card.session.instance));
    const bool is_load = request.p2() == static_cast<std::uint8_t>(TransactionType::load);
    const Proof& proof = is_load ? online.proof : offline.proof;
    const std::uint16_t counter = is_load ? online.counter : offline.counter;
    // The counter before the last transaction: asked + 1 is the next one's.
    if (proof.type != request.p2() || asked + 1 != counter) {
        return fail(StatusWord::proof_not_available);
    }
    card.answer.put(proof.mac).put(proof.tac);
    return {};
}

}  // namespace firmware::purse
