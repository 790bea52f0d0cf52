#pragma once
// A kiosk's side of the online load, over the product's messages: INITIALIZE FOR LOAD, the host's
// word, CREDIT FOR LOAD, confirmation; and whatever is lost in between, exactly once.
// docs/online_messages.md.
#include <vector>

#include "protocol/load.hpp"
#include "tests/simulation/chips.hpp"
#include "tests/simulation/network.hpp"

namespace simulation {

struct LoadFault {
    enum class Kind : std::uint8_t { none, credit_never_sent, credit_torn, credit_answer_lost };
    Kind kind = Kind::none;
    tests::PowerCut cut{};
};

class Kiosk {
public:
    Kiosk(protocol::OperatorId operator_id, protocol::DeviceId device,
          protocol::TerminalNumber terminal, const host::City& city, Network& network,
          const platform::Clock& clock);

    /// A card with money put beside it. What an earlier load of this card left open comes first.
    void load(Chip& card, const protocol::CardNumber& number, protocol::Money amount,
              const LoadFault& fault);
    /// Tries what needs no card: requests, confirmations and reversals that wait for an answer.
    void retry();
    /// True when nothing of this card waits.
    [[nodiscard]] bool settle(Chip& card, const protocol::CardNumber& number);
    [[nodiscard]] bool is_idle() const { return open_.empty(); }

private:
    enum class State : std::uint8_t {
        requested,   ///< the host may have booked it; the card's session is long gone
        credited,    ///< CREDIT FOR LOAD left; did the card act? Ask it
        confirming,  ///< the card's TAC waits for the host
        reversing,   ///< the card has not been loaded
    };
    struct OpenLoad {
        protocol::LoadRequest request;
        State state = State::requested;
        protocol::Mac tac{};
        protocol::ReversalReason reason = protocol::ReversalReason::never_sent;
    };
    [[nodiscard]] std::optional<protocol::LoadAnswer> post(const char* path, protocol::Bytes body);
    [[nodiscard]] bool advance(OpenLoad& load);
    void ask_card(Chip& card, OpenLoad& load);
    void credit(Chip& card, OpenLoad& load, const protocol::LoadAnswer& answer,
                const LoadFault& fault);

    protocol::DeviceId device_;
    protocol::TerminalNumber terminal_;
    protocol::IssuerId issuer_;
    Channel channel_;
    const platform::Clock& clock_;
    std::uint32_t last_sequence_ = 0;
    std::vector<OpenLoad> open_;
};

}  // namespace simulation
