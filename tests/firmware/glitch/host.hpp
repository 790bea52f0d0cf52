#pragma once
// What terminals, SAMs and the issuer's host compute for an emulated card, and the cards that the
// scenarios begin with.
#include "protocol/grey_lock.hpp"
#include "tests/firmware/glitch/trial.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace tests::glitch {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::Mac;
using protocol::Money;
using protocol::TransactionType;

constexpr Suite suite = Suite::sm4;
/// As long as a PIN can be, so that an answer does not hold it by chance.
constexpr std::array<std::uint8_t, 6> long_pin{0x98, 0x76, 0x54, 0x32, 0x10, 0x97};
constexpr std::array<std::uint8_t, 6> wrong_pin{0x98, 0x76, 0x54, 0x32, 0x10, 0x96};
constexpr std::array<std::uint8_t, 6> new_pin{0x01, 0x35, 0x79, 0x24, 0x68, 0x02};

[[nodiscard]] Command bytes_of(const protocol::ShortCommand& command);
[[nodiscard]] std::vector<std::uint8_t> memory_of(Chip& chip);
[[nodiscard]] Secrets all_secrets();

// ---- Cards: their memory ----

/// What the used card has: balance, the counters of its next transactions, tries.
constexpr std::uint32_t used_balance = 4'900;
constexpr std::uint16_t used_offline_counter = 1, used_online_counter = 1;
constexpr unsigned used_tries = 8, pin_tries = 3, all_tries = 10;
/// Loaded, paid with, its PIN changed to `long_pin`, of the purchase key two tries lost; after
/// `more`, which finds the transit application selected.
using More = std::function<void(Chip&)>;
[[nodiscard]] std::vector<std::uint8_t> used_card(const More& more = {});
[[nodiscard]] std::vector<std::uint8_t> used_sam(const More& more = {});

// ---- Sessions with an emulated card ----

void select_transit(EmulatedCard& card);
void select_sam(EmulatedCard& card);

/// One purchase, and what proves it.
struct Purchase {
    Command debit;
    Mac mac1{}, mac2{}, tac{};
};
/// `opened`: INITIALIZE's data. What it lacks is taken for zero.
[[nodiscard]] Purchase purchase_of(Bytes opened, std::uint32_t fen,
                                   TransactionType type = TransactionType::purchase);
/// The same command with another MAC: its last four bytes.
[[nodiscard]] Command with_wrong_mac(Command command);
/// `size` bytes from `at` on are the guess; the last four of the data, if it is a MAC.
[[nodiscard]] Guesses guesses(const Command& right, std::size_t at, std::size_t size);
[[nodiscard]] Guesses mac_guesses(const Command& right);

/// CREDIT FOR LOAD, or DEBIT FOR UNLOAD, and the TAC or MAC3 that it is worth.
struct Online {
    Command command;
    Mac certificate{};
};
[[nodiscard]] Online load_of(Bytes opened, std::uint32_t fen);
[[nodiscard]] Online unload_of(Bytes opened, std::uint32_t fen);

/// With a challenge of the card.
[[nodiscard]] Command protect(EmulatedCard& card, const PurseKey& key,
                              const protocol::PlainCommand& command);
[[nodiscard]] Command protect_enciphered(EmulatedCard& card, const PurseKey& key,
                                         const std::array<std::uint8_t, 4>& header, Bytes plain);
[[nodiscard]] std::array<std::uint8_t, 8> challenge_of(EmulatedCard& card);

}  // namespace tests::glitch
