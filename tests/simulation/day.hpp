#pragma once
// A simulated day of one or two cities, from one seed: the same seed, the same day, the same bytes.
// docs/simulation.md.
#include <array>

#include "platform/clock.hpp"
#include "tests/simulation/kiosk.hpp"
#include "tests/simulation/witness.hpp"

namespace simulation {

/// Which misfortunes may happen.
struct Faults {
    bool cards_withdrawn = false;
    bool network = false;
    bool processes_killed = false;
    [[nodiscard]] static Faults all() { return {true, true, true}; }
};

struct DayPlan {
    std::uint64_t seed = 1;
    unsigned cities = 2;
    unsigned cards = 6;
    unsigned gates_per_city = 3;  ///< single rides, then entry, then exit
    unsigned events = 250;
    Faults faults;
};

/// What simulation_day_test takes to run exactly this day again.
[[nodiscard]] std::string replay_options(const DayPlan& plan);

struct DayReport {
    Sums sums;  ///< of all cities, when the day has ended
    unsigned taps = 0;
    unsigned opened = 0;
    unsigned torn = 0;  ///< taps with a fault
    unsigned kills = 0;
    std::size_t promises = 0;
    std::int64_t settled_fen = 0;  ///< between cities
    crypto::Sm3Digest digest{};    ///< of everything that happened
};

class Day {
public:
    explicit Day(const DayPlan& plan);
    /// Throws Violation: what broke, or which part stopped working, and the last events.
    [[nodiscard]] DayReport run();

private:
    struct City {
        CityPlan plan;
        std::unique_ptr<CityKeys> keys;
        std::unique_ptr<CityProcess> process;
        std::vector<std::unique_ptr<GateProcess>> gates;
        std::unique_ptr<Kiosk> kiosk;
    };

    void found_cities();
    void equip(City& city, unsigned index);
    void add_gate(City& city, unsigned city_index, unsigned gate_index);
    void issue_cards();
    void publish_hot_list(City& city);

    void one_event();
    void tap();
    void tap(WatchedCard& card, City& city, GateProcess& gate, const TouchFault& fault);
    void load_one();
    void load(WatchedCard& card, protocol::Money amount, const LoadFault& fault);
    void upload();
    void work();
    void exchange();
    void kill();
    void put_on_hot_list();
    [[nodiscard]] TouchFault touch_fault();
    [[nodiscard]] LoadFault load_fault();
    [[nodiscard]] tests::PowerCut power_cut(unsigned operations);
    [[nodiscard]] Channel peer_channel(const City& from, const City& to);
    /// The mail of one city for each of its peers, once. True when something was sent.
    bool send_mail(City& from);

    void set_network_faults();
    void calm_network();
    void calm();
    void storm();
    /// Until nobody has anything to do.
    void settle_network();
    void resolve_torn_taps();
    void close_first_day(City& city);
    void close();
    void check_end();
    void check_lines(const protocol::Date& date);
    void check();
    void note(const std::string& what);

    [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    [[nodiscard]] City& any_city() { return cities_[below(cities_.size())]; }
    [[nodiscard]] City& home_of(const WatchedCard& card);

    DayPlan plan_;
    crypto::SeededRandom random_;
    platform::ManualClock clock_;
    protocol::Date first_day_;  ///< the business date that is open in the beginning
    terminal::FareTable fares_;
    Promises promises_;
    Network network_;
    std::vector<City> cities_;
    std::vector<std::unique_ptr<WatchedCard>> cards_;
    DayReport report_;
    crypto::Sm3 digest_;
    std::vector<std::string> notes_;
};

}  // namespace simulation
