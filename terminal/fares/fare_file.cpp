#include "terminal/fares/fare_file.hpp"

namespace terminal {

namespace {

using platform::Config;
using platform::ConfigError;
template <class T>
using Read = platform::ConfigResult<T>;

Read<FareRules::Line> read_line(const Config& table) {
    ONECARD_TRY(code, table.integer("code", 1, 255));  // one byte in file 1A
    ONECARD_TRY(stations, table.integers("stations"));
    ONECARD_TRY(metres, table.integers("metres"));
    if (stations.size() != metres.size()) {
        return std::unexpected{table.failure("metres", ConfigError::wrong_value,
                                             "as many as there are stations expected")};
    }
    FareRules::Line line{LineCode{static_cast<std::uint16_t>(code)}, {}};
    for (std::size_t i = 0; i < stations.size(); ++i) {
        if (stations[i] < 1 || stations[i] > 0xFFFF) {
            return std::unexpected{
                table.failure("stations", ConfigError::out_of_range, "1..65535 expected")};
        }
        if (metres[i] < 0 || metres[i] > line_metres_max) {
            return std::unexpected{
                table.failure("metres", ConfigError::out_of_range, "0..2000000 expected")};
        }
        line.stops.push_back({StationCode{static_cast<std::uint16_t>(stations[i])},
                              static_cast<std::uint32_t>(metres[i])});
    }
    return line;
}

Read<FareRules::Band> read_band(const Config& table) {
    FareRules::Band band;
    ONECARD_TRY(fare, table.integer("fare_fen", 0, fare_fen_max));
    band.fare = Money::from_fen(static_cast<std::uint32_t>(fare));
    if (table.has("up_to_metres")) {
        ONECARD_TRY(metres, table.integer("up_to_metres", 0, line_metres_max));
        band.up_to_metres = static_cast<std::uint32_t>(metres);
    }
    return band;
}

Read<void> read_classes(const Config& file, FareRules& rules) {
    constexpr std::array<std::pair<const char*, CardKind>, 5> classes{
        {{"ordinary", CardKind::ordinary},
         {"student", CardKind::student},
         {"elder", CardKind::elder},
         {"test", CardKind::test},
         {"military", CardKind::military}}};
    for (const auto& [word, kind] : classes) {
        const std::string key = std::string{"class_percent."} + word;
        if (!file.has(key)) continue;
        ONECARD_TRY(percent, file.integer(key, 0, 100));
        rules.class_percent[kind] = static_cast<unsigned>(percent);
    }
    return {};
}

Read<FareRules> read_rules(const Config& file) {
    FareRules rules;
    ONECARD_TRY(version, file.integer("version", 1, 0xFFFF'FFFF));
    ONECARD_TRY(rounding, file.integer_or("round_down_to_fen", 1, 1, 10'000));
    rules.version = static_cast<std::uint32_t>(version);
    rules.round_down_to_fen = static_cast<std::uint32_t>(rounding);
    ONECARD_TRY(lines, file.tables("line"));
    for (const Config& table : lines) {
        ONECARD_TRY(line, read_line(table));
        rules.lines.push_back(line);
    }
    ONECARD_TRY(bands, file.tables("band"));
    for (const Config& table : bands) {
        ONECARD_TRY(band, read_band(table));
        rules.bands.push_back(band);
    }
    ONECARD_TRY(singles, file.tables("single"));
    for (const Config& table : singles) {
        ONECARD_TRY(line, table.integer("line", 1, 0xFFFF));
        ONECARD_TRY(fare, table.integer("fare_fen", 0, fare_fen_max));
        rules.single[LineCode{static_cast<std::uint16_t>(line)}] =
            Money::from_fen(static_cast<std::uint32_t>(fare));
    }
    ONECARD_CHECK(read_classes(file, rules));
    ONECARD_CHECK(file.finish());
    return rules;
}

Read<FareTable> make_table(const Config& file) {
    ONECARD_TRY(rules, read_rules(file));
    auto table = FareTable::make(rules);
    if (!table) {
        return std::unexpected{
            file.failure(table.error().where, ConfigError::wrong_value, name(table.error().error))};
    }
    return std::move(*table);
}

}  // namespace

platform::ConfigResult<FareTable> load_fare_file(const std::filesystem::path& path) {
    ONECARD_TRY(file, Config::load(path));
    return make_table(file);
}

platform::ConfigResult<FareTable> parse_fares(std::string_view text, const std::string& file_name) {
    ONECARD_TRY(file, Config::parse(text, file_name));
    return make_table(file);
}

}  // namespace terminal
