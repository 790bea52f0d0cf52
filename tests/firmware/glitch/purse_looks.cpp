#include "tests/firmware/glitch/purse_looks.hpp"

#include <algorithm>

#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

enum Look : std::size_t { selection, balance, proof, limit, log_record, opening };

}  // namespace

std::vector<Command> purse_looks() {
    return {
        bytes_of(protocol::select_by_name(protocol::transit_aid)),
        hex("805C030204"),
        bytes_of(protocol::get_transaction_prove(TransactionType::purchase, used_offline_counter)),
        hex("805C010204"),
        hex("00B201C400"),
        bytes_of(protocol::initialise_for_purchase(initialise_data(0)))};
}

std::optional<std::uint32_t> purse_balance(const View& view) {
    return view.number(Look::balance, 0, 4);
}

std::optional<std::uint32_t> purse_limit(const View& view) {
    return view.number(Look::limit, 0, 4);
}

std::optional<std::uint32_t> purse_counter(const View& view) {
    return view.number(Look::opening, 4, 2);
}

bool proof_holds(const View& view, const Purchase& purchase) {
    if (view.answers.size() <= Look::proof) return false;
    const auto& data = view.answers[Look::proof].data;
    return data.size() == 8 && std::ranges::equal(Bytes{data}.first(4), purchase.mac2) &&
           std::ranges::equal(Bytes{data}.last(4), purchase.tac);
}

void deny_changed_purse(const View& view) {
    const auto now = purse_balance(view);
    if (!now) return;
    deny(*now > used_balance, "the balance has risen");
    deny(*now < used_balance, "the balance has fallen");
    const auto counter = purse_counter(view);
    deny(counter && *counter < used_offline_counter, "the counter has gone back");
}

void deny_free_guess(Trial& trial, const View& view, unsigned tries_before) {
    deny(view.tries > tries_before, "a try is given back");
    if (view.tries == tries_before) trial.suspect_free_guess();
}

}  // namespace tests::glitch
