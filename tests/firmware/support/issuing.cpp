#include "tests/firmware/support/issuing.hpp"

#include <stdexcept>

#include "tests/protocol/hex.hpp"

namespace tests {

using crypto::purse::PersonalisationSession;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::ShortCommand;

namespace {

void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error{what};
}

}  // namespace

const protocol::IssuerId issuer{{0x31, 0x04, 0, 0, 0, 0, 0, 0x01}};
const protocol::CardNumber card_number{{0x03, 0x10, 0x41, 0, 0, 0, 0x12, 0x34, 0x56, 0x78}};
const protocol::TerminalNumber terminal{{0x00, 0x00, 0x01, 0x00, 0x00, 0x50}};

void ScriptedRandom::fill(protocol::MutableBytes out) {
    const std::size_t wanted = std::min(out.size(), next_.size());
    std::copy_n(next_.begin(), wanted, out.begin());
    next_.erase(next_.begin(), next_.begin() + static_cast<std::ptrdiff_t>(wanted));
    source_.fill(out.subspan(wanted));
}

Chip::Chip(std::string_view label, std::uint64_t seed, std::uint16_t pages)
    : seed_{seed},
      label_{label},
      flash_{std::make_unique<TearingFlash>(pages)},
      random_{std::make_unique<ScriptedRandom>(crypto::SeededRandom{seed, label})} {}

void Chip::manufacture(const protocol::ChipSerial& serial, Suite suite) {
    const auto key = crypto::purse::transport_key(transport_master(suite), serial);
    require(firmware::Card::manufacture(*flash_, *random_, serial, key, key_version).has_value(),
            "a chip cannot be made");
    power_on();
}

void Chip::power_on() {
    exchanges_.reset();
    flash_->reboot();
    card_ = std::make_unique<firmware::Card>(*flash_, *random_);
    require(card_->reset().has_value(), "the chip is mute");
}

Answer Chip::send(Bytes command) {
    std::array<std::uint8_t, protocol::short_response_size_max> response{};
    const std::size_t size = card_->process(command, response);
    const auto parsed = protocol::ResponseApdu::parse(Bytes{response}.first(size));
    require(parsed.has_value(), "a response of fewer than two bytes");
    if (exchanges_) {
        exchanges_->push_back({{command.begin(), command.end()},
                               {response.begin(), response.begin() + static_cast<long>(size)}});
    }
    return {{parsed->data().begin(), parsed->data().end()}, parsed->status()};
}

std::vector<std::uint8_t> Party::must(Bytes command) {
    auto answer = send(command);
    if (!answer.ok()) {
        throw std::runtime_error{to_hex(command) + " answers " +
                                 std::to_string(static_cast<unsigned>(answer.status))};
    }
    return answer.data;
}

Chip Chip::clone() const {
    return with(*flash_);
}

Chip Chip::with(const TearingFlash& content) const {
    Chip copy{label_, seed_ + 1, content.page_count()};
    *copy.flash_ = content;
    copy.power_on();
    return copy;
}

unsigned Chip::tries_left(KeyUsage usage, KeyIndex index) const {
    TearingFlash copy = *flash_;
    firmware::Store store{copy};
    require(store.mount().has_value(), "the copy does not mount");
    const firmware::KeyRing keys{store};
    for (std::uint8_t owner = 0; owner < firmware::file_count_max; ++owner) {
        const auto slot = keys.find(firmware::FileHandle{owner}, usage, index);
        if (slot && owner != 0) return keys.tries_left(keys.load(*slot).value()).value();
    }
    throw std::runtime_error{"no such key"};
}

PurseKey master_key(KeyUsage usage, Suite suite) {
    std::array<std::uint8_t, 16> value{};
    crypto::SeededRandom{static_cast<std::uint64_t>(usage), suite == Suite::sm4 ? "sm4" : "3des"}
        .fill(value);
    return {suite, value};
}

PurseKey transport_master(Suite suite) {
    std::array<std::uint8_t, 16> value{};
    crypto::SeededRandom{0, suite == Suite::sm4 ? "sm4" : "3des"}.fill(value);
    return {suite, value};
}

PurseKey card_key(KeyUsage usage, Suite suite) {
    return crypto::purse::diversify(master_key(usage, suite), issuer, card_number);
}

PurseKey sam_master_file_key(Suite suite) {
    return card_key(KeyUsage::pin_reload, suite);
}

