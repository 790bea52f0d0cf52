#pragma once
// Why a gate stays shut. The order is the order of the checks and part of the contract:
// docs/gate.md, "Refusals".
#include <cstddef>
#include <cstdint>

namespace terminal {

enum class Refusal : std::uint8_t {
    none,
    out_of_service,
    sam_unavailable,
    card_gone,
    not_a_transit_card,
    card_blocked,
    card_data_malformed,
    not_enabled,
    not_started,
    expired,
    not_interoperable,
    city_not_accepted,
    no_hot_list,
    on_hot_list,
    proof_unconfirmed,
    journey_open,
    journey_none,
    journey_elsewhere,
    journey_too_old,
    no_fare,
    insufficient_balance,
    card_refused,
    sam_refused,
    mac2_wrong,
    unresolved,
};
constexpr std::size_t refusal_count = 25;

[[nodiscard]] constexpr const char* name(Refusal refusal) {
    switch (refusal) {
        case Refusal::none: return "none";
        case Refusal::out_of_service: return "out_of_service";
        case Refusal::sam_unavailable: return "sam_unavailable";
        case Refusal::card_gone: return "card_gone";
        case Refusal::not_a_transit_card: return "not_a_transit_card";
        case Refusal::card_blocked: return "card_blocked";
        case Refusal::card_data_malformed: return "card_data_malformed";
        case Refusal::not_enabled: return "not_enabled";
        case Refusal::not_started: return "not_started";
        case Refusal::expired: return "expired";
        case Refusal::not_interoperable: return "not_interoperable";
        case Refusal::city_not_accepted: return "city_not_accepted";
        case Refusal::no_hot_list: return "no_hot_list";
        case Refusal::on_hot_list: return "on_hot_list";
        case Refusal::proof_unconfirmed: return "proof_unconfirmed";
        case Refusal::journey_open: return "journey_open";
        case Refusal::journey_none: return "journey_none";
        case Refusal::journey_elsewhere: return "journey_elsewhere";
        case Refusal::journey_too_old: return "journey_too_old";
        case Refusal::no_fare: return "no_fare";
        case Refusal::insufficient_balance: return "insufficient_balance";
        case Refusal::card_refused: return "card_refused";
        case Refusal::sam_refused: return "sam_refused";
        case Refusal::mac2_wrong: return "mac2_wrong";
        case Refusal::unresolved: return "unresolved";
    }
    return "unknown";
}

}  // namespace terminal
