#include "tests/simulation/kiosk.hpp"

#include <stdexcept>

#include "protocol/personalisation.hpp"
#include "tests/simulation/gate_process.hpp"

namespace simulation {

using protocol::KeyIndex;
using protocol::LoadOutcome;

Kiosk::Kiosk(protocol::OperatorId operator_id, protocol::DeviceId device,
             protocol::TerminalNumber terminal, const host::City& city, Network& network,
             const platform::Clock& clock)
    : device_{device},
      terminal_{terminal},
      issuer_{city.issuer},
      channel_{network, city.code, terminal_identity(operator_id, device, city.code)},
      clock_{clock} {}

std::optional<protocol::LoadAnswer> Kiosk::post(const char* path, protocol::Bytes body) {
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = path;
    request.body.assign(body.begin(), body.end());
    const auto response = channel_.call(request);
    if (!response || response->status >= 500) return std::nullopt;
    if (response->status != 200) throw std::runtime_error{"the host refuses: " + response->body};
    const auto answer = protocol::LoadAnswer::parse(response->body_bytes());
    if (!answer) throw std::runtime_error{"the host's load answer does not parse"};
    return *answer;
}

// True when the load is at its end.
bool Kiosk::advance(OpenLoad& load) {
    using enum LoadOutcome;
    if (load.state == State::requested) {
        // Asking again is safe: the same key with the same content. CREDIT never left.
        const auto answer = post("/v1/loads", load.request.bytes());
        if (!answer) return false;
        if (answer->outcome != approved) return true;
        load.state = State::reversing;
        load.reason = protocol::ReversalReason::never_sent;
    }
    if (load.state == State::confirming) {
        const protocol::LoadConfirmation message{load.request.key, load.tac};
        const auto answer = post("/v1/loads/confirmations", message.bytes());
        if (!answer) return false;
        if (answer->outcome != confirmed) throw std::runtime_error{"a genuine load is refused"};
        return true;
    }
    if (load.state == State::reversing) {
        const protocol::LoadReversal message{load.request.key, load.reason};
        const auto answer = post("/v1/loads/reversals", message.bytes());
        if (!answer) return false;
        if (answer->outcome != reversed) throw std::runtime_error{"an honest reversal is refused"};
        return true;
    }
    return false;
}

void Kiosk::retry() {
    std::erase_if(open_, [this](OpenLoad& load) { return advance(load); });
}

// The proof, or the unchanged counter: one of them is there, since nothing else loads this card.
void Kiosk::ask_card(Chip& card, OpenLoad& load) {
    if (!card.ask(protocol::select_by_name(protocol::transit_aid))) return;
    const auto counter = load.request.card_answer.counter;
    const auto proof =
        card.ask(protocol::get_transaction_prove(protocol::TransactionType::load, counter.value()));
    if (proof && proof->size() == 8) {  // MAC2 then TAC
        std::copy_n(proof->begin() + 4, load.tac.size(), load.tac.begin());
        load.state = State::confirming;
        return;
    }
    if (!card.ask(protocol::verify_pin(holder_pin))) return;
    const auto opened = card.ask(
        protocol::initialise_for_load({KeyIndex{1}, load.request.amount, load.request.terminal}));
    if (!opened) return;
    const auto parsed = protocol::LoadInitialised::parse(*opened);
    if (!parsed) return;
    if (parsed->counter != counter) {
        throw std::runtime_error{"the card was loaded and does not prove it"};
    }
    load.state = State::reversing;
    load.reason = protocol::ReversalReason::card_unchanged;
}

bool Kiosk::settle(Chip& card, const protocol::CardNumber& number) {
    const auto of_card = [&](const OpenLoad& load) { return load.request.card == number; };
    card.power_on();
    for (OpenLoad& load : open_) {
        if (of_card(load) && load.state == State::credited) ask_card(card, load);
    }
    card.power_off();
    std::erase_if(open_, [&](OpenLoad& load) { return of_card(load) && advance(load); });
    return std::ranges::none_of(open_, of_card);
}

void Kiosk::credit(Chip& card, OpenLoad& load, const protocol::LoadAnswer& answer,
                   const LoadFault& fault) {
    using Kind = LoadFault::Kind;
    load.state = State::credited;  // in its journal before the command leaves
    if (fault.kind == Kind::credit_never_sent) return;
    if (fault.kind == Kind::credit_torn) card.flash().cut_at(fault.cut);
    const auto tac = card.ask(protocol::credit_for_load({answer.when, answer.mac2}));
    card.flash().disarm();
    if (fault.kind != Kind::none || !tac || tac->size() != load.tac.size()) return;
    std::ranges::copy(*tac, load.tac.begin());
    load.state = State::confirming;
}

void Kiosk::load(Chip& card, const protocol::CardNumber& number, protocol::Money amount,
                 const LoadFault& fault) {
    if (!settle(card, number)) return;
    card.power_on();
    if (!card.ask(protocol::select_by_name(protocol::transit_aid)) ||
        !card.ask(protocol::verify_pin(holder_pin))) {
        throw std::runtime_error{"the kiosk cannot open the card"};
    }
    const auto opened = card.ask(protocol::initialise_for_load({KeyIndex{1}, amount, terminal_}));
    if (!opened) throw std::runtime_error{"INITIALIZE FOR LOAD is refused"};
    const auto initialised = protocol::LoadInitialised::parse(*opened);
    if (!initialised) throw std::runtime_error{"INITIALIZE FOR LOAD's answer does not parse"};
    OpenLoad& load = open_.emplace_back();
    load.request = {{device_, protocol::LoadSequence{++last_sequence_}},
                    issuer_,
                    number,
                    amount,
                    protocol::TransactionType::load,
                    terminal_,
                    clock_.now(),
                    *initialised};
    const auto answer = post("/v1/loads", load.request.bytes());
    if (answer && answer->outcome == LoadOutcome::approved) credit(card, load, *answer, fault);
    if (answer && answer->outcome != LoadOutcome::approved) open_.pop_back();
    card.power_off();
    retry();
}

}  // namespace simulation
