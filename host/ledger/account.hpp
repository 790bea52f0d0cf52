#pragma once
// The chart of accounts of one city's book. docs/ledger.md, 1.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/ids.hpp"

namespace host::ledger {

/// A city or one of its operators: whoever can owe or be owed.
class Participant {
public:
    enum class Kind : std::uint8_t { city = 1, transit_operator = 2 };  // in files: only add
    [[nodiscard]] static Participant of(protocol::CityCode city) {
        return {Kind::city, city.value()};
    }
    [[nodiscard]] static Participant of(const protocol::OperatorId& operator_id);
    /// "city/3100", "operator/0000000000003101".
    [[nodiscard]] static std::optional<Participant> parse(std::string_view text);
    [[nodiscard]] std::string text() const;

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_city() const { return kind_ == Kind::city; }
    /// The id's digits, four or sixteen, one in each nibble.
    [[nodiscard]] std::uint64_t digits() const { return digits_; }
    friend auto operator<=>(const Participant&, const Participant&) = default;

private:
    Participant(Kind kind, std::uint64_t digits) : kind_{kind}, digits_{digits} {}
    Kind kind_;
    std::uint64_t digits_;
};

/// What an account is for. The numbers are in files: never change one, only add.
enum class Purpose : std::uint8_t {
    stored_value = 1,  ///< owed to the holders of our cards: what our ledger knows to be on them
    load_pending = 2,  ///< MAC2 was answered, the card has not confirmed
    kiosk_cash = 3,    ///< cash that an operator's kiosks took for loads
    payable = 4,       ///< owed to an operator for rides
    due_to = 5,        ///< owed to another city: our cards at its operators
    due_from = 6,      ///< owed by another city: its cards at our operators
    dispute = 7,       ///< left a card, not owed to anybody yet: waits for a ruling
    returned = 8,      ///< paid back to holders
    netting = 9,       ///< bilateral debts turned into net ones; zero when a day is settled
    bank = 10,         ///< our account at the settlement bank
};
[[nodiscard]] std::string_view name(Purpose purpose);
[[nodiscard]] std::optional<Purpose> parse_purpose(std::uint8_t number);

struct Account {
    Purpose purpose;
    Participant participant;
    friend auto operator<=>(const Account&, const Account&) = default;
    /// "payable:operator/0000000000003101".
    [[nodiscard]] std::string text() const;
};

}  // namespace host::ledger
