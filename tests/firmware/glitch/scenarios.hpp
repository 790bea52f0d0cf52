#pragma once
// What an attacker would disturb, and what he must not get. docs/card_glitch.md, 3.
#include "tests/firmware/glitch/trial.hpp"

namespace tests::glitch {

[[nodiscard]] std::vector<Scenario> purchase_scenarios();
[[nodiscard]] std::vector<Scenario> money_scenarios();
[[nodiscard]] std::vector<Scenario> holder_scenarios();
[[nodiscard]] std::vector<Scenario> issuer_scenarios();
[[nodiscard]] std::vector<Scenario> reading_scenarios();
[[nodiscard]] std::vector<Scenario> sam_scenarios();
[[nodiscard]] std::vector<Scenario> chip_scenarios();

}  // namespace tests::glitch
