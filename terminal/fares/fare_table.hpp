#pragma once
// What a ride costs: a pure table, built once from rules that were checked. docs/gate.md, "Fares".
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/transit_card.hpp"

namespace terminal {

using protocol::CardKind;
using protocol::LineCode;
using protocol::Money;
using protocol::StationCode;

struct FareRules {
    struct Stop {
        StationCode station;
        std::uint32_t metres;  ///< along the line, rising
    };
    struct Line {
        LineCode code;
        std::vector<Stop> stops;
    };
    struct Band {
        std::optional<std::uint32_t> up_to_metres;  ///< nothing: any distance; the last band only
        Money fare;
    };
    std::uint32_t version = 0;
    std::uint32_t round_down_to_fen = 1;
    std::vector<Line> lines;
    std::vector<Band> bands;
    std::map<LineCode, Money> single;
    std::map<CardKind, unsigned> class_percent;
};

enum class FareError : std::uint8_t {  // In the order they are checked.
    version_zero,
    rounding_zero,
    percent_above_100,
    fare_too_high,        ///< above `fare_fen_max`: a slip of the keyboard
    bands_not_rising,     ///< distance or fare falls, or repeats a distance
    last_band_not_open,   ///< the last band must have no up_to_metres, and only the last
    line_repeated,        ///< a code twice
    line_too_short,       ///< fewer than two stations
    stations_not_rising,  ///< metres must rise along a line
    station_repeated,     ///< a station twice on one line
    too_many_stations,    ///< above `station_count_max`
    nothing_to_sell,      ///< neither lines nor single fares
};
[[nodiscard]] const char* name(FareError error);

struct FareProblem {
    FareError error;
    std::string where;  ///< "line 2", "band 3", ...
};

constexpr std::uint32_t fare_fen_max = 100'000;
constexpr std::size_t station_count_max = 600;
constexpr std::uint32_t line_metres_max = 2'000'000;

class FareTable {
public:
    [[nodiscard]] static std::expected<FareTable, FareProblem> make(const FareRules& rules);

    [[nodiscard]] std::uint32_t version() const { return version_; }
    /// The full fare by the shortest way; nothing when a station is unknown or cannot be reached.
    [[nodiscard]] std::optional<Money> journey(StationCode from, StationCode to) const;
    [[nodiscard]] std::optional<Money> single(LineCode line) const;
    /// The dearest journey of the network.
    [[nodiscard]] Money maximum() const { return maximum_; }
    [[nodiscard]] bool knows(StationCode station) const { return index_.contains(station); }
    /// What this class pays of a full fare, rounded down in the traveller's favour.
    [[nodiscard]] Money discounted(Money full, CardKind kind) const;

private:
    FareTable() = default;
    void measure(const FareRules& rules);
    [[nodiscard]] Money fare_of(std::uint32_t metres) const;

    std::uint32_t version_ = 0;
    std::uint32_t round_down_to_fen_ = 1;
    std::vector<FareRules::Band> bands_;
    std::map<LineCode, Money> single_;
    std::map<CardKind, unsigned> class_percent_;
    std::map<StationCode, std::size_t> index_;
    std::vector<std::uint32_t> metres_;  // shortest distances, row by row
    Money maximum_;
};

}  // namespace terminal
