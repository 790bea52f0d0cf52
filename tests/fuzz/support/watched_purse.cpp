#include "tests/fuzz/support/watched_purse.hpp"

namespace fuzz {

using protocol::Mac;
using protocol::Money;
using protocol::TransactionType;

namespace {

constexpr unsigned initialise_code = 0x8050, credit_code = 0x8052, debit_code = 0x8054,
                   limit_code = 0x8058, initialise_grey_code = 0xE07A, lock_code = 0xE07C,
                   unlock_code = 0xE07E, get_data_code = 0x80CA;
constexpr std::uint16_t counter_end = 0xFFFF;

[[nodiscard]] unsigned code(const CommandApdu& command) {
    return static_cast<unsigned>(command.cla() << 8 | command.ins());
}

/// docs/card_commands.md, 6: any other command closes what INITIALIZE has opened.
[[nodiscard]] bool continues(const CommandApdu& command) {
    static constexpr std::array codes{0x0084U, 0x8052U, 0x8054U, 0x8058U, 0x805CU, 0x80CAU,
                                      0x80DCU, 0xE07CU, 0xE07EU, 0xE0CAU, 0x8050U, 0xE07AU};
    return std::ranges::find(codes, code(command)) != codes.end();
}

[[nodiscard]] const std::vector<tests::IssuedKey>& keys_of(Suite suite) {
    static const auto sm4 = tests::issued_card_keys(Suite::sm4);
    static const auto old = tests::issued_card_keys(Suite::triple_des);
    return suite == Suite::sm4 ? sm4 : old;
}

[[nodiscard]] std::uint32_t number(Bytes bytes) {
    return static_cast<std::uint32_t>(protocol::read_big_endian(bytes));
}

}  // namespace

WatchedPurse::WatchedPurse(Chip chip, Secrets& secrets, Suite suite, Purse purse, Bytes pin)
    : IssuedChip{std::move(chip),
                 secrets,
                 keys_of(suite),
                 {protocol::transit_application, protocol::transit_aid},
                 pin},
      purse_{purse} {}

/// P1: the purse as this command leaves it, if it is accepted; empty when it must not be.
std::optional<Purse> WatchedPurse::after(const CommandApdu& command) const {
    Purse out = purse_;
    const std::int64_t open = opened_ ? opened_->amount.fen() : 0;
    const Bytes data = command.data();
    switch (code(command)) {
        case credit_code:
            if (!is_open(0x50, 0x00)) return std::nullopt;
            out.worth += open;
            ++out.online;
            return out;
        case debit_code:
            if (command.p1() == 0x03 ? !is_open(0x50, 0x05)
                                     : !is_open(0x50, 0x01) && !is_open(0x50, 0x03)) {
                return std::nullopt;
            }
            out.worth -= open;
            ++(command.p1() == 0x03 ? out.online : out.offline);
            return out;
        case limit_code:
            if (!is_open(0x50, 0x04) || data.size() < 3) return std::nullopt;
            out.limit = number(data.first(3));
            ++out.online;
            return out;
        case lock_code:
            if (!is_open(0x7A, 0x08) || purse_.is_locked) return std::nullopt;
            out.is_locked = true;
            return out;
        case unlock_code:
            if (!purse_.is_locked || data.size() < 4) return std::nullopt;
            if (command.p1() == 0x09 && !is_open(0x7A, 0x09)) return std::nullopt;
            out.worth -= number(data.first(4));
            out.is_locked = false;
            ++out.offline;
            if (command.p1() == 0x09) ++out.online;
            return out;
        default: return std::nullopt;
    }
}

/// DEBIT and GREY LOCK: the terminal's process key.
std::optional<Mac> WatchedPurse::offline_mac(const CommandApdu& command) const {
    const auto data = protocol::DebitData::parse(command.data());
    if (!data || !opened_) return std::nullopt;
    auto type = TransactionType::purchase;
    if (opened_->ins == 0x50 && opened_->p1 == 0x03) type = TransactionType::capp_purchase;
    if (code(command) == lock_code) type = protocol::grey_lock_type;
    const auto process_key = crypto::purse::offline_process_key(
        key(KeyUsage::purchase, opened_->key), opened_->random,
        protocol::OfflineCounter{purse_.offline}, data->sequence);
    const auto layout =
        protocol::purchase_mac1_input(code(command) == lock_code ? Money{} : opened_->amount, type,
                                      opened_->terminal, data->when);
    std::vector<std::uint8_t> input{layout.begin(), layout.end()};
    if (opened_->code && code(command) == debit_code) {
        input.insert(input.end(), opened_->code->begin(), opened_->code->end());
    }
    return crypto::purse::purse_mac(process_key, input);
}

/// What the issuer's host answers.
std::optional<Mac> WatchedPurse::online_mac(const CommandApdu& command) const {
    if (!opened_) return std::nullopt;
    const auto mac = [&](KeyUsage usage, Bytes input) {
        return crypto::purse::purse_mac(
            crypto::purse::online_process_key(key(usage, opened_->key), opened_->random,
                                              protocol::OnlineCounter{purse_.online}),
            input);
    };
    if (code(command) == limit_code) {
        const auto data = protocol::OverdraftData::parse(command.data());
        if (!data) return std::nullopt;
        return mac(KeyUsage::overdraft,
                   protocol::overdraft_mac2_input(data->limit_fen, opened_->terminal, data->when));
    }
    if (code(command) == unlock_code) {
        const auto data = protocol::GreyDebitData::parse(command.data());
        if (!data) return std::nullopt;
        return mac(KeyUsage::unload,
                   protocol::load_mac2_input(data->amount, protocol::grey_unlock_type,
                                             opened_->terminal, data->when));
    }
    const auto data = protocol::CreditData::parse(command.data());
    if (!data) return std::nullopt;
    const bool is_load = code(command) == credit_code;
    return mac(is_load ? KeyUsage::load : KeyUsage::unload,
               protocol::load_mac2_input(opened_->amount,
                                         is_load ? TransactionType::load : TransactionType::unload,
                                         opened_->terminal, data->when));
}

/// DEBIT FOR UNLOCK: the station's process key, of the lock.
std::optional<Mac> WatchedPurse::grey_mac(const CommandApdu& command) const {
    const auto data = protocol::GreyDebitData::parse(command.data());
    if (!data || !lock_) return std::nullopt;
    const auto process_key = crypto::purse::offline_process_key(
        key(KeyUsage::purchase, lock_->key), lock_->random,
        protocol::OfflineCounter{purse_.offline}, lock_->sequence);
    return crypto::purse::purse_mac(
        process_key, protocol::purchase_mac1_input(data->amount, protocol::grey_debit_type,
                                                   lock_->terminal, data->when));
}

std::optional<Mac> WatchedPurse::right_mac(const CommandApdu& command) const {
    // Only key index 1 exists; of another one INITIALIZE opens nothing.
    switch (code(command)) {
        case credit_code:
        case limit_code: return online_mac(command);
        case debit_code: return command.p1() == 0x03 ? online_mac(command) : offline_mac(command);
        case lock_code: return offline_mac(command);
        case unlock_code: return command.p1() == 0x09 ? online_mac(command) : grey_mac(command);
        default: return std::nullopt;
    }
}

bool WatchedPurse::is_right(const CommandApdu& command) const {
    const auto mac = right_mac(command);
    return mac && std::ranges::equal(*mac, command.data().last(mac->size()));
}

void WatchedPurse::foresee(const CommandApdu& command) {
    foreseen_ = after(command);
}

/// It was accepted: that was right, and so is the purse behind it.
void WatchedPurse::take_over(const CommandApdu& command) {
    require(foreseen_ && is_right(command));
    if (foreseen_->is_locked && !purse_.is_locked) {
        const auto data = protocol::DebitData::parse(command.data());
        lock_ = {opened_->key, opened_->random, opened_->terminal, data->sequence};
    }
    purse_ = *foreseen_;
    require(purse_.worth + purse_.limit >= 0);
    opened_.reset();
}

void WatchedPurse::learn_opening(const CommandApdu& command, const Answer& answer) {
    opened_.reset();
    const bool is_grey = command.ins() == 0x7A;
    const Bytes data = command.data();
    const Bytes fields = answer.data;
    // balance4 counter2 [limit3] version1 suite1 rand4 [MAC1]
    const bool has_limit =
        is_grey ? command.p1() == 0x08
                : command.p1() == 0x01 || command.p1() == 0x03 || command.p1() == 0x04;
    const std::size_t random_at = has_limit ? 11 : 8;
    require(fields.size() >= random_at + 4 && data.size() == (is_grey ? 7U : 11U));
    const bool is_offline = has_limit && command.p1() != 0x04;
    require(number(fields.first(4)) == std::max<std::int64_t>(purse_.worth, 0));
    require(number(fields.subspan(4, 2)) == (is_offline ? purse_.offline : purse_.online));
    std::array<std::uint8_t, 6> terminal{};
    std::ranges::copy(data.last(6), terminal.begin());
    Opened opened{command.ins(),
                  command.p1(),
                  KeyIndex{data[0]},
                  Money::from_fen(is_grey ? 0 : number(data.subspan(1, 4))),
                  protocol::TerminalNumber{terminal},
                  {}};
    std::ranges::copy(fields.subspan(random_at, 4), opened.random.begin());
    opened_ = opened;
}

void WatchedPurse::learn(const CommandApdu& command, const Answer& answer) {
    IssuedChip::learn(command, answer);
    if (!answer.ok()) {
        opened_.reset();
        return;
    }
    switch (code(command)) {
        case initialise_code:
        case initialise_grey_code: learn_opening(command, answer); break;
        case credit_code:
        case debit_code:
        case limit_code:
        case lock_code:
        case unlock_code: take_over(command); break;
        case get_data_code:
            if (command.p1() == 0 && command.p2() == 0) {
                require(opened_.has_value() && answer.data.size() == 9);
                std::ranges::copy(answer.data, opened_->code.emplace().begin());
            }
            break;
        default: break;
    }
    if (!continues(command)) opened_.reset();
}

std::uint32_t WatchedPurse::amount_of(std::uint8_t which) {
    const auto answer = look(protocol::make_command(0x80, 0x5C, which, 0x02, {}, 4));
    require(answer.ok() && answer.data.size() == 4);
    return number(answer.data);
}

/// The card's own words, the transit application selected.
void WatchedPurse::compare() {
    const std::int64_t own = amount_of(0x03), owed = amount_of(0x02);
    require(own == 0 || owed == 0);
    require(own - owed == purse_.worth && amount_of(0x01) == purse_.limit);
    const auto proof = look(protocol::get_grey_proof());
    require(proof.ok() && (proof.data[0] == 1) == purse_.is_locked);
    if (purse_.is_locked) require(number(Bytes{proof.data}.subspan(1, 2)) == purse_.offline);
}

/// Of the two states only the new one answers this transaction's proof, or is locked.
bool WatchedPurse::was_done(const CommandApdu& command) {
    if (code(command) == lock_code) return look(protocol::get_grey_proof()).data[0] == 1;
    if (code(command) == unlock_code) return look(protocol::get_grey_proof()).data[0] == 0;
    const bool is_offline = code(command) == debit_code && command.p1() != 0x03;
    auto type = TransactionType::load;
    if (code(command) == limit_code) type = TransactionType::overdraft_change;
    if (code(command) == debit_code) type = TransactionType::unload;
    if (is_offline) {
        type = opened_->p1 == 0x03 ? TransactionType::capp_purchase : TransactionType::purchase;
    }
    return look(protocol::get_transaction_prove(type, is_offline ? purse_.offline : purse_.online))
        .ok();
}

void WatchedPurse::settle(const CommandApdu& command) {
    IssuedChip::settle(command);
    const auto selected = look(protocol::select_by_name(protocol::transit_aid));
    const bool is_usable = selected.ok();
    if (is_usable || selected.status == StatusWord::file_invalidated) {
        const bool is_done = foreseen_ && is_usable && was_done(command);
        if (is_done) take_over(command);
        compare();
    }
    opened_.reset();
    restart();
}

bool WatchedPurse::show_pin() {
    const auto answer = send(protocol::verify_pin(pin()));
    if (answer.status == StatusWord::authentication_blocked) return false;  // judged in count_wrong
    require(answer.ok());
    return true;
}

/// GREY UNLOCK of nothing; the PIN is shown.
void WatchedPurse::free_by_issuer() {
    (void)demand(protocol::initialise_for_grey_unlock({KeyIndex{1}, tests::terminal}));
    protocol::GreyDebitData data{Money{}, tests::noon(), {}};
    const auto blank = protocol::grey_unlock(data);
    data.mac = *right_mac(*CommandApdu::parse(blank));
    const auto answer = send(protocol::grey_unlock(data));
    require(answer.ok() || may_be_used_up());
}

void WatchedPurse::pay_one(Chip& sam) {
    constexpr auto one = Money::from_fen(1);
    const Purse before = purse_;
    const auto opened = protocol::PurchaseInitialised::parse(
        demand(protocol::initialise_for_purchase(tests::initialise_data(1))));
    require(opened.has_value());
    protocol::DebitData data{protocol::TerminalSequence{7}, tests::noon(), {}};
    const bool is_sams = is_as_issued(KeyUsage::purchase, KeyIndex{1});
    if (is_sams) {
        const auto mac1 =
            protocol::SamPurchaseAnswer::parse(sam.must(protocol::init_sam_for_purchase(
                {opened->random, opened->counter, one, TransactionType::purchase, tests::noon(),
                 opened->key_version, opened->suite, protocol::card_factor(tests::card_number),
                 tests::issuer.value()})));
        data.sequence = mac1->sequence;
        data.mac1 = mac1->mac1;
    } else {
        data.mac1 = *right_mac(*CommandApdu::parse(protocol::debit_for_purchase(data)));
    }
    const auto answer = send(protocol::debit_for_purchase(data));
    if (answer.status == StatusWord::application_permanently_blocked && may_be_used_up()) return;
    require(answer.ok());
    const auto proof = protocol::DebitProof::parse_debit(answer.data);
    if (is_sams) (void)sam.must(protocol::credit_sam_for_purchase(proof->mac2));
    require(purse_.worth == before.worth - 1 && purse_.offline == before.offline + 1);
    const auto log = protocol::PurseLogRecord::parse(
        demand(protocol::make_command(0x00, 0xB2, 0x01, protocol::sfi_log << 3 | 4, {}, 256)));
    require(log && log->counter_after == purse_.offline && log->amount == one &&
            log->type == TransactionType::purchase);
    compare();
}

void WatchedPurse::finish(Chip& sam) {
    if (!come_back()) return;
    compare();
    const bool is_pin_good = show_pin();
    if (is_pin_good && !purse_.is_locked && purse_.online != counter_end) {
        // INITIALIZE's counter is the model's: learn_opening compares.
        (void)demand(protocol::initialise_for_load(tests::initialise_data(0)));
    }
    if (is_pin_good && purse_.is_locked) free_by_issuer();
    const bool can_pay =
        !purse_.is_locked && purse_.offline != counter_end && purse_.worth + purse_.limit >= 1;
    if (can_pay) pay_one(sam);
}

}  // namespace fuzz