std::vector<IssuedKey> issued_card_keys(Suite suite) {
    std::vector<IssuedKey> out;
    const auto add = [&](protocol::FileIdentifier file, KeyUsage usage, KeyIndex index) {
        out.push_back({file, usage, index, card_key(usage, suite)});
    };
    add(protocol::master_file, KeyUsage::application_lock, KeyIndex{0});
    for (const auto usage :
         {KeyUsage::purchase, KeyUsage::load, KeyUsage::transaction_certificate, KeyUsage::unload,
          KeyUsage::overdraft, KeyUsage::internal_authentication}) {
        add(protocol::transit_application, usage, KeyIndex{1});
    }
    for (const auto usage :
         {KeyUsage::pin_unblock, KeyUsage::pin_reload, KeyUsage::application_lock,
          KeyUsage::application_unlock, KeyUsage::maintenance, KeyUsage::control}) {
        add(protocol::transit_application, usage, KeyIndex{0});
    }
    return out;
}

std::vector<IssuedKey> issued_sam_keys(Suite suite) {
    using protocol::sam_application;
    std::vector<IssuedKey> out;
    std::uint8_t index = 0;
    for (const auto of : {Suite::sm4, Suite::triple_des}) {
        out.push_back({sam_application, KeyUsage::sam_purchase, KeyIndex{index},
                       master_key(KeyUsage::purchase, of)});
        out.push_back({sam_application, KeyUsage::sam_delegated_mac, KeyIndex{index},
                       master_key(KeyUsage::application_lock, of), protocol::delegated_lock_limit});
        ++index;
    }
    for (std::uint8_t limit = 0x46; limit <= 0x48; ++limit) {  // general, one purpose each
        out.push_back({sam_application, KeyUsage::sam_delegated_mac, KeyIndex{index},
                       master_key(KeyUsage::maintenance, Suite::sm4), limit});
        ++index;
    }
    for (const auto of : {Suite::sm4, Suite::triple_des}) {  // counted
        out.push_back({sam_application, KeyUsage::sam_delegated_mac, KeyIndex{index},
                       master_key(KeyUsage::application_lock, of), protocol::delegated_lock_limit,
                       counted_uses});
        ++index;
    }
    for (const auto usage : {KeyUsage::control, KeyUsage::application_lock,
                             KeyUsage::application_unlock, KeyUsage::maintenance}) {
        out.push_back({sam_application, usage, KeyIndex{0}, card_key(usage, suite)});
    }
    out.push_back(
        {protocol::master_file, KeyUsage::maintenance, KeyIndex{0}, sam_master_file_key(suite)});
    return out;
}

namespace {

/// WRITE KEY of those that this MF or DF holds.
void write_keys(std::vector<ShortCommand>& out, PersonalisationSession& session,
                const std::vector<IssuedKey>& keys, protocol::FileIdentifier file) {
    for (const IssuedKey& issued : keys) {
        if (issued.file != file) continue;
        if (issued.usage == KeyUsage::sam_delegated_mac) {
            out.push_back(session.write_delegated_key(issued.index, key_version, issued.key,
                                                      issued.limit, issued.uses));
        } else if (issued.usage == KeyUsage::sam_purchase) {
            out.push_back(
                session.write_key(issued.usage, issued.index, key_version, issued.key, 0));
        } else {
            out.push_back(session.write_key(issued.usage, issued.index, key_version, issued.key));
        }
    }
}

[[nodiscard]] protocol::Date date(unsigned year, unsigned month, unsigned day) {
    return *protocol::Date::make(year, month, day);
}

template <class Files>
void create_files(std::vector<ShortCommand>& out, PersonalisationSession& session,
                  const Files& files) {
    for (const protocol::FileDefinition& file : files) {
        const auto data = file.data();
        out.push_back(session.protect(protocol::create_file_command(file.identifier, data)));
    }
}

}  // namespace

