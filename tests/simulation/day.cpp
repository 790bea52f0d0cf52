#include "tests/simulation/day.hpp"

#include <fmt/format.h>

#include "host/hot_list/publish.hpp"

namespace simulation {

namespace {

constexpr std::size_t notes_kept = 30;
constexpr std::int64_t event_pause_ms_max = 90'000;

}  // namespace

std::string replay_options(const DayPlan& plan) {
    std::string faults;
    const auto add = [&](bool on, const char* name) {
        if (on) faults += faults.empty() ? name : std::string{","} + name;
    };
    add(plan.faults.cards_withdrawn, "cards");
    add(plan.faults.network, "network");
    add(plan.faults.processes_killed, "kills");
    return fmt::format("--seed {} --cities {} --cards {} --gates {} --events {} --faults {}",
                       plan.seed, plan.cities, plan.cards, plan.gates_per_city, plan.events,
                       faults.empty() ? "none" : faults);
}

Day::City& Day::home_of(const WatchedCard& card) {
    const auto found = std::ranges::find_if(
        cities_, [&](const City& city) { return city.plan.code == card.plan.city; });
    return *found;
}

void Day::note(const std::string& what) {
    const auto bytes =
        protocol::Bytes{reinterpret_cast<const std::uint8_t*>(what.data()), what.size()};
    digest_.update(bytes);
    notes_.push_back(fmt::format("{} {}", clock_.unix_ms() / 1000 % 86'400, what));
}

void Day::set_network_faults() {
    network_.set_faults(plan_.faults.network
                            ? NetworkFaults{8, 8, 8, 8, plan_.faults.processes_killed ? 4U : 0U}
                            : NetworkFaults{});
}

DayReport Day::run() {
    set_network_faults();
    try {
        check();
        for (unsigned i = 0; i < plan_.events; ++i) {
            clock_.advance_ms(1 + static_cast<std::int64_t>(below(event_pause_ms_max)));
            if (i == plan_.events / 2) put_on_hot_list();
            for (std::size_t c = 0; c < cities_.size(); ++c) {
                if (i == plan_.events * 5 / 8 + 8 * c) close_first_day(cities_[c]);
            }
            one_event();
            check();
        }
        calm();
        resolve_torn_taps();
        close();
        check_end();
    } catch (const std::exception& broken) {
        std::string text = fmt::format("{}\nThe last events:\n", broken.what());
        const std::size_t from = notes_.size() > notes_kept ? notes_.size() - notes_kept : 0;
        for (std::size_t i = from; i < notes_.size(); ++i) text += "  " + notes_[i] + "\n";
        throw Violation{text};
    }
    report_.promises = promises_.count();
    report_.digest = digest_.finish();
    return report_;
}

void Day::check() {
    report_.sums = {};
    for (City& city : cities_) {
        const Sums one = check_conservation(*city.process, cards_);
        report_.sums.loaded += one.loaded;
        report_.sums.on_cards += one.on_cards;
        report_.sums.spent += one.spent;
        report_.sums.in_transit += one.in_transit;
        report_.sums.disputed += one.disputed;
        report_.sums.disputed_in_error += one.disputed_in_error;
        report_.sums.returned += one.returned;
        report_.sums.load_pending += one.load_pending;
        promises_.check(*city.process);
    }
    note(fmt::format("loaded {} on cards {} spent {} in transit {} disputed {}",
                     report_.sums.loaded, report_.sums.on_cards, report_.sums.spent,
                     report_.sums.in_transit, report_.sums.disputed));
}

void Day::one_event() {
    const std::uint64_t dice = below(100);
    if (dice < 45) return tap();
    if (dice < 63) return upload();
    if (dice < 75) return work();
    if (dice < 85) return exchange();
    if (dice < 90) return load_one();
    if (dice < 95) {
        note(network_.deliver_late() ? "a delayed message arrives" : "nothing is delayed");
        return;
    }
    if (plan_.faults.processes_killed) return kill();
    work();
}

tests::PowerCut Day::power_cut(unsigned operations) {
    return {below(operations), static_cast<tests::Tear>(below(5)), below(1'000)};
}

TouchFault Day::touch_fault() {
    using Kind = TouchFault::Kind;
    if (below(100) >= 30) return {};
    TouchFault fault;
    fault.at = static_cast<unsigned>(below(9));
    fault.cut = power_cut(80);
    const std::uint64_t dice = below(6);
    if (dice < 3) {
        if (!plan_.faults.cards_withdrawn) return {};
        fault.kind =
            std::array{Kind::withdrawn_before, Kind::withdrawn_inside, Kind::withdrawn_after}[dice];
    } else {
        if (!plan_.faults.processes_killed) return {};
        fault.kind = std::array{Kind::killed_before, Kind::killed_after, Kind::disk_dies}[dice - 3];
        if (fault.kind == Kind::disk_dies) fault.at = static_cast<unsigned>(below(16));
    }
    return fault;
}

LoadFault Day::load_fault() {
    if (!plan_.faults.cards_withdrawn) return {};
    return {static_cast<LoadFault::Kind>(below(4)), power_cut(60)};
}

void Day::tap() {
    WatchedCard& card = *cards_[below(cards_.size())];
    City& city = any_city();
    tap(card, city, *city.gates[below(city.gates.size())], touch_fault());
}

void Day::tap(WatchedCard& card, City& city, GateProcess& gate, const TouchFault& fault) {
    const auto touched = gate.touch(card.chip, fault);
    ++report_.taps;
    if (fault.kind != TouchFault::Kind::none) ++report_.torn;
    if (touched.report && touched.report->result.open) ++report_.opened;
    note(fmt::format(
        "tap card {:02X} city {:04X} device {:02X} fault {} at {}: {}{}",
        card.plan.number.value()[9], city.plan.code.value(), gate.plan().profile.device.value()[7],
        static_cast<unsigned>(fault.kind), fault.at,
        touched.report
            ? (touched.report->result.open ? "open"
                                           : terminal::name(touched.report->result.refusal))
            : "gate killed",
        touched.debit ? fmt::format(", DEBIT {:08X}", touched.debit->command.sequence.value())
                      : std::string{}));
    see_touch(card, touched, gate.plan());
}

void Day::load(WatchedCard& card, protocol::Money amount, const LoadFault& fault) {
    home_of(card).kiosk->load(card.chip, card.plan.number, amount, fault);
    note(fmt::format("load card {:02X} fen {} fault {}", card.plan.number.value()[9], amount.fen(),
                     static_cast<unsigned>(fault.kind)));
    see_load(card);
}

void Day::load_one() {
    WatchedCard& card = *cards_[below(cards_.size())];
    load(card, protocol::Money::from_fen(static_cast<std::uint32_t>(100 + below(1'000))),
         load_fault());
}

void Day::upload() {
    City& city = any_city();
    GateProcess& gate = *city.gates[below(city.gates.size())];
    const bool all_of_it = below(2) == 0;
    note(fmt::format("upload device {:02X}{:02X}", gate.plan().profile.device.value()[6],
                     gate.plan().profile.device.value()[7]));
    if (all_of_it) {
        gate.flush();
    } else {
        gate.upload_step();
    }
    city.kiosk->retry();
}

void Day::work() {
    City& city = any_city();
    const bool worked = city.process->host().work();
    note(fmt::format("work {:04X} {}", city.plan.code.value(), worked));
}

Channel Day::peer_channel(const City& from, const City& to) {
    const std::string code = fmt::format("{:04X}", from.plan.code.value());
    return Channel{network_, to.plan.code, {platform::PeerRole::city_host, code, "host", code}};
}

bool Day::send_mail(City& from) {
    bool sent = false;
    for (City& to : cities_) {
        if (to.plan.code == from.plan.code) continue;
        Channel channel = peer_channel(from, to);
        const auto result = host::exchange_one(from.process->host(), to.plan.code, channel);
        if (!result) continue;
        if (*result == host::MailResult::refused) throw Violation{"a city refuses a message"};
        note(fmt::format("mail {:04X} to {:04X}: {}", from.plan.code.value(), to.plan.code.value(),
                         static_cast<unsigned>(*result)));
        sent = sent || host::asks_next(*result);
    }
    return sent;
}

void Day::exchange() {
    send_mail(any_city());
}

void Day::kill() {
    ++report_.kills;
    City& city = any_city();
    const std::uint64_t dice = below(5);
    note(fmt::format("kill {} in {:04X}", dice, city.plan.code.value()));
    if (dice == 0) {
        city.process->kill_and_restart();
    } else if (dice == 1) {
        city.process->arm_kill();
        (void)city.process->host().work();
        city.process->kill_and_restart();
    } else if (dice == 2) {
        city.process->arm_kill();
        send_mail(city);
        city.process->kill_and_restart();
    } else if (dice == 3) {
        city.process->accepts_calls = !city.process->accepts_calls;
    } else {
        city.gates[below(city.gates.size())]->kill_and_restart();
    }
}

void Day::put_on_hot_list() {
    const WatchedCard& card = *cards_[below(cards_.size())];
    City& home = home_of(card);
    const protocol::HotEntry entry{protocol::HotKind::card, card.plan.number.value(),
                                   protocol::HotReason::lost, clock_.now()};
    if (!host::hot_list::add(home.process->store(), std::array{entry})) {
        throw Violation{"a hot list entry is refused"};
    }
    publish_hot_list(home);
    note("a card goes on the hot list");
}

}  // namespace simulation
