#include "tests/firmware/glitch/host.hpp"

#include <algorithm>

#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

constexpr protocol::TerminalSequence sequence{0x00C0FFEE};

/// The n-th number of INITIALIZE's answer; zero when it is not there.
[[nodiscard]] std::vector<std::uint8_t> filled(Bytes opened, std::size_t size) {
    std::vector<std::uint8_t> out{opened.begin(), opened.end()};
    out.resize(size);
    return out;
}

template <std::size_t size>
[[nodiscard]] std::array<std::uint8_t, size> part(const std::vector<std::uint8_t>& from,
                                                  std::size_t at) {
    std::array<std::uint8_t, size> out{};
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), size, out.begin());
    return out;
}

[[nodiscard]] std::uint32_t big_endian(const std::vector<std::uint8_t>& from, std::size_t at,
                                       std::size_t size) {
    std::uint32_t out = 0;
    for (std::size_t i = at; i < at + size; ++i) out = out << 8 | from[i];
    return out;
}

/// balance4 onlineSeq2 keyVer1 algId1 rand4 MAC1(4), as the host reads it.
struct OnlineOpened {
    std::uint32_t balance;
    protocol::OnlineCounter counter;
    protocol::CardRandom random;
    explicit OnlineOpened(Bytes opened) : OnlineOpened{filled(opened, 16)} {}

private:
    explicit OnlineOpened(const std::vector<std::uint8_t>& from)
        : balance{big_endian(from, 0, 4)},
          counter{static_cast<std::uint16_t>(big_endian(from, 4, 2))},
          random{part<4>(from, 8)} {}
};

}  // namespace

Command bytes_of(const protocol::ShortCommand& command) {
    return {command.bytes().begin(), command.bytes().end()};
}

std::vector<std::uint8_t> memory_of(Chip& chip) {
    std::vector<std::uint8_t> out(chip.flash().page_count() * firmware::flash_model::page_size);
    chip.flash().read(0, out);
    return out;
}

Secrets all_secrets() {
    using enum KeyUsage;
    Secrets out;
    for (const auto usage :
         {pin_unblock, pin_reload, purchase, load, transaction_certificate, unload, overdraft,
          internal_authentication, application_lock, application_unlock, maintenance, control}) {
        for (const Suite of : {Suite::sm4, Suite::triple_des}) {
            out.add_key(card_key(usage, of).value.bytes());
            out.add_key(master_key(usage, of).value.bytes());
        }
    }
    for (const auto& serial : {card_serial, sam_serial}) {
        out.add_key(crypto::purse::transport_key(transport_master(suite), serial).value.bytes());
    }
    out.add_pin(long_pin);
    return out;
}

