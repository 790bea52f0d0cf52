// Purchases, composite purchases, balance and proofs. domain.md 1.1 to 1.6.
#include "firmware/purse/transaction.hpp"

namespace firmware::purse {

using protocol::DebitData;

namespace {

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

/// The records that were to be written with the debit are there.
[[nodiscard, gnu::noinline]] Outcome<void> check_cached(const Context& card) {
    const CappCache& cache = card.session.purse.cache;
    for (const CappCache::Entry& entry : cache.entries()) {
        const std::uint8_t number = entry.record == 0 ? 1 : entry.record;
        if (!card.files.holds(entry.file, number, cache.data(entry))) {
            return fail(StatusWord::memory_failure);
        }
    }
    return {};
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

/// MAC1's input, and the security code if the terminal has asked for it. domain.md 1.5.
class Mac1Input {
public:
    Mac1Input(const Session& session, TransactionType type, const protocol::DateTime& when) {
        writer_.put(protocol::purchase_mac1_input(session.amount, type, session.terminal, when));
        if (session.security_code) writer_.put(*session.security_code);
    }
    [[nodiscard]] Bytes bytes() const { return writer_.written(); }

private:
    std::array<std::uint8_t, 18 + protocol::security_code_size> bytes_{};
    protocol::ByteWriter writer_{bytes_};
};

/// Of either kind.
[[nodiscard, gnu::noinline]] Outcome<void> expect_purchase(const Context& card) {
    const bool is_capp = card.session.purse.state == State::capp_purchase;
    return expect(card, is_capp ? State::capp_purchase : State::purchase);
}

/// 80 54 01 00, up to the commit.
[[nodiscard, gnu::noinline]] Outcome<Staged> stage_purchase(Context& card, const Request& request) {
    const Session& session = card.session.purse;
    const bool is_capp = session.state == State::capp_purchase;
    ONECARD_CHECK(expect_purchase(card));
    if (request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, DebitData::parse(request.data));
    ONECARD_CHECK(check_le(request, 2 * sizeof(Mac)));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, session.key));
    ONECARD_TRY(states, load_states(card));
    OfflineState& offline = states.offline;
    const auto type = is_capp ? TransactionType::capp_purchase : TransactionType::purchase;
    const auto process_key = crypto::purse::offline_process_key(
        dpk.purse_key(), session.random, protocol::OfflineCounter{offline.counter}, data.sequence);
    const Mac1Input input{session, type, data.when};
    const auto expected = crypto::purse::purse_mac(process_key, input.bytes());
    ONECARD_CHECK(check_mac(card, dpk, expected, data.mac1));
    ONECARD_TRY(taken, take(offline, available(offline, states.online), session.amount));
    const auto mac2 = crypto::purse::purse_mac(process_key, protocol::purchase_mac2_input(taken));
    ONECARD_TRY(tac, certify(card, protocol::purchase_tac_input(taken, type, session.terminal,
                                                                data.sequence, data.when)));
    const std::uint16_t before = offline.counter++;
    offline.proof = {static_cast<std::uint8_t>(type), mac2, tac};
    ONECARD_CHECK(stage(card.change, card.session.instance, offline));
    ONECARD_CHECK(stage_log(card, states.online, offline.counter, type, data.when));
    ONECARD_CHECK(stage_cache(card));
    return Staged{taken, before};
}

[[nodiscard]] Outcome<void> debit_purchase(Context& card, const Request& request) {
    ONECARD_TRY(staged, stage_purchase(card, request));
    ONECARD_TRY(proof, settle_purchase(card, staged));
    ONECARD_CHECK(check_cached(card));
    card.close_transactions();
    card.answer.put(proof.tac).put(proof.mac);
    return {};
}

}  // namespace

Outcome<Proof> settle_purchase(Context& card, const Staged& staged) {
    ONECARD_CHECK(check_movement(card, -static_cast<std::int32_t>(staged.taken.fen()), 1));
    ONECARD_CHECK(card.commit(Urgency::tap));
    ONECARD_TRY(taken, load_offline(card.store, card.session.instance));
    if (taken.counter != staged.counter + 1) return fail(StatusWord::memory_failure);
    return taken.proof;
}

