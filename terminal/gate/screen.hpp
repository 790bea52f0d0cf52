#pragma once
// What the traveller reads: one line in two languages.
#include <string>

#include "terminal/gate/tap.hpp"

namespace terminal {

/// "12.30" for 1230 fen.
[[nodiscard]] std::string yuan(Money amount);
[[nodiscard]] std::string screen_line(const Finished& result);
[[nodiscard]] std::string screen_line(Refusal refusal);

}  // namespace terminal
