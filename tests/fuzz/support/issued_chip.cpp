#include "tests/fuzz/support/issued_chip.hpp"

#include "firmware/os/pin.hpp"

namespace fuzz {

using protocol::FileIdentifier;
using tests::IssuedKey;
using tests::PurseKey;

namespace {

constexpr std::size_t header_size = protocol::KeyHeader::size;

[[nodiscard]] unsigned code(const CommandApdu& command) {
    return static_cast<unsigned>(command.cla() << 8 | command.ins());
}
constexpr unsigned select_code = 0x00A4, verify_code = 0x0020, authenticate_code = 0x0082,
                   change_pin_code = 0x805E, write_key_code = 0x84D4, unblock_pin_code = 0x8424,
                   block_card_code = 0x8416, unblock_code = 0x8418, block_code = 0x841E;

[[nodiscard]] bool moves_money(const CommandApdu& command) {
    switch (code(command)) {
        case 0x8052:
        case 0x8054:
        case 0x8058:
        case 0xE07C:
        case 0xE07E: return true;
        default: return false;
    }
}

/// The PIN that a command would set.
[[nodiscard]] Bytes new_pin(const CommandApdu& command) {
    const Bytes data = command.data();
    if (command.p1() == 0x00) return firmware::strip_filling(data.first(data.size() - 4));
    const auto separator = std::ranges::find(data, std::uint8_t{0xFF});
    return firmware::strip_filling({separator + 1, data.end()});
}

}  // namespace

IssuedChip::IssuedChip(Chip chip, Secrets& secrets, const std::vector<IssuedKey>& issued,
                       const Application& application, Bytes pin)
    : WatchedChip{std::move(chip), secrets},
      issued_{&issued},
      application_{application},
      pin_{pin.begin(), pin.end()} {
    if (!pin.empty()) secrets.add(pin);
}

const IssuedKey* IssuedChip::find(FileIdentifier file, KeyUsage usage, KeyIndex index) const {
    const auto is_it = [&](const IssuedKey& key) {
        return key.file == file && key.usage == usage && key.index == index;
    };
    const auto written = std::ranges::find_if(written_, is_it);
    if (written != written_.end()) return &*written;
    const auto issued = std::ranges::find_if(*issued_, is_it);
    return issued == issued_->end() ? nullptr : &*issued;
}

const PurseKey& IssuedChip::key(KeyUsage usage, KeyIndex index) const {
    const IssuedKey* found = find(application_.file, usage, index);
    require(found != nullptr);
    return found->key;
}

bool IssuedChip::is_as_issued(KeyUsage usage, KeyIndex index) const {
    return std::ranges::none_of(
        written_, [&](const IssuedKey& key) { return key.usage == usage && key.index == index; });
}

void IssuedChip::select() {
    (void)send(protocol::select_by_name(application_.name));
}

void IssuedChip::authenticate() {
    std::array<std::uint8_t, 8> challenge{};
    std::ranges::copy(must(protocol::get_challenge_8()), challenge.begin());
    const auto* control = find(directory_, KeyUsage::control, KeyIndex{0});
    if (control == nullptr) return;
    const Sealed own{*this, {}};
    const auto answer =
        send(protocol::make_command(0x00, 0x82, 0, 0,
                                    crypto::purse::authentication_cryptogram(
                                        control->key, crypto::purse::Challenge{challenge})));
    require(answer.ok() || answer.status == StatusWord::authentication_blocked ||
            blocking_ != Blocking::none);
}

void IssuedChip::protect(const std::array<std::uint8_t, 4>& header, KeyUsage usage, Bytes plain,
                         bool is_enciphered) {
    const auto* found = find(directory_, usage, KeyIndex{0});
    if (found == nullptr) return;
    std::array<std::uint8_t, 256> text{};
    Bytes body = plain;
    if (is_enciphered) {
        const auto size = crypto::purse::encipher(found->key, plain, text);
        if (!size) return;
        body = Bytes{text}.first(*size);
    }
    if (body.size() > 251) return;
    const auto command = tests::protect(*this, found->key, {header, body});
    const Sealed own{*this, plain};
    const auto answer = send(command);
    require(answer.status != StatusWord::secure_messaging_wrong);
}

void IssuedChip::learn(const CommandApdu& command, const Answer& answer) {
    count_wrong(command, answer);
    const bool shows_holder = !std::ranges::search(answer.data, holder_mark).empty();
    require(!shows_holder || is_pin_shown_);
    switch (code(command)) {
        case select_code: learn_selection(answer); break;
        case verify_code:
        case change_pin_code: learn_pin(command, answer); break;
        case authenticate_code: require(!answer.ok() || sealed()); break;
        case write_key_code:
            if (!answer.ok()) break;
            learn_key(static_cast<KeyUsage>(command.p1()), KeyIndex{command.p2()}, *sealed());
            break;
        case unblock_pin_code:
            if (!answer.ok()) break;
            pin_ = {sealed()->begin(), sealed()->end()};
            pin_.resize(firmware::strip_filling(pin_).size());
            break;
        default: break;
    }
    learn_blocking(command, answer);
}

void IssuedChip::count_wrong(const CommandApdu& command, const Answer& answer) {
    const auto status = static_cast<unsigned>(answer.status);
    const bool is_question = code(command) == verify_code && command.data().empty();
    const bool is_pin = code(command) == verify_code || code(command) == change_pin_code;
    if (answer.status == StatusWord::authentication_blocked) {
        require(is_pin ? may_pin_be_used_up() : may_be_used_up());
    }
    const bool is_wrong = (status & 0xFFF0) == 0x63C0 || answer.status == StatusWord::mac_wrong ||
                          answer.status == StatusWord::secure_messaging_wrong ||
                          answer.status == StatusWord::application_permanently_blocked;
    if (is_wrong && !is_question) ++wrong_;
}

/// 6F L { 84 name ...
void IssuedChip::learn_selection(const Answer& answer) {
    if (answer.data.size() < 4) return;  // refused, or an EF
    const std::size_t size = answer.data[3];
    require(answer.data[2] == 0x84 && size + 4 <= answer.data.size());
    const bool is_application =
        std::ranges::equal(Bytes{answer.data}.subspan(4, size), application_.name);
    directory_ = is_application ? application_.file : protocol::master_file;
    is_pin_shown_ = false;
}

void IssuedChip::learn_pin(const CommandApdu& command, const Answer& answer) {
    if (code(command) == verify_code) {
        const bool is_wrong = (static_cast<unsigned>(answer.status) & 0xFFF0) == 0x63C0;
        if (is_wrong && !command.data().empty()) is_pin_shown_ = false;
        if (!answer.ok()) return;
        is_pin_shown_ = true;
        require(std::ranges::equal(firmware::strip_filling(command.data()), pin_));
        return;
    }
    if (!answer.ok()) return;
    const Bytes data = command.data();
    if (command.p1() == 0x01) {
        const auto separator = std::ranges::find(data, std::uint8_t{0xFF});
        require(std::ranges::equal(Bytes{data.begin(), separator}, pin_));
    } else {
        const auto mac = crypto::purse::reload_pin_mac(key(KeyUsage::pin_reload, KeyIndex{0}),
                                                       data.first(data.size() - 4));
        require(std::ranges::equal(mac, data.last(4)));
    }
    const Bytes fresh = new_pin(command);
    pin_ = {fresh.begin(), fresh.end()};
}

/// WRITE KEY's plaintext: version1 suite1 tries1 limit1 value.
void IssuedChip::learn_key(KeyUsage usage, KeyIndex index, Bytes plain) {
    require(plain.size() >= header_size);
    tries_min_ = std::min<unsigned>(tries_min_, plain[2] & 0x0F);
    const Bytes value = plain.subspan(header_size);
    if (usage == KeyUsage::pin) {
        const Bytes digits = firmware::strip_filling(value);
        pin_ = {digits.begin(), digits.end()};
        return;
    }
    require(value.size() >= crypto::purse::key_size);
    require(find(directory_, usage, index) != nullptr);  // it only replaces
    std::erase_if(written_, [&](const IssuedKey& key) {
        return key.file == directory_ && key.usage == usage && key.index == index;
    });
    const Bytes uses = value.subspan(crypto::purse::key_size);
    written_.push_back(
        {directory_, usage, index,
         PurseKey{static_cast<Suite>(plain[1]), value.first<crypto::purse::key_size>()}, plain[3],
         protocol::KeyUses{
             static_cast<std::uint16_t>(uses.size() == 2 ? uses[0] << 8 | uses[1] : 0)}});
    secrets().add(value.first(crypto::purse::key_size));
}

void IssuedChip::learn_blocking(const CommandApdu& command, const Answer& answer) {
    if (answer.status == StatusWord::application_permanently_blocked &&
        blocking_ != Blocking::for_good && is_blocking_sure_) {
        require(moves_money(command) && may_be_used_up());
        blocking_ = Blocking::for_good;
    }
    if (!answer.ok()) return;
    switch (code(command)) {
        case block_code:
            if (blocking_ != Blocking::for_good) {
                blocking_ = command.p2() == 1 ? Blocking::for_good : Blocking::for_a_time;
            }
            break;
        case unblock_code:
            require(blocking_ != Blocking::for_good || !is_blocking_sure_);
            blocking_ = Blocking::none;
            is_blocking_sure_ = true;
            break;
        case block_card_code: is_card_blocked_ = true; break;
        default: break;
    }
}

void IssuedChip::after_restart() {
    directory_ = protocol::master_file;
    is_pin_shown_ = false;
}

/// The value of a key of the application, as the flash has it.
std::vector<std::uint8_t> IssuedChip::stored(KeyUsage usage, KeyIndex index) {
    tests::TearingFlash copy = chip().flash();
    firmware::Store store{copy};
    require(store.mount().has_value());
    const firmware::KeyRing keys{store};
    for (std::uint8_t owner = 1; owner < firmware::file_count_max; ++owner) {
        const auto slot = keys.find(firmware::FileHandle{owner}, usage, index);
        if (!slot) continue;
        const auto found = keys.load(*slot);
        require(found.has_value());
        return {found->bytes().begin(), found->bytes().end()};
    }
    return {};
}

void IssuedChip::settle_key(KeyUsage usage, KeyIndex index, Bytes plain) {
    if (plain.size() <= header_size) return;
    const auto found = stored(usage, index);
    const bool is_pin = usage == KeyUsage::pin;
    if (found.empty()) return;
    Bytes value = plain.subspan(header_size);
    value = is_pin ? firmware::strip_filling(value)
                   : value.first(std::min(value.size(), crypto::purse::key_size));
    if (std::ranges::equal(found, value)) {
        directory_ = application_.file;
        learn_key(usage, index, plain);
        directory_ = protocol::master_file;
        return;
    }
    require(is_pin ? found == pin_ : std::ranges::equal(found, key(usage, index).value.bytes()));
}

/// CHANGE, RELOAD, UNBLOCK: the PIN before or the new one.
void IssuedChip::settle_pin(const CommandApdu& command) {
    const auto found = stored(KeyUsage::pin, KeyIndex{0});
    if (found == pin_) return;
    const Bytes fresh =
        code(command) == unblock_pin_code ? firmware::strip_filling(*sealed()) : new_pin(command);
    require(std::ranges::equal(found, fresh));
    pin_ = found;
}

void IssuedChip::settle(const CommandApdu& command) {
    ++wrong_;  // a try may be taken and not given back
    if (code(command) == write_key_code && sealed()) {
        settle_key(static_cast<KeyUsage>(command.p1()), KeyIndex{command.p2()}, *sealed());
    }
    if (code(command) == change_pin_code || (code(command) == unblock_pin_code && sealed())) {
        settle_pin(command);
    }
    const bool may_block = code(command) == block_code || code(command) == unblock_code;
    if ((may_block && sealed()) || (moves_money(command) && may_be_used_up())) {
        is_blocking_sure_ = false;
    }
    if (code(command) == block_card_code && sealed()) {
        const auto info = protocol::ChipInfo::parse(look(protocol::get_chip_info()).data);
        require(info.has_value());
        is_card_blocked_ = is_card_blocked_ || info->life_cycle == protocol::LifeCycle::blocked;
    }
}

bool IssuedChip::come_back() {
    restart();
    const auto info = protocol::ChipInfo::parse(demand(protocol::get_chip_info()));
    require(info.has_value());
    using protocol::LifeCycle;
    require(info->life_cycle == (is_card_blocked_ ? LifeCycle::blocked : LifeCycle::active));
    const auto answer = send(protocol::select_by_name(application_.name));
    if (is_card_blocked_) {
        require(answer.status == StatusWord::function_not_supported);
        return false;
    }
    require(answer.ok() || answer.status == StatusWord::file_invalidated);
    if (is_blocking_sure_) require(answer.ok() == (blocking_ == Blocking::none));
    return answer.ok();
}

}  // namespace fuzz
