#pragma once
// What a terminal does with a card and a SAM, for tests.
#include "tests/firmware/support/issuing.hpp"

namespace tests {

struct Opened {
    protocol::PurchaseInitialised card;
    protocol::SamPurchaseAnswer sam;
};

[[nodiscard]] protocol::InitialiseData initialise_data(std::uint32_t fen);
/// INITIALIZE in the card, INIT in the SAM.
[[nodiscard]] Opened open_purchase(Party& card, Party& sam, std::uint32_t fen,
                                   protocol::TransactionType type);
[[nodiscard]] protocol::ShortCommand debit(const Opened& opened);
/// CREDIT FOR LOAD that the issuer's host would answer to this INITIALIZE.
[[nodiscard]] protocol::ShortCommand credit(Party& card, std::uint32_t fen,
                                            Suite suite = Suite::sm4);
void load(Party& card, std::uint32_t fen, Suite suite = Suite::sm4);
/// The grey lock: opened in card and SAM; then locked, MAC2 seen by the SAM.
[[nodiscard]] Opened open_grey(Party& card, Party& sam);
void lock_grey(Party& card, Party& sam);
/// GREY UNLOCK of this sum, as the issuer's host would answer. Verifies the PIN.
[[nodiscard]] protocol::ShortCommand issuer_unlock(Party& card, std::uint32_t fen,
                                                   Suite suite = Suite::sm4);
/// DEBIT FOR UNLOAD, UPDATE OVERDRAW LIMIT: as the issuer's host would answer. They verify the PIN.
[[nodiscard]] protocol::ShortCommand unload(Party& card, std::uint32_t fen,
                                            Suite suite = Suite::sm4);
[[nodiscard]] protocol::ShortCommand new_limit(Party& card, std::uint32_t fen,
                                               Suite suite = Suite::sm4);
/// Records that differ by their last byte.
[[nodiscard]] std::array<std::uint8_t, protocol::TripRecord::size> trip(std::uint8_t mark);
[[nodiscard]] std::array<std::uint8_t, protocol::RailJourney::size> journey(std::uint8_t mark);
/// Adds the MAC of operational secure messaging, with a fresh challenge of the card.
[[nodiscard]] protocol::ShortCommand protect(Party& card, const PurseKey& key,
                                             const protocol::PlainCommand& command);
/// WRITE KEY in operation: the plaintext (version1 suite1 tries1 limit1 value) under this key 39.
[[nodiscard]] protocol::ShortCommand write_key(Party& chip, const PurseKey& control,
                                               protocol::KeyUsage usage, protocol::KeyIndex index,
                                               Bytes plain);
[[nodiscard]] constexpr unsigned status(const Answer& answer) {
    return static_cast<unsigned>(answer.status);
}

}  // namespace tests