/// 80 50 01 02 and 80 50 03 02. domain.md 1.2, 1.6.
Outcome<void> initialise_purchase(Context& card, const Request& request, const InitialiseData& data,
                                  State state) {
    ONECARD_CHECK(check_le(request, protocol::PurchaseInitialised::size));
    ONECARD_TRY(dpk, find_key(card, KeyUsage::purchase, data.key));
    ONECARD_TRY(states, load_states(card));
    if (states.offline.counter == counter_end) return fail(StatusWord::counter_exhausted);
    if (data.amount > available(states.offline, states.online)) {
        return fail(StatusWord::insufficient_balance);
    }
    const Session& session = open(card, state, data);
    card.answer.put(protocol::PurchaseInitialised{
        states.offline.balance, protocol::OfflineCounter{states.offline.counter},
        states.online.overdraft_limit_fen, dpk.version, static_cast<protocol::Suite>(dpk.suite),
        session.random}
                        .bytes());
    return {};
}

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
    ONECARD_TRY(states, load_states(card));
    std::uint32_t fen = 0;
    switch (request.p1()) {  // domain.md 3.1
        case 0x00: fen = available(states.offline, states.online).fen(); break;
        case 0x01: fen = states.online.overdraft_limit_fen; break;
        case 0x02: fen = states.offline.overdraft_used_fen; break;
        default: fen = states.offline.balance.fen();
    }
    card.answer.put_u32(fen);
    return {};
}

Outcome<void> initialise(Context& card, const Request& request) {
    if (request.p2() != 0x02) return fail(StatusWord::incorrect_p1_p2);
    const std::uint8_t p1 = request.p1();
    if (p1 > 0x05 || p1 == 0x02) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_PARSE(data, InitialiseData::parse(request.data));
    if (is_grey_locked(card)) return fail(StatusWord::grey_locked);
    switch (p1) {
        case 0x00: return initialise_money(card, request, data, TransactionType::load);
        case 0x01: return initialise_purchase(card, request, data, State::purchase);
        case 0x03: return initialise_purchase(card, request, data, State::capp_purchase);
        case 0x04: return initialise_overdraft(card, request, data);
        default: return initialise_money(card, request, data, TransactionType::unload);
    }
}

Outcome<void> update_capp_cache(Context& card, const Request& request) {
    Session& session = card.session.purse;
    ONECARD_CHECK(expect(card, State::capp_purchase));
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
    if (request.p1() == 0x01) return debit_purchase(card, request);
    if (request.p1() == 0x03) return debit_unload(card, request);
    return fail(StatusWord::incorrect_p1_p2);
}

Outcome<void> get_security_code(Context& card, const Request& request) {
    Session& session = card.session.purse;
    ONECARD_CHECK(expect_purchase(card));
    ONECARD_CHECK(check_le(request, protocol::security_code_size));
    card.random.fill(session.security_code.emplace());
    card.answer.put(*session.security_code);
    return {};
}

Outcome<void> prove(Context& card, const Request& request) {
    if (request.p1() != 0 || !protocol::is_transaction_type(request.p2())) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_CHECK(refuse_unless(request.data.size() == 2, StatusWord::wrong_length));
    const auto asked = protocol::read_big_endian(request.data.first<2>());
    ONECARD_TRY(states, load_states(card));
    const auto type = static_cast<TransactionType>(request.p2());
    const bool is_online = type == TransactionType::load || type == TransactionType::unload ||
                           type == TransactionType::overdraft_change;
    const Proof& proof = is_online ? states.online.proof : states.offline.proof;
    const std::uint16_t counter = is_online ? states.online.counter : states.offline.counter;
    // The counter before the last transaction: asked + 1 is the next one's.
    if (proof.type != request.p2() || asked + 1 != counter) {
        return fail(StatusWord::proof_not_available);
    }
    card.answer.put(proof.mac).put(proof.tac);
    return {};
}

}  // namespace firmware::purse
