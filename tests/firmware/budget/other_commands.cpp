#include "tests/firmware/budget/other_commands.hpp"

#include "protocol/grey_lock.hpp"

namespace tests::budget {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Money;
using protocol::TransactionType;

namespace {

constexpr std::array<std::uint8_t, 3> wrong_pin{0x65, 0x43, 0x21};
constexpr std::uint8_t maintenance_bytes = 60;  // all of file 17
constexpr std::size_t delegated_bytes = 128;
/// The delegated keys of issuing.hpp, by what their limit byte says.
constexpr std::uint8_t mac_index = 2, encipher_index = 3;
constexpr std::uint8_t mac_limit = 0x46, encipher_limit = 0x47;

[[nodiscard]] std::vector<std::uint8_t> joined(Bytes head, Bytes tail) {
    std::vector<std::uint8_t> out{head.begin(), head.end()};
    out.insert(out.end(), tail.begin(), tail.end());
    return out;
}

}  // namespace

void OtherCommands::label(const std::string& text) {
    card_.label(text);
    sam_.label(text);
}

void OtherCommands::variant(const std::string& text) {
    label(suite_name_ + " command" + text + ' ' + std::to_string(round_));
}

void OtherCommands::count() {
    card_.power_on();
    sam_.power_on();
    variant("");
    card_.must(protocol::select_file(protocol::transit_application));
    card_.must(protocol::select_by_name(protocol::transit_aid));
    sam_.must(protocol::select_by_name(protocol::sam_aid));
    authentication();
    pin();
    pin_unblock();
    files();
    write_key();
    unload_and_overdraft();
    purchase_with_code();
    grey_lock();
    sam_keys();
    blocking();
    label("");
}

void OtherCommands::must_protected(KeyUsage usage, const protocol::PlainCommand& command) {
    card_.must(protect(card_, card_key(usage, suite_), command));
}

void OtherCommands::must_enciphered(KeyUsage usage, const std::array<std::uint8_t, 4>& header,
                                    Bytes plain) {
    std::array<std::uint8_t, 48> text{};
    const auto size = crypto::purse::encipher(card_key(usage, suite_), plain, text);
    require(size.has_value(), "the plaintext is too long");
    must_protected(usage, {header, Bytes{text}.first(*size)});
}

void OtherCommands::authentication() {
    std::array<std::uint8_t, 8> challenge{};
    std::ranges::copy(card_.must(protocol::get_challenge_8()), challenge.begin());
    const auto cryptogram = crypto::purse::authentication_cryptogram(
        card_key(KeyUsage::control, suite_), crypto::purse::Challenge{challenge});
    card_.must(protocol::make_command(0x00, 0x82, 0, 0, cryptogram));
    card_.must(protocol::make_command(0x00, 0x88, 0, 1, challenge, 8));
}

void OtherCommands::pin() {
    card_.must(protocol::verify_pin(first_pin));
    variant(",_wrong_PIN");
    (void)card_.send(protocol::verify_pin(wrong_pin));
    variant("");
    card_.must(hex("805E0100 07 123456 FF 987654"));  // the PIN is then another
    const auto mac =
        crypto::purse::reload_pin_mac(card_key(KeyUsage::pin_reload, suite_), first_pin);
    card_.must(protocol::make_command(0x80, 0x5E, 0, 0, joined(first_pin, mac)));
}

void OtherCommands::pin_unblock() {
    label("");
    for (unsigned i = 0; i < protocol::pin_tries_default; ++i) {
        (void)card_.send(protocol::verify_pin(wrong_pin));
    }
    variant("");
    must_enciphered(KeyUsage::pin_unblock, {0x84, 0x24, 0, 0}, first_pin);
}

void OtherCommands::files() {
    card_.must(hex("00B0970000"));
    card_.must(hex("00B201D400"));
    const std::vector<std::uint8_t> content(maintenance_bytes, 0xA7);
    must_protected(KeyUsage::maintenance,
                   protocol::write_binary_command(protocol::sfi_management, 0, content));
    auto record = journey(77);
    must_protected(KeyUsage::maintenance,
                   {{0x04, 0xDC, 1, protocol::sfi_journey << 3 | 4}, record});
    record[1] = 0x02;
    must_protected(KeyUsage::maintenance,
                   protocol::append_record_command(protocol::sfi_journey, record));
}

void OtherCommands::write_key() {
    const std::array<std::uint8_t, 4> head{0x02, static_cast<std::uint8_t>(suite_), 0xAA, 0x00};
    const auto key = card_key(KeyUsage::load, suite_);
    must_enciphered(KeyUsage::control, protocol::write_key_header(KeyUsage::load, KeyIndex{1}),
                    joined(head, key.value.bytes()));
}

void OtherCommands::unload_and_overdraft() {
    card_.must(unload(card_, 100, suite_));
    card_.must(new_limit(card_, 500, suite_));
    card_.must(protocol::get_balance());
}

void OtherCommands::purchase_with_code() {
    constexpr std::uint32_t fen = 10;
    const auto opened = protocol::PurchaseInitialised::parse(
        card_.must(protocol::initialise_for_purchase(initialise_data(fen))));
    require(opened.has_value(), "INITIALIZE FOR PURCHASE's answer");
    const auto code = card_.must(protocol::get_security_code());
    const protocol::SamPurchaseData data{opened->random,
                                         opened->counter,
                                         Money::from_fen(fen),
                                         TransactionType::purchase,
                                         noon(),
                                         opened->key_version,
                                         opened->suite,
                                         protocol::card_factor(card_number),
                                         issuer.value()};
    variant("_with_a_code");
    const auto answer = protocol::SamPurchaseAnswer::parse(
        sam_.must(protocol::make_command(0x80, 0x70, 0, 0, joined(data.bytes(), code), 8)));
    require(answer.has_value(), "INIT SAM FOR PURCHASE's answer");
    const auto proof = protocol::DebitProof::parse_debit(card_.must(debit({*opened, *answer})));
    require(proof.has_value(), "DEBIT's answer");
    variant("");
    sam_.must(protocol::credit_sam_for_purchase(proof->mac2));
    card_.must(protocol::get_transaction_prove(TransactionType::purchase, opened->counter.value()));
}

void OtherCommands::grey_lock() {
    lock_grey(card_, sam_);
    card_.must(protocol::get_grey_proof());
    const auto amount = Money::from_fen(25);
    protocol::Mac gmac{};
    std::ranges::copy(sam_.must(protocol::sam_grey_debit(amount, noon())), gmac.begin());
    card_.must(protocol::grey_debit({amount, noon(), gmac}));
    lock_grey(card_, sam_);
    card_.must(issuer_unlock(card_, 30, suite_));
}

void OtherCommands::delegated(const char* name, std::uint8_t usage, std::uint8_t index,
                              std::uint8_t mode, Bytes data) {
    const auto factors = joined(protocol::card_factor(card_number), issuer.value());
    sam_.must(protocol::make_command(0x80, 0x1A, usage, index, factors));
    variant(name);
    sam_.must(protocol::make_command(0x80, 0xFA, mode, 0x00, data, 256));
    variant("");
}

void OtherCommands::sam_keys() {
    const auto control = card_key(KeyUsage::control, suite_);
    const auto renew = [&](std::uint8_t index, std::uint8_t limit, std::uint16_t uses) {
        const std::array<std::uint8_t, 4> head{0x01, static_cast<std::uint8_t>(suite_), 0x00,
                                               limit};
        const auto key = master_key(KeyUsage::application_lock, suite_);
        auto plain = joined(head, key.value.bytes());
        plain.insert(plain.end(),
                     {static_cast<std::uint8_t>(uses >> 8), static_cast<std::uint8_t>(uses)});
        sam_.must(
            tests::write_key(sam_, control, KeyUsage::sam_delegated_mac, KeyIndex{index}, plain));
    };
    const std::uint8_t counted = counted_lock_index(suite_);
    renew(mac_index, mac_limit, 0);
    renew(encipher_index, encipher_limit, 0);
    renew(counted, protocol::delegated_lock_limit, counted_uses.value());
    delegated(",_lock", protocol::delegated_lock_limit, counted, 0x05,
              hex("0102030405060708 841E000004800000"));
    const std::vector<std::uint8_t> text(delegated_bytes, 0x5A);
    delegated(",_MAC_of_128_B", mac_limit, mac_index, 0x08, text);
    delegated(",_encipher_128_B", encipher_limit, encipher_index, 0x00, text);
}

void OtherCommands::blocking() {
    must_protected(KeyUsage::application_lock, {{0x84, 0x1E, 0, 0}, {}});
    must_protected(KeyUsage::application_unlock, {{0x84, 0x18, 0, 0}, {}});
    card_.must(protocol::select_file(protocol::master_file));
    must_protected(KeyUsage::application_lock, {{0x84, 0x16, 0, 0}, {}});
}

}  // namespace tests::budget
