#pragma once
// The purchase SAM. domain.md 1.12; docs/card_commands.md, 7 and 8.
#include "firmware/os/context.hpp"

namespace firmware::sam {

Outcome<void> initialise_purchase(Context&, const Request&);
Outcome<void> credit_purchase(Context&, const Request&);
/// E0 44: the sum of a grey lock, under the key of its INIT. docs/card_commands.md, 7.
Outcome<void> grey_debit(Context&, const Request&);
Outcome<void> prepare_delegated(Context&, const Request&);
Outcome<void> compute_delegated(Context&, const Request&);

/// A SAM that has given out no number: the first is 1.
[[nodiscard]] Outcome<void> stage_new(Transaction&, std::uint8_t instance);

}  // namespace firmware::sam