std::vector<std::uint8_t> used_card(const More& more) {
    static const Chip stock = [] {
        Chip card = issued_card(suite);
        load(card, 5'000, suite);
        Chip sam = issued_sam();
        card.must(debit(open_purchase(card, sam, 100, TransactionType::purchase)));
        Command change = hex("805E0100 0A 123456 FF");
        change.insert(change.end(), long_pin.begin(), long_pin.end());
        card.must(change);
        for (int i = 0; i < 2; ++i) {
            card.must(protocol::initialise_for_purchase(initialise_data(1)));
            (void)card.send(
                protocol::debit_for_purchase({protocol::TerminalSequence{9}, noon(), {}}));
        }
        return card;
    }();
    Chip card = stock.clone();
    if (more) {
        card.must(protocol::select_by_name(protocol::transit_aid));
        more(card);
    }
    return memory_of(card);
}

std::vector<std::uint8_t> used_sam(const More& more) {
    static const Chip stock = issued_sam(1, suite);
    Chip sam = stock.clone();
    if (more) {
        sam.must(protocol::select_by_name(protocol::sam_aid));
        more(sam);
    }
    return memory_of(sam);
}

void select_transit(EmulatedCard& card) {
    (void)card.send(protocol::select_by_name(protocol::transit_aid));
}
void select_sam(EmulatedCard& card) {
    (void)card.send(protocol::select_by_name(protocol::sam_aid));
}

Purchase purchase_of(Bytes opened, std::uint32_t fen, TransactionType type) {
    const auto from = filled(opened, protocol::PurchaseInitialised::size);
    const protocol::OfflineCounter counter{static_cast<std::uint16_t>(big_endian(from, 4, 2))};
    const auto key = crypto::purse::offline_process_key(card_key(KeyUsage::purchase, suite),
                                                        part<4>(from, 11), counter, sequence);
    const auto amount = Money::from_fen(fen);
    Purchase out;
    out.mac1 = crypto::purse::purse_mac(
        key, protocol::purchase_mac1_input(amount, type, terminal, noon()));
    out.mac2 = crypto::purse::purse_mac(key, protocol::purchase_mac2_input(amount));
    out.tac =
        crypto::purse::tac(card_key(KeyUsage::transaction_certificate, suite),
                           protocol::purchase_tac_input(amount, type, terminal, sequence, noon()));
    out.debit = bytes_of(protocol::debit_for_purchase({sequence, noon(), out.mac1}));
    return out;
}

Command with_wrong_mac(Command command) {
    // Behind the MAC stands Le, if there is one.
    const std::size_t end = 5U + command[4];
    for (std::size_t i = end - 4; i < end; ++i) command[i] ^= 0x5A;
    return command;
}

Guesses guesses(const Command& right, std::size_t at, std::size_t size) {
    Guesses out{right, {}};
    for (std::size_t i = at; i < at + size; ++i) {
        out.near_misses.push_back(right);
        out.near_misses.back()[i] ^= 0x01;  // still a digit, if it is one of a PIN
    }
    return out;
}

Guesses mac_guesses(const Command& right) {
    constexpr std::size_t mac_size = 4;
    return guesses(right, 5U + right[4] - mac_size, mac_size);
}

Online load_of(Bytes opened, std::uint32_t fen) {
    const OnlineOpened from{opened};
    const auto key = crypto::purse::online_process_key(card_key(KeyUsage::load, suite), from.random,
                                                       from.counter);
    const auto amount = Money::from_fen(fen);
    const auto mac2 = crypto::purse::purse_mac(
        key, protocol::load_mac2_input(amount, TransactionType::load, terminal, noon()));
    const auto tac = crypto::purse::tac(
        card_key(KeyUsage::transaction_certificate, suite),
        protocol::load_tac_input(Money::from_fen(from.balance + fen), from.counter, amount,
                                 TransactionType::load, terminal, noon()));
    return {bytes_of(protocol::credit_for_load({noon(), mac2})), tac};
}

Online unload_of(Bytes opened, std::uint32_t fen) {
    const OnlineOpened from{opened};
    const auto key = crypto::purse::online_process_key(card_key(KeyUsage::unload, suite),
                                                       from.random, from.counter);
    const auto amount = Money::from_fen(fen);
    const auto mac2 = crypto::purse::purse_mac(
        key, protocol::load_mac2_input(amount, TransactionType::unload, terminal, noon()));
    const auto mac3 = crypto::purse::purse_mac(
        key, protocol::load_tac_input(Money::from_fen(from.balance - fen), from.counter, amount,
                                      TransactionType::unload, terminal, noon()));
    return {bytes_of(protocol::debit_for_unload({noon(), mac2})), mac3};
}

Command protect(EmulatedCard& card, const PurseKey& key, const protocol::PlainCommand& command) {
    std::array<std::uint8_t, 4> challenge{};
    std::ranges::copy(card.must(protocol::get_challenge_4()), challenge.begin());
    std::vector<std::uint8_t> data{command.data.begin(), command.data.end()};
    const crypto::purse::CommandHeader header{command.header[0], command.header[1],
                                              command.header[2], command.header[3],
                                              static_cast<std::uint8_t>(data.size() + 4)};
    const auto mac =
        crypto::purse::secure_messaging_mac(key, crypto::purse::Challenge{challenge}, header, data);
    data.insert(data.end(), mac.begin(), mac.end());
    return bytes_of(
        protocol::make_command(header[0], header[1], header[2], header[3], data, command.le));
}

Command protect_enciphered(EmulatedCard& card, const PurseKey& key,
                           const std::array<std::uint8_t, 4>& header, Bytes plain) {
    std::array<std::uint8_t, 48> text{};
    const auto size = crypto::purse::encipher(key, plain, text);
    if (!size) throw std::logic_error{"the plaintext is too long"};
    return protect(card, key, {header, Bytes{text}.first(*size)});
}

std::array<std::uint8_t, 8> challenge_of(EmulatedCard& card) {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(card.must(protocol::get_challenge_8()), out.begin());
    return out;
}

}  // namespace tests::glitch
