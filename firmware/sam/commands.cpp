#include "firmware/sam/commands.hpp"

#include <utility>

#include "crypto/core/modes.hpp"
#include "protocol/grey_lock.hpp"

namespace firmware::sam {

using crypto::purse::Factor;
using crypto::purse::PurseKey;
using protocol::fail;
using protocol::SamPurchaseData;
using protocol::TransactionType;

namespace {

constexpr std::uint8_t sequence_object = 0;   ///< the first number not yet reserved, 4 bytes
constexpr std::uint32_t sequence_block = 32;  ///< numbers reserved by one commit
constexpr std::uint32_t sequence_last = 0xFFFFFFFF;
constexpr std::size_t factor_size = 8;

[[nodiscard]] Outcome<void> stage_sequence(Transaction& change, ObjectId id, std::uint32_t next) {
    std::array<std::uint8_t, 4> bytes{};
    protocol::ByteWriter{bytes}.put_u32(next);
    return change.put(id, bytes);
}

/// S1. A number leaves the SAM only when NVM says that it is taken: reserved before, by an earlier
/// commit, or by one made here.
[[nodiscard]] Outcome<protocol::TerminalSequence> take_sequence(Context& card) {
    Session& session = card.session.sam;
    if (session.next_sequence >= session.reserved_end) {
        std::array<std::uint8_t, 4> stored{};
        ONECARD_TRY(size, card.store.read(card.state(sequence_object), stored));
        if (size != stored.size()) return fail(StatusWord::memory_failure);
        const auto first = static_cast<std::uint32_t>(
            protocol::read_big_endian(std::span<const std::uint8_t, 4>{stored}));
        const std::uint32_t count = std::min(sequence_block, sequence_last - first);
        if (count == 0) return fail(StatusWord::counter_exhausted);
        ONECARD_CHECK(stage_sequence(card.change, card.state(sequence_object), first + count));
        ONECARD_CHECK(card.commit(Urgency::tap));
        session.next_sequence = first;
        session.reserved_end = first;  // none, but for what the store has taken
        ONECARD_CHECK(card.store.read(card.state(sequence_object), stored));
        const auto end = static_cast<std::uint32_t>(
            protocol::read_big_endian(std::span<const std::uint8_t, 4>{stored}));
        session.reserved_end = std::min(end, first + count);
    }
    const std::uint32_t taken = session.next_sequence++;
    if (look_again_at(session.next_sequence) - 1 != taken ||
        taken >= look_again_at(session.reserved_end)) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    return protocol::TerminalSequence{taken};
}

/// The master of this version and suite. 9403 when there is none; one that cannot be read is
/// another matter.
[[nodiscard]] Outcome<Key> purchase_master(const Context& card, const SamPurchaseData& wanted) {
    const auto slot = card.keys.find(card.session.directory, KeyUsage::sam_purchase,
                                     wanted.key_version, wanted.suite);
    if (!slot) {
        const bool is_absent = slot.error() == StatusWord::referenced_data_not_found;
        return fail(is_absent ? StatusWord::key_index_not_supported : slot.error());
    }
    auto master = card.keys.load(*slot);
    if (master &&
        (master->owner != card.session.directory || master->usage != KeyUsage::sam_purchase ||
         master->version != wanted.key_version)) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    return master;
}

[[nodiscard]] Outcome<protocol::TerminalNumber> terminal_number(const Context& card) {
    ONECARD_TRY(file, card.short_file(protocol::sam_sfi_terminal));
    std::array<std::uint8_t, 6> number{};
    ONECARD_TRY(size, card.files.read_binary(file, firmware::Access::internal(), 0, number));
    if (size != number.size()) return fail(StatusWord::memory_failure);
    return protocol::TerminalNumber{number};
}

[[nodiscard]] bool is_purchase(TransactionType type) {
    return type == TransactionType::purchase || type == TransactionType::capp_purchase ||
           type == TransactionType::deposit_purchase || type == protocol::grey_lock_type;
}

/// Card first, issuer last; the derivation takes them last to first. domain.md 1.10.
[[nodiscard]] PurseKey derive(const PurseKey& master, Bytes factors) {
    PurseKey key = master.duplicate();
    for (std::size_t end = factors.size(); end >= factor_size; end -= factor_size) {
        std::array<std::uint8_t, factor_size> factor{};
        std::ranges::copy(factors.subspan(end - factor_size, factor_size), factor.begin());
        key = crypto::purse::diversify(key, Factor{factor});
    }
    return key;
}

/// The command that a delegated key may sign: challenge8, APPLICATION BLOCK, padding.
[[nodiscard]] bool is_application_block(Bytes data) {
    constexpr std::array<std::uint8_t, 3> begin{0x84, 0x1E, 0x00};
    if (data.size() != 16 || !std::ranges::equal(data.subspan(8, 3), begin)) return false;
    if (data[11] > 0x01 || data[12] != 0x04 || data[13] != 0x80) return false;
    return data[14] == 0x00 && data[15] == 0x00;
}

constexpr std::uint8_t mode_encipher = 0x00;  // domain.md 1.12
constexpr std::uint8_t mode_mac = 0x05;       // the first block is the starting value
constexpr std::uint8_t mode_mac_from_zero = 0x08;
constexpr std::uint8_t mode_decipher = 0x80;

/// What the low five bits of a key's limit permit. docs/card_commands.md, 8.
[[nodiscard]] bool is_permitted(std::uint8_t type, std::uint8_t mode, Bytes data) {
    switch (type) {
        case 0x05: return mode == mode_mac && is_application_block(data);
        case 0x06: return mode == mode_mac || mode == mode_mac_from_zero;
        case 0x07: return mode == mode_encipher;
        case 0x08: return mode == mode_decipher;
        default: return false;
    }
}

/// Left four bytes of the MAC of secure messaging over data that comes padded or not: padding
/// method 2 follows, unless the data is the block command, which brings its own.
[[nodiscard]] Outcome<void> answer_mac(Context& card, const Request& request, const PurseKey& key) {
    ONECARD_CHECK(check_le(request, sizeof(protocol::Mac)));
    std::array<std::uint8_t, 8> start{};
    Bytes text = request.data;
    if (request.p1() == mode_mac) {
        ONECARD_CHECK(refuse_unless(text.size() > start.size(), StatusWord::wrong_length));
        std::ranges::copy(text.first(start.size()), start.begin());
        text = text.subspan(start.size());
        if (is_application_block(request.data)) text = text.first(5);
    }
    crypto::purse::CommandHeader header{};
    ONECARD_CHECK(refuse_unless(text.size() >= header.size(), StatusWord::wrong_length));
    std::ranges::copy(text.first(header.size()), header.begin());
    card.answer.put(crypto::purse::secure_messaging_mac(key, crypto::purse::Challenge{start},
                                                        header, text.subspan(header.size())));
    return {};
}

/// Whole blocks, ECB.
[[nodiscard]] Outcome<void> answer_blocks(Context& card, const Request& request,
                                          const PurseKey& key) {
    const auto cipher =
        key.suite == protocol::Suite::sm4 ? crypto::Cipher::sm4 : crypto::Cipher::triple_des;
    crypto::SecretBytes<240> buffer;
    const std::size_t size = request.data.size();
    ONECARD_CHECK(
        refuse_unless(size != 0 && size <= buffer.size && size % crypto::block_size(cipher) == 0,
                      StatusWord::wrong_length));
    ONECARD_CHECK(check_le(request, size));
    const auto text = buffer.bytes().first(size);
    std::ranges::copy(request.data, text.begin());
    const auto done = request.p1() == mode_encipher
                          ? ecb_encrypt(crypto::BlockEncryptor{cipher, key.value.bytes()}, text)
                          : ecb_decrypt(crypto::BlockDecryptor{cipher, key.value.bytes()}, text);
    ONECARD_CHECK(refuse_unless(done.has_value(), StatusWord::no_precise_diagnosis));
    card.answer.put(text);
    return {};
}

}  // namespace

namespace {

/// One use less, or none to count: the answer leaves when the store says which.
[[nodiscard]] Outcome<void> use_up(Context& card, const Key& key) {
    std::uint16_t left = 0;
    if (key.uses != protocol::uses_unlimited) {
        ONECARD_TRY(found, card.keys.uses_left(key.slot, key.uses));
        left = found;
        ONECARD_CHECK(card.keys.take_use(card.change, key.slot, key.uses));
        ONECARD_CHECK(card.commit(Urgency::tap));
    }
    ONECARD_TRY(stored, card.keys.load(key.slot));
    if (stored.uses == protocol::uses_unlimited) return {};
    ONECARD_TRY(left_now, card.keys.uses_left(key.slot, stored.uses));
    return refuse_unless(left_now + 1U == left, StatusWord::no_precise_diagnosis);
}

}  // namespace

Outcome<void> stage_new(Transaction& change, std::uint8_t instance) {
    return stage_sequence(change, objects::state(instance, sequence_object), 1);
}

Outcome<void> initialise_purchase(Context& card, const Request& request) {
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    const bool has_code =
        request.data.size() == SamPurchaseData::size + protocol::security_code_size;
    const Bytes code = request.data.last(has_code ? protocol::security_code_size : 0);
    ONECARD_PARSE(data,
                  SamPurchaseData::parse(request.data.first(request.data.size() - code.size())));
    if (!is_purchase(data.type)) return fail(StatusWord::incorrect_data);
    if (data.type == protocol::grey_lock_type && data.amount != protocol::Money{}) {
        return fail(StatusWord::incorrect_data);  // a lock is a purchase of nothing
    }
    ONECARD_TRY(master, purchase_master(card, data));
    ONECARD_TRY(terminal, terminal_number(card));
    ONECARD_TRY(sequence, take_sequence(card));
    const PurseKey purchase_key = crypto::purse::diversify(
        crypto::purse::diversify(master.purse_key(), Factor{data.issuer_factor}),
        Factor{data.card_factor});
    auto process_key =
        crypto::purse::offline_process_key(purchase_key, data.random, data.counter, sequence);
    std::array<std::uint8_t, 18 + protocol::security_code_size> input{};
    protocol::ByteWriter writer{input};
    writer.put(protocol::purchase_mac1_input(data.amount, data.type, terminal, data.when))
        .put(code);  // CJ/T 166: domain.md 1.5
    const auto mac1 = crypto::purse::purse_mac(process_key, writer.written());
    const auto mac2 =
        crypto::purse::purse_mac(process_key, protocol::purchase_mac2_input(data.amount));
    if (!is_purchase(look_again_at(data.type))) return fail(StatusWord::no_precise_diagnosis);
    card.session.sam.expected_mac2.emplace(mac2);
    if (data.type == protocol::grey_lock_type) {
        card.session.sam.grey = {std::move(process_key), terminal};
    }
    card.answer.put_u32(sequence.value()).put(mac1);
    return {};
}

Outcome<void> credit_purchase(Context& card, const Request& request) {
    const auto expected = std::exchange(card.session.sam.expected_mac2, std::nullopt);
    if (!expected) return fail(StatusWord::command_not_allowed_in_state);
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(refuse_unless(request.data.size() == 4, StatusWord::wrong_length));
    card.proof.compare(expected->bytes(), request.data);
    if (!card.proof.is_right()) {
        card.session.sam.grey.reset();
        return fail(StatusWord::mac_wrong);
    }
    if (card.session.sam.grey) card.session.sam.grey->is_proven = true;
    return {};
}

Outcome<void> grey_debit(Context& card, const Request& request) {
    const auto grey = std::exchange(card.session.sam.grey, std::nullopt);
    if (!grey || !grey->is_proven) return fail(StatusWord::command_not_allowed_in_state);
    if (request.p1() != 0 || request.p2() != 0) return fail(StatusWord::incorrect_p1_p2);
    protocol::ByteReader in{request.data};
    ONECARD_PARSE(amount, in.take_u32());
    ONECARD_PARSE(stamp, in.take_array<7>());
    ONECARD_PARSE(when, protocol::DateTime::parse(stamp));
    ONECARD_CHECK(refuse_unless(in.empty(), StatusWord::wrong_length));
    if (!look_again_at(grey->is_proven)) return fail(StatusWord::no_precise_diagnosis);
    card.answer.put(crypto::purse::purse_mac(
        grey->key, protocol::purchase_mac1_input(protocol::Money::from_fen(amount),
                                                 protocol::grey_debit_type, grey->terminal, when)));
    return {};
}

Outcome<void> prepare_delegated(Context& card, const Request& request) {
    const unsigned levels = request.p1() >> 5;
    if (levels > 3) return fail(StatusWord::incorrect_p1_p2);
    ONECARD_CHECK(
        refuse_unless(request.data.size() == levels * factor_size, StatusWord::wrong_length));
    ONECARD_TRY(master, card.key(KeyUsage::sam_delegated_mac, KeyIndex{request.p2()},
                                 StatusWord::key_index_not_supported));
    if (master.limit != request.p1()) return fail(StatusWord::conditions_not_satisfied);
    if (master.uses != protocol::uses_unlimited) {
        ONECARD_TRY(left, card.keys.uses_left(master.slot, master.uses));
        if (left == 0) return fail(StatusWord::counter_exhausted);
    }
    card.session.sam.delegated.emplace(derive(master.purse_key(), request.data), request.p1(),
                                       master.slot);
    return {};
}

Outcome<void> compute_delegated(Context& card, const Request& request) {
    const auto delegated = std::exchange(card.session.sam.delegated, std::nullopt);
    if (!delegated) return fail(StatusWord::command_not_allowed_in_state);
    const std::uint8_t mode = request.p1();
    const bool is_mac = mode == mode_mac || mode == mode_mac_from_zero;
    if ((!is_mac && mode != mode_encipher && mode != mode_decipher) || request.p2() != 0) {
        return fail(StatusWord::incorrect_p1_p2);
    }
    ONECARD_TRY(master, card.keys.load(delegated->slot));
    if ((master.limit ^ delegated->usage) != 0) return fail(StatusWord::no_precise_diagnosis);
    const auto type = static_cast<std::uint8_t>(delegated->usage & 0x1F);
    if (!is_permitted(type, mode, request.data)) return fail(StatusWord::conditions_not_satisfied);
    ONECARD_CHECK(is_mac ? answer_mac(card, request, delegated->key)
                         : answer_blocks(card, request, delegated->key));
    if (!is_permitted(look_again_at(master.limit) & 0x1F, request.p1(), request.data)) {
        return fail(StatusWord::no_precise_diagnosis);
    }
    return use_up(card, master);
}

}  // namespace firmware::sam
