#include "tests/firmware/support/terminal.hpp"

#include <stdexcept>

#include "protocol/grey_lock.hpp"

namespace tests {

using protocol::KeyIndex;
using protocol::Money;
using protocol::TransactionType;

protocol::InitialiseData initialise_data(std::uint32_t fen) {
    return {KeyIndex{1}, Money::from_fen(fen), terminal};
}

Opened open_purchase(Party& card, Party& sam, std::uint32_t fen, TransactionType type) {
    const auto initialise = type == TransactionType::capp_purchase
                                ? protocol::initialise_for_capp_purchase(initialise_data(fen))
                                : protocol::initialise_for_purchase(initialise_data(fen));
    const auto opened = protocol::PurchaseInitialised::parse(card.must(initialise));
    if (!opened) throw std::runtime_error{"INITIALIZE's answer does not parse"};
    const auto answer = protocol::SamPurchaseAnswer::parse(sam.must(protocol::init_sam_for_purchase(
        {opened->random, opened->counter, Money::from_fen(fen), type, noon(), opened->key_version,
         opened->suite, protocol::card_factor(card_number), issuer.value()})));
    if (!answer) throw std::runtime_error{"INIT SAM's answer does not parse"};
    return {*opened, *answer};
}

protocol::ShortCommand debit(const Opened& opened) {
    return protocol::debit_for_purchase({opened.sam.sequence, noon(), opened.sam.mac1});
}

protocol::ShortCommand credit(Party& card, std::uint32_t fen, Suite suite) {
    card.must(protocol::verify_pin(first_pin));
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_load(initialise_data(fen))));
    if (!opened) throw std::runtime_error{"INITIALIZE FOR LOAD's answer does not parse"};
    const auto key = crypto::purse::online_process_key(card_key(protocol::KeyUsage::load, suite),
                                                       opened->random, opened->counter);
    const auto mac2 = crypto::purse::purse_mac(
        key,
        protocol::load_mac2_input(Money::from_fen(fen), TransactionType::load, terminal, noon()));
    return protocol::credit_for_load({noon(), mac2});
}

void load(Party& card, std::uint32_t fen, Suite suite) {
    card.must(credit(card, fen, suite));
}

Opened open_grey(Party& card, Party& sam) {
    const auto opened = protocol::PurchaseInitialised::parse(
        card.must(protocol::initialise_for_grey_lock({KeyIndex{1}, terminal})));
    if (!opened) throw std::runtime_error{"INITIALIZE FOR GREY LOCK's answer does not parse"};
    const auto answer = protocol::SamPurchaseAnswer::parse(sam.must(protocol::init_sam_for_purchase(
        {opened->random, opened->counter, Money{}, protocol::grey_lock_type, noon(),
         opened->key_version, opened->suite, protocol::card_factor(card_number), issuer.value()})));
    if (!answer) throw std::runtime_error{"INIT SAM's answer does not parse"};
    return {*opened, *answer};
}

void lock_grey(Party& card, Party& sam) {
    const auto opened = open_grey(card, sam);
    const auto proof = protocol::DebitProof::parse_debit(
        card.must(protocol::grey_lock({opened.sam.sequence, noon(), opened.sam.mac1})));
    if (!proof) throw std::runtime_error{"GREY LOCK's answer does not parse"};
    sam.must(protocol::credit_sam_for_purchase(proof->mac2));
}

protocol::ShortCommand issuer_unlock(Party& card, std::uint32_t fen, Suite suite) {
    card.must(protocol::verify_pin(first_pin));
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_grey_unlock({KeyIndex{1}, terminal})));
    if (!opened) throw std::runtime_error{"INITIALIZE FOR GREY UNLOCK's answer does not parse"};
    const auto key = crypto::purse::online_process_key(card_key(protocol::KeyUsage::unload, suite),
                                                       opened->random, opened->counter);
    const auto amount = Money::from_fen(fen);
    return protocol::grey_unlock(
        {amount, noon(),
         crypto::purse::purse_mac(key, protocol::load_mac2_input(amount, protocol::grey_unlock_type,
                                                                 terminal, noon()))});
}

protocol::ShortCommand unload(Party& card, std::uint32_t fen, Suite suite) {
    card.must(protocol::verify_pin(first_pin));
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_unload(initialise_data(fen))));
    const auto key = crypto::purse::online_process_key(card_key(protocol::KeyUsage::unload, suite),
                                                       opened->random, opened->counter);
    return protocol::debit_for_unload(
        {noon(),
         crypto::purse::purse_mac(
             key, protocol::load_mac2_input(Money::from_fen(fen), protocol::TransactionType::unload,
                                            terminal, noon()))});
}

protocol::ShortCommand new_limit(Party& card, std::uint32_t fen, Suite suite) {
    card.must(protocol::verify_pin(first_pin));
    const auto answer = card.must(protocol::initialise_for_update(KeyIndex{1}, terminal));
    protocol::ByteReader in{answer};
    (void)in.take_u32();
    const protocol::OnlineCounter counter{in.take_u16().value()};
    (void)in.take(5);
    const auto random = in.take_array<4>().value();
    const auto key = crypto::purse::online_process_key(
        card_key(protocol::KeyUsage::overdraft, suite), random, counter);
    return protocol::update_overdraw_limit(
        {fen, noon(),
         crypto::purse::purse_mac(key, protocol::overdraft_mac2_input(fen, terminal, noon()))});
}

std::array<std::uint8_t, protocol::TripRecord::size> trip(std::uint8_t mark) {
    std::array<std::uint8_t, protocol::TripRecord::size> out{};
    out[0] = 0x06;
    out.back() = mark;
    return out;
}

std::array<std::uint8_t, protocol::RailJourney::size> journey(std::uint8_t mark) {
    auto out = protocol::blank_rail_record();
    out.back() = mark;
    return out;
}

protocol::ShortCommand protect(Party& card, const PurseKey& key,
                               const protocol::PlainCommand& command) {
    std::array<std::uint8_t, 4> challenge{};
    std::ranges::copy(card.must(protocol::get_challenge_4()), challenge.begin());
    std::vector<std::uint8_t> data{command.data.begin(), command.data.end()};
    const crypto::purse::CommandHeader header{command.header[0], command.header[1],
                                              command.header[2], command.header[3],
                                              static_cast<std::uint8_t>(data.size() + 4)};
    const auto mac =
        crypto::purse::secure_messaging_mac(key, crypto::purse::Challenge{challenge}, header, data);
    data.insert(data.end(), mac.begin(), mac.end());
    return protocol::make_command(header[0], header[1], header[2], header[3], data, command.le);
}

protocol::ShortCommand write_key(Party& chip, const PurseKey& control, protocol::KeyUsage usage,
                                 protocol::KeyIndex index, Bytes plain) {
    std::array<std::uint8_t, 48> text{};
    const auto size = crypto::purse::encipher(control, plain, text);
    if (!size) throw std::runtime_error{"the plaintext is too long"};
    return protect(chip, control,
                   {protocol::write_key_header(usage, index), Bytes{text}.first(*size)});
}

}  // namespace tests