std::vector<ShortCommand> transit_card_script(const std::array<std::uint8_t, 8>& challenge,
                                              const protocol::ChipSerial& serial, Suite suite,
                                              protocol::Mac* receipt) {
    PersonalisationSession session{crypto::purse::transport_key(transport_master(suite), serial),
                                   challenge};
    std::vector<ShortCommand> out{session.authenticate(),
                                  session.protect(protocol::erase_command())};
    const auto keys = issued_card_keys(suite);
    write_keys(out, session, keys, protocol::master_file);
    const protocol::ApplicationDefinition application{protocol::ApplicationKind::transit_purse,
                                                      protocol::transit_aid};
    const auto definition = application.data();
    out.push_back(
        session.protect(protocol::create_file_command(protocol::transit_application, definition)));
    create_files(out, session, protocol::transit_files);
    write_keys(out, session, keys, protocol::transit_application);
    out.push_back(session.write_pin(first_pin));
    const protocol::PublicInfo info{issuer, 2, 1, card_number, date(2025, 1, 1), date(2035, 12, 31),
                                    {}};
    const auto info_bytes = info.bytes();
    out.push_back(
        session.protect(protocol::write_binary_command(protocol::sfi_public_info, 0, info_bytes)));
    const protocol::ManagementInfo management{
        {0, 0, 1, 0x56}, 0x3100, protocol::CityCode{0x2900}, 1, protocol::CardKind::ordinary};
    const auto management_bytes = management.bytes();
    out.push_back(session.protect(
        protocol::write_binary_command(protocol::sfi_management, 0, management_bytes)));
    const auto rail = protocol::blank_rail_record();
    out.push_back(session.protect(protocol::append_record_command(protocol::sfi_journey, rail)));
    const auto activation = session.activate(serial);
    out.push_back(activation.command);
    if (receipt != nullptr) *receipt = activation.receipt;
    return out;
}

std::vector<ShortCommand> sam_script(const std::array<std::uint8_t, 8>& challenge,
                                     const protocol::ChipSerial& serial, protocol::Mac* receipt,
                                     Suite suite) {
    PersonalisationSession session{crypto::purse::transport_key(transport_master(suite), serial),
                                   challenge};
    std::vector<ShortCommand> out{session.authenticate(),
                                  session.protect(protocol::erase_command())};
    create_files(out, session, protocol::sam_master_files);
    out.push_back(session.protect(
        protocol::write_binary_command(protocol::sam_sfi_terminal, 0, terminal.value())));
    const protocol::ApplicationDefinition application{protocol::ApplicationKind::purchase_sam,
                                                      protocol::sam_aid};
    const auto definition = application.data();
    out.push_back(
        session.protect(protocol::create_file_command(protocol::sam_application, definition)));
    create_files(out, session, protocol::sam_application_files);
    const auto keys = issued_sam_keys(suite);
    write_keys(out, session, keys, protocol::sam_application);
    out.push_back(protocol::select_file(protocol::master_file));
    write_keys(out, session, keys, protocol::master_file);
    const auto activation = session.activate(serial);
    out.push_back(activation.command);
    if (receipt != nullptr) *receipt = activation.receipt;
    return out;
}

namespace {

void run_script(Chip& chip, const std::vector<ShortCommand>& script, const protocol::Mac& receipt) {
    std::vector<std::uint8_t> last;
    for (const ShortCommand& command : script) {
        last = chip.must(command);
    }
    require(std::ranges::equal(last, receipt), "the chip's receipt is wrong");
}

[[nodiscard]] std::array<std::uint8_t, 8> challenge_of(Chip& chip) {
    const auto random = chip.must(protocol::get_challenge_8());
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(random, out.begin());
    return out;
}

}  // namespace

Chip issued_card(Suite suite, std::uint64_t seed, std::uint16_t pages) {
    Chip chip{"card", seed, pages};
    chip.manufacture(card_serial, suite);
    protocol::Mac receipt{};
    const auto script = transit_card_script(challenge_of(chip), card_serial, suite, &receipt);
    run_script(chip, script, receipt);
    chip.power_on();
    chip.must(protocol::select_by_name(protocol::transit_aid));
    return chip;
}

Chip issued_sam(std::uint64_t seed, Suite suite, std::uint16_t pages) {
    Chip chip{"sam", seed, pages};
    chip.manufacture(sam_serial, suite);
    protocol::Mac receipt{};
    const auto script = sam_script(challenge_of(chip), sam_serial, &receipt, suite);
    run_script(chip, script, receipt);
    chip.power_on();
    chip.must(protocol::select_by_name(protocol::sam_aid));
    return chip;
}

std::uint32_t balance(Chip& card) {
    const auto bytes = card.must(protocol::get_balance());
    require(bytes.size() == 4, "GET BALANCE answers four bytes");
    return static_cast<std::uint32_t>(protocol::read_big_endian(Bytes{bytes}));
}

protocol::DateTime noon() {
    return {date(2026, 5, 1), *protocol::Time::make(12, 0, 0)};
}

}  // namespace tests
