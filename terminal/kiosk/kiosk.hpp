#pragma once
// The online load, exactly once whatever is lost. Card, host, clock and journal are passed in.
// States and why they suffice: docs/kiosk.md.
#include <functional>

#include "platform/clock.hpp"
#include "platform/http.hpp"
#include "terminal/kiosk/load_journal.hpp"
#include "terminal/link/card_link.hpp"

namespace terminal {

enum class LoadRefusal : std::uint8_t {  // In the order they are checked.
    none,
    card_gone,  ///< before CREDIT was sent: nothing happened to the card
    not_a_transit_card,
    card_data_malformed,
    earlier_load_open,  ///< the card could not settle an earlier load: try again
    no_amount,          ///< nobody ordered a load for this card
    already_loaded,     ///< the order for this card was carried out before
    pin_required,
    card_refused,
    journal_failed,
    host_unreachable,  ///< the load is settled later, without this card
    host_refused,      ///< `outcome` says why
    unresolved,        ///< CREDIT's answer was lost: the card's next visit settles it
    in_dispute,        ///< card and host disagree: for people
};
[[nodiscard]] const char* name(LoadRefusal refusal);

struct KioskProfile {
    protocol::DeviceId device;
    protocol::TerminalNumber terminal;
    std::vector<std::uint8_t> pin;  ///< empty: none is presented
    bool load_once = false;         ///< a card with a confirmed load here gets no other
};

struct LoadReport {
    LoadRefusal refusal = LoadRefusal::none;
    std::optional<protocol::CardNumber> card;
    protocol::Money amount;
    protocol::Money balance_after;
    std::uint32_t sequence = 0;
    std::optional<protocol::LoadOutcome> outcome;
    bool confirmed = false;  ///< false after a good load: the host has not been told yet
    std::string detail;
};
[[nodiscard]] const char* name(protocol::LoadOutcome outcome);

/// For one thread; one card at a time. Everything passed in outlives it.
class Kiosk {
public:
    using AmountFor = std::function<std::optional<protocol::Money>(const protocol::CardNumber&)>;

    Kiosk(KioskProfile profile, LoadJournal& journal, platform::HttpChannel& host,
          const platform::Clock& clock)
        : profile_{std::move(profile)}, journal_{journal}, host_{host}, clock_{clock} {}

    /// Confirms, reverses and asks again whatever needs no card. Call at start-up and between
    /// cards. Answers how many loads are still open.
    [[nodiscard]] std::size_t settle();
    /// Settles the card's earlier load if one waits for it, then loads it.
    [[nodiscard]] LoadReport load(CardLink& card, const AmountFor& amount_for);

private:
    struct Failed {
        LoadRefusal refusal;
        std::string detail;
    };
    template <class T>
    using Step = std::expected<T, Failed>;

    [[nodiscard]] Step<std::vector<std::uint8_t>> ask(CardLink& card, Bytes command);
    [[nodiscard]] Step<protocol::CardNumber> select(CardLink& card, LoadReport& report);
    [[nodiscard]] Step<void> settle_with_card(CardLink& card, const protocol::CardNumber& number);
    [[nodiscard]] Step<void> ask_about(CardLink& card, LoadRow& row);
    [[nodiscard]] Step<LoadRow> open(CardLink& card, protocol::Money amount);
    [[nodiscard]] Step<void> credit(CardLink& card, LoadRow& row);
    [[nodiscard]] Step<void> run(CardLink& card, const AmountFor& amount_for, LoadReport& report);
    [[nodiscard]] Step<void> write(const LoadRow& row);
    [[nodiscard]] std::optional<protocol::LoadAnswer> post(std::string_view target, Bytes body);
    /// One exchange with the host that takes the row further; false: not reached, or not written.
    bool advance(LoadRow& row);
    [[nodiscard]] bool request_again(LoadRow& row);
    [[nodiscard]] bool confirm(LoadRow& row);
    [[nodiscard]] bool reverse(LoadRow& row);

    KioskProfile profile_;
    LoadJournal& journal_;
    platform::HttpChannel& host_;
    const platform::Clock& clock_;
    protocol::IssuerId issuer_;  ///< of the card in the reader
    std::string host_detail_;    ///< why the last exchange failed
};

}  // namespace terminal
