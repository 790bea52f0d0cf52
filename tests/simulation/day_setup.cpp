// Two cities before the day: registers, gates, kiosks, cards, hot lists.
#include "host/hot_list/publish.hpp"
#include "tests/simulation/day.hpp"

namespace simulation {

namespace {

constexpr protocol::LineCode bus_line{1};
constexpr protocol::LineCode rail_line{2};
constexpr protocol::StationCode first_station{0x0201};
constexpr protocol::StationCode last_station{0x0202};

terminal::FareTable fares() {
    terminal::FareRules rules;
    rules.version = 1;
    rules.lines.push_back({rail_line, {{first_station, 0}, {last_station, 8'000}}});
    rules.bands = {{6'000, protocol::Money::from_fen(300)},
                   {std::nullopt, protocol::Money::from_fen(400)}};
    rules.single = {{bus_line, protocol::Money::from_fen(200)}};
    rules.class_percent = {{protocol::CardKind::student, 50}};
    return terminal::FareTable::make(rules).value();
}

// A disk's name is the process's for its whole life: each day has its own.
std::string disk_name(const std::string& of) {
    static unsigned count = 0;
    return of + "-" + std::to_string(++count);
}

CityPlan city_plan(unsigned index) {
    const auto digit = static_cast<std::uint8_t>(0x31 + index);
    return {protocol::CityCode{static_cast<std::uint16_t>(digit << 8)},
            protocol::IssuerId{{digit, 0x00, 0, 0, 0, 0, 0, 0x01}},
            protocol::OperatorId{{digit, 0x00, 0, 0, 0, 0, 0, 0x77}}};
}

protocol::DeviceId device_id(unsigned city, unsigned index) {
    return protocol::DeviceId{{0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(0x31 + city),
                               static_cast<std::uint8_t>(index)}};
}

protocol::TerminalNumber terminal_number(unsigned city, unsigned index) {
    return protocol::TerminalNumber{
        {0, 0, 0, 0, static_cast<std::uint8_t>(0x31 + city), static_cast<std::uint8_t>(index)}};
}

constexpr unsigned kiosk_index = 99;

protocol::DateTime morning() {
    return {protocol::Date::make(2026, 3, 2).value(), protocol::Time::make(6, 0, 0).value()};
}

}  // namespace

Day::Day(const DayPlan& plan)
    : plan_{plan},
      random_{plan.seed, "day"},
      clock_{morning()},
      first_day_{clock_.now().date},
      fares_{fares()},
      network_{random_.fork("network"),
               [this](protocol::CityCode city, const platform::HttpRequest& request,
                      const platform::HttpResponse& response) {
                   promises_.on_success(city, request, response);
               }} {
    found_cities();
    issue_cards();
}

void Day::found_cities() {
    cities_.resize(plan_.cities);
    for (unsigned i = 0; i < plan_.cities; ++i) {
        cities_[i].plan = city_plan(i);
        cities_[i].keys = std::make_unique<CityKeys>(
            cities_[i].plan, random_.fork("city keys " + std::to_string(i)));
    }
    for (unsigned i = 0; i < plan_.cities; ++i) {
        equip(cities_[i], i);
    }
}

void Day::equip(City& city, unsigned index) {
    host::City settings;
    settings.code = city.plan.code;
    settings.issuer = city.plan.issuer;
    for (const City& other : cities_) {
        if (other.plan.code == city.plan.code) continue;
        settings.peers.push_back({other.plan.code, other.plan.issuer, other.keys->public_bytes()});
    }
    city.process = std::make_unique<CityProcess>(settings, *city.keys, clock_, disk_name("host"),
                                                 random_.fork("host " + std::to_string(index)));
    network_.attach(*city.process);
    const auto kiosk = device_id(index, kiosk_index);
    look(city.process->store(), [&] {
        city.process->store().put_operator({city.plan.operator_id, "operator"});
        city.process->store().put_device({kiosk, city.plan.operator_id});
    });
    city.kiosk =
        std::make_unique<Kiosk>(city.plan.operator_id, kiosk, terminal_number(index, kiosk_index),
                                settings, network_, clock_);
    for (unsigned gate = 0; gate < plan_.gates_per_city; ++gate) {
        add_gate(city, index, gate);
    }
    publish_hot_list(city);
}

void Day::add_gate(City& city, unsigned city_index, unsigned gate_index) {
    constexpr std::array modes{terminal::GateMode::single, terminal::GateMode::entry,
                               terminal::GateMode::exit};
    terminal::GateProfile profile;
    profile.mode = modes[gate_index % modes.size()];
    profile.device = device_id(city_index, gate_index);
    profile.operator_id = city.plan.operator_id;
    profile.city = city.plan.code;
    profile.line = profile.mode == terminal::GateMode::single ? bus_line : rail_line;
    profile.station = profile.mode == terminal::GateMode::exit ? last_station : first_station;
    profile.without_hot_list = terminal::WithoutHotList::accept;
    for (const City& other : cities_) {
        if (other.plan.code != city.plan.code) {
            profile.accepted_cities.push_back(other.plan.code);
        }
    }
    const auto terminal = terminal_number(city_index, gate_index);
    std::array<std::uint8_t, 10> sam_number{};
    std::ranges::copy(terminal.value(), sam_number.begin() + 4);
    const SamPlan sam{protocol::SamNumber{sam_number}, terminal, city.plan.operator_id,
                      city.plan.issuer};
    const std::string name =
        "gate " + std::to_string(city_index) + "." + std::to_string(gate_index);
    auto gate = std::make_unique<GateProcess>(
        GatePlan{profile, sam, {city.plan.code, protocol::Mark::live, city.keys->public_key()}},
        fares_, clock_, network_, disk_name("gate"), random_.fork(name));
    std::array<std::uint8_t, 64> key{};
    std::ranges::copy(gate->key().public_key().bytes(), key.begin());
    look(city.process->store(), [&] {
        city.process->store().put_device({profile.device, profile.operator_id, key});
        city.process->store().put_sam({terminal, sam.number, profile.operator_id, morning(), {}});
    });
    city.gates.push_back(std::move(gate));
}

void Day::issue_cards() {
    for (unsigned i = 0; i < plan_.cards; ++i) {
        City& home = cities_[i % cities_.size()];
        const auto kind = i % 3 == 2 ? protocol::CardKind::student : protocol::CardKind::ordinary;
        const CardPlan plan{
            protocol::CardNumber{{0x03, static_cast<std::uint8_t>(home.plan.code.value() >> 8), 0,
                                  0, 0, 0, 0, 0, 0x10, protocol::to_bcd(i)}},
            home.plan.issuer, home.plan.code, kind};
        cards_.push_back(std::make_unique<WatchedCard>(
            WatchedCard{plan, Chip{plan, random_.fork("card " + std::to_string(i))}}));
        look(home.process->store(),
             [&] { home.process->store().insert_card({plan.number, plan.issuer, {}}); });
    }
    for (const auto& card : cards_) {
        load(*card, protocol::Money::from_fen(5'000), {});
    }
}

void Day::publish_hot_list(City& city) {
    const auto listed = host::hot_list::publish(city.process->store(), city.process->city(),
                                                *city.keys, clock_.now(), clock_.now());
    if (!listed) throw std::runtime_error{"the hot list is not published"};
}

}  // namespace simulation
