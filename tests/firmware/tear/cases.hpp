#pragma once
// Every command that changes the memory of a card or a SAM, as a case for the knife.
#include "tests/firmware/tear/knife.hpp"

namespace tests::tear {

[[nodiscard]] std::vector<Case> purse_cases(Suite suite);
[[nodiscard]] std::vector<Case> management_cases(Suite suite);
[[nodiscard]] std::vector<Case> personalisation_cases(Suite suite);
[[nodiscard]] std::vector<Case> sam_cases(Suite suite);

// ---- What the cases share ----
/// A short flash: what a reset reads of it is most of what a cut point costs.
constexpr std::uint16_t chip_pages = 48;
/// Loaded, used, its PIN known: a card in the middle of its life.
[[nodiscard]] Chip used_card(Suite suite);
/// A terminal's SAM, as fresh as every time.
[[nodiscard]] Chip terminal_sam();
[[nodiscard]] std::string named(const char* command, Suite suite);
/// Balance, files, proofs, counters, key versions, PIN tries, life cycle.
[[nodiscard]] std::vector<Command> card_looks(bool with_pin_tries = true);
[[nodiscard]] Command bytes_of(const protocol::ShortCommand& command);
/// Selects and pays one fen.
void pay_one(Chip& card);
void select_transit(Chip& card);

}  // namespace tests::tear
