#include "terminal/fares/fare_table.hpp"

#include <limits>
#include <set>

namespace terminal {

namespace {

constexpr std::uint32_t unreachable = std::numeric_limits<std::uint32_t>::max();
using Checked = std::expected<void, FareProblem>;

std::unexpected<FareProblem> problem(FareError error, const char* what, std::size_t number) {
    return std::unexpected{FareProblem{error, std::string{what} + " " + std::to_string(number)}};
}

Checked check_amounts(const FareRules& rules) {
    if (rules.version == 0) return problem(FareError::version_zero, "version", 0);
    if (rules.round_down_to_fen == 0) {
        return problem(FareError::rounding_zero, "round_down_to_fen", 0);
    }
    for (const auto& [kind, percent] : rules.class_percent) {
        if (percent > 100) {
            return problem(FareError::percent_above_100, "class", static_cast<std::size_t>(kind));
        }
    }
    for (const auto& [line, fare] : rules.single) {
        if (fare.fen() > fare_fen_max) {
            return problem(FareError::fare_too_high, "single line", line.value());
        }
    }
    return {};
}

Checked check_bands(const std::vector<FareRules::Band>& bands) {
    for (std::size_t i = 0; i < bands.size(); ++i) {
        if (bands[i].fare.fen() > fare_fen_max) {
            return problem(FareError::fare_too_high, "band", i + 1);
        }
        if (bands[i].up_to_metres.has_value() != (i + 1 < bands.size())) {
            return problem(FareError::last_band_not_open, "band", i + 1);
        }
        if (i == 0) continue;
        const bool farther =
            !bands[i].up_to_metres || *bands[i].up_to_metres > *bands[i - 1].up_to_metres;
        if (!farther || bands[i].fare < bands[i - 1].fare) {
            return problem(FareError::bands_not_rising, "band", i + 1);
        }
    }
    return {};
}

Checked check_line(const FareRules::Line& line) {
    if (line.stops.size() < 2) return problem(FareError::line_too_short, "line", line.code.value());
    std::set<StationCode> seen;
    for (std::size_t i = 0; i < line.stops.size(); ++i) {
        const auto& stop = line.stops[i];
        if (stop.metres > line_metres_max || (i > 0 && stop.metres <= line.stops[i - 1].metres)) {
            return problem(FareError::stations_not_rising, "line", line.code.value());
        }
        if (!seen.insert(stop.station).second) {
            return problem(FareError::station_repeated, "line", line.code.value());
        }
    }
    return {};
}

Checked check_network(const FareRules& rules) {
    std::set<LineCode> codes;
    std::set<StationCode> stations;
    for (const auto& line : rules.lines) {
        if (!codes.insert(line.code).second) {
            return problem(FareError::line_repeated, "line", line.code.value());
        }
        ONECARD_CHECK(check_line(line));
        for (const auto& stop : line.stops) stations.insert(stop.station);
    }
    if (stations.size() > station_count_max) {
        return problem(FareError::too_many_stations, "stations", stations.size());
    }
    if ((rules.lines.empty() || rules.bands.empty()) && rules.single.empty()) {
        return problem(FareError::nothing_to_sell, "version", rules.version);
    }
    return {};
}

}  // namespace

const char* name(FareError error) {
    switch (error) {
        case FareError::version_zero: return "version_zero";
        case FareError::rounding_zero: return "rounding_zero";
        case FareError::percent_above_100: return "percent_above_100";
        case FareError::fare_too_high: return "fare_too_high";
        case FareError::bands_not_rising: return "bands_not_rising";
        case FareError::last_band_not_open: return "last_band_not_open";
        case FareError::line_repeated: return "line_repeated";
        case FareError::line_too_short: return "line_too_short";
        case FareError::stations_not_rising: return "stations_not_rising";
        case FareError::station_repeated: return "station_repeated";
        case FareError::too_many_stations: return "too_many_stations";
        case FareError::nothing_to_sell: return "nothing_to_sell";
    }
    return "unknown";
}

std::expected<FareTable, FareProblem> FareTable::make(const FareRules& rules) {
    ONECARD_CHECK(check_amounts(rules));
    ONECARD_CHECK(check_bands(rules.bands));
    ONECARD_CHECK(check_network(rules));
    FareTable table;
    table.version_ = rules.version;
    table.round_down_to_fen_ = rules.round_down_to_fen;
    table.bands_ = rules.bands;
    table.single_ = rules.single;
    table.class_percent_ = rules.class_percent;
    if (!rules.bands.empty()) table.measure(rules);
    return table;
}

// Floyd-Warshall: 600 stations are 216 million additions, a fraction of a second, once.
void FareTable::measure(const FareRules& rules) {
    for (const auto& line : rules.lines) {
        for (const auto& stop : line.stops) index_.try_emplace(stop.station, index_.size());
    }
    const std::size_t count = index_.size();
    metres_.assign(count * count, unreachable);
    for (std::size_t i = 0; i < count; ++i) metres_[i * count + i] = 0;
    for (const auto& line : rules.lines) {
        for (std::size_t i = 1; i < line.stops.size(); ++i) {
            const std::size_t a = index_.at(line.stops[i - 1].station);
            const std::size_t b = index_.at(line.stops[i].station);
            const std::uint32_t hop = line.stops[i].metres - line.stops[i - 1].metres;
            metres_[a * count + b] = std::min(metres_[a * count + b], hop);
            metres_[b * count + a] = metres_[a * count + b];
        }
    }
    for (std::size_t via = 0; via < count; ++via) {
        for (std::size_t a = 0; a < count; ++a) {
            const std::uint64_t first = metres_[a * count + via];
            if (first == unreachable) continue;
            for (std::size_t b = 0; b < count; ++b) {
                const std::uint64_t sum = first + metres_[via * count + b];
                auto& known = metres_[a * count + b];
                if (sum < known) known = static_cast<std::uint32_t>(sum);
            }
        }
    }
    for (const std::uint32_t metres : metres_) {
        if (metres != unreachable) maximum_ = std::max(maximum_, fare_of(metres));
    }
}

Money FareTable::fare_of(std::uint32_t metres) const {
    for (const auto& band : bands_) {
        if (!band.up_to_metres || metres <= *band.up_to_metres) return band.fare;
    }
    __builtin_trap();  // make() has seen to it that the last band is open
}

std::optional<Money> FareTable::journey(StationCode from, StationCode to) const {
    const auto a = index_.find(from);
    const auto b = index_.find(to);
    if (a == index_.end() || b == index_.end()) return std::nullopt;
    const std::uint32_t metres = metres_[a->second * index_.size() + b->second];
    if (metres == unreachable) return std::nullopt;
    return fare_of(metres);
}

std::optional<Money> FareTable::single(LineCode line) const {
    const auto found = single_.find(line);
    if (found == single_.end()) return std::nullopt;
    return found->second;
}

Money FareTable::discounted(Money full, CardKind kind) const {
    const auto found = class_percent_.find(kind);
    if (found == class_percent_.end() || found->second == 100) return full;
    const std::uint64_t share = std::uint64_t{full.fen()} * found->second / 100;
    const std::uint64_t rounded = share / round_down_to_fen_ * round_down_to_fen_;
    return Money::from_fen(static_cast<std::uint32_t>(rounded));
}

}  // namespace terminal
