#include "tests/fuzz/support/watched_blank.hpp"

namespace fuzz {

using protocol::LifeCycle;

namespace {

constexpr unsigned transport_tries_max = 10;
constexpr unsigned authenticate_code = 0x0082, challenge_code = 0x0084, activate_code = 0x8444,
                   block_code = 0x8416, balance_code = 0x805C;

[[nodiscard]] unsigned code(const CommandApdu& command) {
    return static_cast<unsigned>(command.cla() << 8 | command.ins());
}

}  // namespace

WatchedBlank::WatchedBlank(Chip chip, Secrets& secrets, Suite suite)
    : WatchedChip{std::move(chip), secrets},
      suite_{suite},
      transport_{crypto::purse::transport_key(tests::transport_master(suite), tests::card_serial)} {
}

std::array<std::uint8_t, 8> WatchedBlank::challenge() {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(must(protocol::get_challenge_8()), out.begin());
    return out;
}

void WatchedBlank::open_session() {
    const auto random = challenge();
    crypto::purse::SessionState session{transport_, random};
    const auto cryptogram = crypto::purse::session_cryptogram(session, random);
    const Sealed own{*this, {}};
    const auto answer = send(protocol::make_command(0x00, 0x82, 0x00, 0x00, cryptogram));
    require(is_active_ ? !answer.ok() : answer.ok() || wrong_ >= transport_tries_max);
    if (!answer.ok()) return;
    secrets().add(session.mac_key.value.bytes());
    secrets().add(session.encryption_key.value.bytes());
    session_.emplace(std::move(session));
}

void WatchedBlank::protect(const std::array<std::uint8_t, 4>& header, Bytes data,
                           bool is_enciphered, std::optional<unsigned> le) {
    if (!session_) open_session();
    if (!session_) return;
    std::array<std::uint8_t, 256> text{};
    Bytes body = data;
    if (is_enciphered) {
        const auto size = crypto::purse::encipher(session_->encryption_key, data, text);
        if (!size) return;
        body = Bytes{text}.first(*size);
    }
    if (body.size() > 251) return;
    const crypto::purse::CommandHeader with_size{header[0], header[1], header[2], header[3],
                                                 static_cast<std::uint8_t>(body.size() + 4)};
    const auto mac = crypto::purse::secure_messaging_mac(
        session_->mac_key, session_->starting_value(), with_size, body);
    std::vector<std::uint8_t> whole{body.begin(), body.end()};
    whole.insert(whole.end(), mac.begin(), mac.end());
    const Sealed own{*this, data};
    const auto answer =
        send(protocol::make_command(header[0], header[1], header[2], header[3], whole, le));
    require(answer.status != StatusWord::secure_messaging_wrong);
}

void WatchedBlank::learn(const CommandApdu& command, const Answer& answer) {
    if (answer.status == StatusWord::authentication_blocked && !is_active_) {
        require(wrong_ >= transport_tries_max || code(command) != authenticate_code);
    }
    const bool is_protected = (command.cla() & 0x04) != 0;
    require(!answer.ok() || !is_protected || session_ || is_active_);
    switch (code(command)) {
        case authenticate_code:
            if (is_active_) break;
            require(!answer.ok() || sealed());
            wrong_ = answer.ok() ? 0 : wrong_ + 1;
            break;
        case balance_code:
            require(std::ranges::all_of(answer.data, [](std::uint8_t byte) { return byte == 0; }));
            break;
        case block_code: is_blocked_ = is_blocked_ || answer.ok(); break;
        case activate_code:
            if (!answer.ok()) break;
            require(std::ranges::equal(
                answer.data, crypto::purse::activation_receipt(*session_, tests::card_serial)));
            is_active_ = true;
            session_.reset();
            break;
        default: break;
    }
    if (!answer.ok() && answer.status != StatusWord::file_invalidated) session_.reset();
    if (code(command) == challenge_code) session_.reset();
    if (session_ && is_protected) ++session_->command_number;
}

protocol::ChipInfo WatchedBlank::info() {
    const auto out = protocol::ChipInfo::parse(look(protocol::get_chip_info()).data);
    require(out && out->serial == tests::card_serial);
    return *out;
}

void WatchedBlank::settle(const CommandApdu& command) {
    ++wrong_;
    if (code(command) == activate_code && sealed()) {
        is_active_ = is_active_ || info().life_cycle == LifeCycle::active;
    }
    if (code(command) == block_code && sealed()) {
        is_blocked_ = is_blocked_ || info().life_cycle == LifeCycle::blocked;
    }
}

/// For ever: no session, nothing created, no transport key.
void WatchedBlank::check_closed() {
    const auto left = info();
    require(left.transport_suite == 0xFF && left.transport_version == protocol::KeyVersion{0xFF});
    open_session();
    require(!session_);
    const auto data = protocol::transit_files[0].data();
    const auto command = protocol::make_command(0x84, 0xE0, 0x00, 0x15, data);
    require(look(command).status == StatusWord::conditions_not_satisfied);
}

void WatchedBlank::personalise() {
    protocol::Mac receipt{};
    const auto script =
        tests::transit_card_script(challenge(), tests::card_serial, suite_, &receipt);
    std::vector<std::uint8_t> last;
    for (const auto& command : script) {
        const auto answer = look(command);
        require(answer.ok());
        last = answer.data;
    }
    require(std::ranges::equal(last, receipt));
    is_active_ = true;
}

void WatchedBlank::finish(Chip& sam) {
    restart();
    const auto life = info().life_cycle;
    require(is_blocked_ == (life == LifeCycle::blocked));
    if (!is_blocked_) require(is_active_ == (life == LifeCycle::active));
    const auto purse = look(protocol::select_file(protocol::transit_application));
    if (purse.ok()) {
        const auto balance = look(protocol::get_balance());
        if (balance.ok()) require(balance.data == std::vector<std::uint8_t>(4));
    }
    if (is_blocked_) return;
    if (is_active_) return check_closed();
    if (wrong_ >= transport_tries_max) return;
    personalise();
    Chip& card = chip();
    card.power_on();
    card.must(protocol::select_by_name(protocol::transit_aid));
    tests::load(card, 2, suite_);
    const auto opened = tests::open_purchase(card, sam, 1, protocol::TransactionType::purchase);
    const auto proof = protocol::DebitProof::parse_debit(card.must(tests::debit(opened)));
    sam.must(protocol::credit_sam_for_purchase(proof->mac2));
    require(tests::balance(card) == 1);
    check_closed();
}

}  // namespace fuzz
