#pragma once
// What a purse shows after a loss of power, and what no fault may have made of it.
#include "tests/firmware/glitch/host.hpp"

namespace tests::glitch {

/// Of the purse that used_card() makes.
[[nodiscard]] std::vector<Command> purse_looks();
[[nodiscard]] std::optional<std::uint32_t> purse_balance(const View& view);
/// The overdraft's limit.
[[nodiscard]] std::optional<std::uint32_t> purse_limit(const View& view);
/// Of the next purchase; empty when INITIALIZE is refused.
[[nodiscard]] std::optional<std::uint32_t> purse_counter(const View& view);
/// GET TRANSACTION PROVE answers this purchase.
[[nodiscard]] bool proof_holds(const View& view, const Purchase& purchase);

/// Balance and counter are the used card's.
void deny_changed_purse(const View& view);
/// A try is never given back; and whoever learns whether a MAC, cryptogram or PIN was right has
/// paid for it.
void deny_free_guess(Trial& trial, const View& view, unsigned tries_before);

}  // namespace tests::glitch
