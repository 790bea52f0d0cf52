#include "tests/fuzz/support/watched_sam.hpp"

#include "tests/protocol/hex.hpp"

namespace fuzz {

using protocol::TransactionType;

namespace {

constexpr unsigned initialise_code = 0x8070, prepare_code = 0x801A, compute_code = 0x80FA,
                   write_key_code = 0x84D4;
constexpr std::size_t factors_size = 16;

[[nodiscard]] unsigned code(const CommandApdu& command) {
    return static_cast<unsigned>(command.cla() << 8 | command.ins());
}

[[nodiscard]] const std::vector<tests::IssuedKey>& keys_of_sam() {
    static const auto keys = tests::issued_sam_keys(Suite::sm4);
    return keys;
}

[[nodiscard]] bool is_delegated(const CommandApdu& command) {
    return command.p1() == static_cast<std::uint8_t>(KeyUsage::sam_delegated_mac);
}

}  // namespace

WatchedSam::WatchedSam(Chip chip, Secrets& secrets)
    : IssuedChip{
          std::move(chip), secrets, keys_of_sam(), {protocol::sam_application, protocol::sam_aid}} {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        uses_[tests::counted_lock_index(suite)].left = tests::counted_uses.value();
    }
}

void WatchedSam::take_use() {
    require(prepared_.has_value());
    const auto counted = uses_.find(*prepared_);
    if (counted != uses_.end()) {
        require(counted->second.left > 0);
        --counted->second.left;
        counted->second.lost = std::min(counted->second.lost, counted->second.left);
    }
    prepared_.reset();
}

/// version1 suite1 tries1 limit1 key16 uses2.
void WatchedSam::learn_uses(KeyIndex index) {
    const Bytes plain = *sealed();
    require(plain.size() == 22);
    const auto uses = static_cast<std::uint32_t>(plain[20] << 8 | plain[21]);
    uses_.erase(index.value());
    if (uses != 0) uses_[index.value()].left = uses;
}

void WatchedSam::learn(const CommandApdu& command, const Answer& answer) {
    IssuedChip::learn(command, answer);
    if (!answer.ok()) return;
    switch (code(command)) {
        case initialise_code: {
            require(answer.data.size() == 8);
            const auto number =
                static_cast<std::uint32_t>(protocol::read_big_endian(Bytes{answer.data}.first(4)));
            require(number > last_number_);
            last_number_ = number;
            break;
        }
        case prepare_code: prepared_ = command.p2(); break;
        case compute_code: take_use(); break;
        case write_key_code:
            if (is_delegated(command)) learn_uses(KeyIndex{command.p2()});
            break;
        default: break;
    }
}

void WatchedSam::settle(const CommandApdu& command) {
    IssuedChip::settle(command);
    if (code(command) == compute_code && prepared_) {
        const auto counted = uses_.find(*prepared_);
        if (counted != uses_.end()) {
            auto& [left, lost] = counted->second;
            lost = std::min(left, lost + 1);
        }
    }
    if (code(command) == write_key_code && is_delegated(command) && sealed()) {
        // Written or not: the key may compute as often as either says.
        const auto old = uses_.find(command.p2());
        const Bytes plain = *sealed();
        const bool is_sound = plain.size() == 22;
        const auto fresh = is_sound ? static_cast<std::uint32_t>(plain[20] << 8 | plain[21]) : 0U;
        if (old != uses_.end() && is_sound && fresh == 0) uses_.erase(old);
        if (old != uses_.end() && fresh != 0) {
            auto& [left, lost] = old->second;
            left = std::max(left, fresh);
            lost = left;
        }
    }
    prepared_.reset();
}

void WatchedSam::use_counted(Suite suite) {
    const std::vector<std::uint8_t> factors(factors_size, 0x42);
    must(protocol::make_command(0x80, 0x1A, protocol::delegated_lock_limit,
                                tests::counted_lock_index(suite), factors));
    static const auto lock = tests::hex("80FA0500 10 0102030405060708 841E000004800000 04");
    (void)send(lock);
}

/// The counted key, until it says that nothing is left.
void WatchedSam::drain(Suite suite) {
    constexpr std::uint32_t patience = 8;
    const auto counted = uses_.find(tests::counted_lock_index(suite));
    if (counted == uses_.end() || counted->second.left > patience) return;
    if (!is_as_issued(KeyUsage::sam_delegated_mac, KeyIndex{counted->first})) return;
    for (std::uint32_t i = 0; i <= patience; ++i) {
        try {
            use_counted(suite);
        } catch (const std::runtime_error&) {
            break;  // 9402
        }
    }
    require(counted->second.left == counted->second.lost);
}

/// The terminal's number is in the SAM: its maintenance key may have changed it.
void WatchedSam::pay_one(Chip& card, Suite suite) {
    constexpr auto one = protocol::Money::from_fen(1);
    const auto number =
        protocol::ByteReader{demand(protocol::read_terminal_number())}.take_array<6>();
    require(number.has_value());
    const auto opened = protocol::PurchaseInitialised::parse(card.must(
        protocol::initialise_for_purchase({KeyIndex{1}, one, protocol::TerminalNumber{*number}})));
    const auto mac1 = protocol::SamPurchaseAnswer::parse(demand(protocol::init_sam_for_purchase(
        {opened->random, opened->counter, one, TransactionType::purchase, tests::noon(),
         opened->key_version, suite, protocol::card_factor(tests::card_number),
         tests::issuer.value()})));
    require(mac1.has_value());
    const auto proof = protocol::DebitProof::parse_debit(
        card.must(protocol::debit_for_purchase({mac1->sequence, tests::noon(), mac1->mac1})));
    (void)demand(protocol::credit_sam_for_purchase(proof->mac2));
}

void WatchedSam::finish(Chip& card, Suite suite) {
    if (!come_back()) return;
    drain(suite);
    bool is_sound = true;
    for (const std::uint8_t index : {std::uint8_t{0}, std::uint8_t{1}}) {
        is_sound = is_sound && is_as_issued(KeyUsage::sam_purchase, KeyIndex{index});
    }
    if (is_sound) pay_one(card, suite);
}

}  // namespace fuzz
