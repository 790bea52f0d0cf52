#pragma once
// What must be true after every event of a simulated day: conservation card by card (design: loaded
// = on cards + spent + in transit + in dispute + returned), and "acknowledged means there".
// What a card holds is asked of the card; what it paid is what its balance lost at a DEBIT that was
// seen on its link; what is spent is read from the issuer's ledger.
#include <map>
#include <set>
#include <stdexcept>
#include <string>

#include "host/service/report.hpp"
#include "tests/simulation/city_process.hpp"
#include "tests/simulation/gate_process.hpp"

namespace simulation {

/// The equation or a promise is broken; the text says which.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A card as the holder sees it.
struct WatchedCard {
    CardPlan plan;
    Chip chip;
    std::uint32_t balance = 0;
    std::int64_t loaded = 0;                                       ///< rises of the balance
    std::map<host::store::DebitKey, protocol::Money> debits = {};  ///< falls of the balance
    std::set<host::store::DebitKey> opened = {};                   ///< that a gate opened for
};

struct Sums {
    std::int64_t loaded = 0;
    std::int64_t on_cards = 0;
    std::int64_t spent = 0;
    std::int64_t in_transit = 0;
    std::int64_t disputed = 0;
    /// In dispute for an entry that the card never paid, until the debit that took its counter
    /// arrives.
    std::int64_t disputed_in_error = 0;
    std::int64_t returned = 0;
    std::int64_t load_pending = 0;
};

[[nodiscard]] std::uint32_t balance_of(Chip& chip);

/// The card was touched: its balance may have fallen, once, by a DEBIT that was seen.
void see_touch(WatchedCard& card, const GateProcess::Touched& touched, const GatePlan& gate);
/// The card was at a kiosk: its balance may have risen.
void see_load(WatchedCard& card);

/// Every card of this city. Throws Violation.
Sums check_conservation(CityProcess& city, const std::vector<std::unique_ptr<WatchedCard>>& cards);

/// The debits of this city's cards that nobody has booked, for a person to look at.
[[nodiscard]] std::string open_debits_text(CityProcess& city,
                                           const std::vector<std::unique_ptr<WatchedCard>>& cards);

/// Remembers every success that left a host, and looks for it ever after.
class Promises {
public:
    void on_success(protocol::CityCode city, const platform::HttpRequest& request,
                    const platform::HttpResponse& response);
    /// Throws Violation.
    void check(CityProcess& city) const;
    [[nodiscard]] std::size_t count() const { return count_; }

private:
    struct OfCity {
        std::map<std::pair<protocol::DeviceId, std::uint32_t>, crypto::Sm3Digest> batches;
        std::map<std::pair<protocol::CityCode, std::uint64_t>, std::string> messages;
        std::map<protocol::LoadKey, protocol::LoadAnswer> loads;
        std::map<protocol::LoadKey, protocol::LoadOutcome> ends;
    };
    std::map<protocol::CityCode, OfCity> cities_;
    std::size_t count_ = 0;
};

}  // namespace simulation
