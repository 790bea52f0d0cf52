#include "tests/simulation/chips.hpp"

#include <stdexcept>

#include "crypto/purse/personalisation.hpp"
#include "protocol/personalisation.hpp"

namespace simulation {

using crypto::purse::PersonalisationSession;
using crypto::purse::PurseKey;
using protocol::KeyIndex;
using protocol::KeyUsage;

namespace {

constexpr std::uint16_t flash_pages = 64;

void require(bool condition, const char* what) {
    if (!condition) throw std::runtime_error{what};
}

protocol::Date date(unsigned year, unsigned month, unsigned day) {
    return protocol::Date::make(year, month, day).value();
}

PurseKey transport_master() {
    return PurseKey{protocol::Suite::sm4, std::array<std::uint8_t, 16>{0x54}};
}

// The last eight bytes of a card's or SAM's number: unlike for every chip of a simulation.
protocol::ChipSerial serial_of(const std::array<std::uint8_t, 10>& number, std::uint8_t kind) {
    std::array<std::uint8_t, 8> out{};
    std::copy_n(number.begin() + 2, out.size(), out.begin());
    out[0] = kind;
    return protocol::ChipSerial{out};
}

crypto::purse::SessionChallenge session_challenge(const std::vector<std::uint8_t>& answer) {
    crypto::purse::SessionChallenge out{};
    require(answer.size() == out.size(), "a challenge of another size");
    std::ranges::copy(answer, out.begin());
    return out;
}

}  // namespace

PurseKey national_master(KeyUsage usage) {
    std::array<std::uint8_t, 16> value{};
    crypto::SeededRandom{static_cast<std::uint64_t>(usage), "national master"}.fill(value);
    return {protocol::Suite::sm4, value};
}

Chip::Chip(const crypto::SeededRandom& random)
    : flash_{std::make_unique<tests::TearingFlash>(flash_pages)},
      random_{std::make_unique<crypto::SeededRandom>(random)} {}

Chip::Chip(const CardPlan& plan, const crypto::SeededRandom& random) : Chip{random} {
    manufacture(serial_of(plan.number.value(), 0xCA));
    issue(plan);
}

Chip::Chip(const SamPlan& plan, const crypto::SeededRandom& random) : Chip{random} {
    manufacture(serial_of(plan.number.value(), 0x5A));
    issue(plan);
}

void Chip::manufacture(const protocol::ChipSerial& serial) {
    const auto key = crypto::purse::transport_key(transport_master(), serial);
    require(firmware::Card::manufacture(*flash_, *random_, serial, key, key_version).has_value(),
            "a chip cannot be made");
    power_on();
}

void Chip::power_on() {
    flash_->reboot();
    card_ = std::make_unique<firmware::Card>(*flash_, *random_);
    require(card_->reset().has_value(), "the chip is mute");
    card_->housekeeping();
}

void Chip::power_off() {
    card_.reset();
}

std::optional<std::vector<std::uint8_t>> Chip::send(protocol::Bytes command) {
    if (!card_) return std::nullopt;
    std::array<std::uint8_t, protocol::short_response_size_max> response{};
    try {
        const std::size_t size = card_->process(command, response);
        card_->housekeeping();
        return std::vector<std::uint8_t>{response.begin(),
                                         response.begin() + static_cast<std::ptrdiff_t>(size)};
    } catch (const tests::PowerLost&) {
        power_off();
        return std::nullopt;
    }
}

std::optional<std::vector<std::uint8_t>> Chip::ask(protocol::Bytes command) {
    auto response = send(command);
    if (!response) return std::nullopt;
    const auto parsed = protocol::ResponseApdu::parse(*response);
    if (!parsed || parsed->status() != protocol::StatusWord::ok) return std::nullopt;
    response->resize(response->size() - 2);
    return response;
}

std::vector<std::uint8_t> Chip::must(protocol::Bytes command) {
    const auto answer = ask(command);
    require(answer.has_value(), "a chip refuses its personalisation");
    return *answer;
}

// docs/card_commands.md, 3, in its order.
void Chip::issue(const CardPlan& plan) {
    const auto serial = serial_of(plan.number.value(), 0xCA);
    PersonalisationSession session{crypto::purse::transport_key(transport_master(), serial),
                                   session_challenge(must(protocol::get_challenge_8()))};
    const auto key = [&](KeyUsage usage, std::uint8_t index) {
        const auto card_key =
            crypto::purse::diversify(national_master(usage), plan.issuer, plan.number);
        must(session.write_key(usage, KeyIndex{index}, key_version, card_key));
    };
    must(session.authenticate());
    must(session.protect(protocol::erase_command()));
    key(KeyUsage::application_lock, 0);
    const protocol::ApplicationDefinition application{protocol::ApplicationKind::transit_purse,
                                                      protocol::transit_aid};
    must(session.protect(
        protocol::create_file_command(protocol::transit_application, application.data())));
    for (const protocol::FileDefinition& file : protocol::transit_files) {
        must(session.protect(protocol::create_file_command(file.identifier, file.data())));
    }
    for (const auto usage : {KeyUsage::purchase, KeyUsage::load, KeyUsage::transaction_certificate,
                             KeyUsage::internal_authentication}) {
        key(usage, 1);
    }
    for (const auto usage :
         {KeyUsage::pin_unblock, KeyUsage::pin_reload, KeyUsage::application_lock,
          KeyUsage::application_unlock, KeyUsage::maintenance, KeyUsage::control}) {
        key(usage, 0);
    }
    must(session.write_pin(holder_pin));
    const protocol::PublicInfo info{plan.issuer,        2, 1, plan.number, date(2025, 1, 1),
                                    date(2035, 12, 31), {}};
    must(session.protect(
        protocol::write_binary_command(protocol::sfi_public_info, 0, info.bytes())));
    const protocol::ManagementInfo management{{0, 0, 1, 0x56}, 0x3100, plan.city, 1, plan.kind};
    must(session.protect(
        protocol::write_binary_command(protocol::sfi_management, 0, management.bytes())));
    must(session.protect(
        protocol::append_record_command(protocol::sfi_journey, protocol::blank_rail_record())));
    must(session.activate(serial).command);
    power_off();
}

void Chip::issue(const SamPlan& plan) {
    const auto serial = serial_of(plan.number.value(), 0x5A);
    PersonalisationSession session{crypto::purse::transport_key(transport_master(), serial),
                                   session_challenge(must(protocol::get_challenge_8()))};
    must(session.authenticate());
    must(session.protect(protocol::erase_command()));
    for (const protocol::FileDefinition& file : protocol::sam_master_files) {
        must(session.protect(protocol::create_file_command(file.identifier, file.data())));
    }
    std::array<std::uint8_t, 14> serial_file{};
    protocol::ByteWriter{serial_file}.put(plan.number.value()).put_u8(1).put_u8(1).put_u8(1);
    must(session.protect(protocol::write_binary_command(protocol::sam_sfi_serial, 0, serial_file)));
    must(session.protect(
        protocol::write_binary_command(protocol::sam_sfi_terminal, 0, plan.terminal.value())));
    const protocol::ApplicationDefinition application{protocol::ApplicationKind::purchase_sam,
                                                      protocol::sam_aid};
    must(session.protect(
        protocol::create_file_command(protocol::sam_application, application.data())));
    for (const protocol::FileDefinition& file : protocol::sam_application_files) {
        must(session.protect(protocol::create_file_command(file.identifier, file.data())));
    }
    const protocol::SamApplicationInfo info{KeyIndex{0}, plan.issuer, plan.operator_id,
                                            date(2025, 1, 1), date(2035, 12, 31)};
    must(session.protect(
        protocol::write_binary_command(protocol::sam_sfi_application, 0, info.bytes())));
    must(session.write_key(KeyUsage::sam_purchase, KeyIndex{0}, key_version,
                           national_master(KeyUsage::purchase), 0));
    must(session.activate(serial).command);
    power_off();
}

}  // namespace simulation
