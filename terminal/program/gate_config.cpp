#include "terminal/program/gate_config.hpp"

#include "platform/mask.hpp"

namespace terminal {

using platform::Config;
using platform::ConfigError;
using platform::ConfigResult;

const char* const gate_config_example = R"(An example of gate.toml:
  deployment = "gate-3100000000000101"   # directory from `onecard-keys deploy terminal`
  journal = "gate.journal"
  fares = "fares.toml"                   # docs/gate.md, "Fares"
  mode = "exit"                          # entry, exit, single
  line = 1
  station = 103
  industry = 1                           # the city's code for file 1E
  operator_code = 1
  accepted_cities = ["3200"]             # beside our own
  without_hot_list = "refuse"            # or accept
  stale_lists = "refuse"                 # or accept: revocation lists past their nextUpdate
  [reader]
  card = "OneCard Virtual Reader 00 00 00"
  sam = "OneCard Virtual Reader 00 00 01"
  [host]
  address = "127.0.0.1"
  port = 7443
  [batch]                                # optional, with these defaults
  records_max = 500
  age_seconds = 300
Lines on standard input: flush (cut and send what waits), status, quit.)";

namespace {

ConfigResult<std::uint32_t> seconds(const Config& file, std::string_view key,
                                    std::uint32_t otherwise) {
    ONECARD_TRY(value, file.integer_or(key, otherwise, 1, 86'400));
    return static_cast<std::uint32_t>(value);
}

ConfigResult<GateMode> read_mode(const Config& file) {
    ONECARD_TRY(word, file.text("mode"));
    if (word == "entry") return GateMode::entry;
    if (word == "exit") return GateMode::exit;
    if (word == "single") return GateMode::single;
    return std::unexpected{
        file.failure("mode", ConfigError::wrong_value, "entry, exit or single expected")};
}

ConfigResult<std::vector<CityCode>> read_cities(const Config& file) {
    std::vector<CityCode> cities;
    if (!file.has("accepted_cities")) return cities;
    ONECARD_TRY(texts, file.texts("accepted_cities"));
    for (const std::string& text : texts) {
        const auto bytes = platform::from_hex<2>(text);
        if (!bytes || !protocol::is_bcd(*bytes)) {
            return std::unexpected{
                file.failure("accepted_cities", ConfigError::wrong_value, "four digits expected")};
        }
        cities.emplace_back(static_cast<std::uint16_t>((*bytes)[0] << 8 | (*bytes)[1]));
    }
    return cities;
}

ConfigResult<GateProfile> read_profile(const Config& file) {
    GateProfile gate;
    ONECARD_TRY(mode, read_mode(file));
    ONECARD_TRY(line, file.integer("line", 1, mode == GateMode::single ? 0xFFFF : 0xFF));
    ONECARD_TRY(station, file.integer("station", 1, 0xFFFF));
    ONECARD_TRY(industry, file.integer_or("industry", 1, 0, 0xFF));
    ONECARD_TRY(operator_code, file.integer_or("operator_code", 0, 0, 0xFFFF));
    ONECARD_TRY(cities, read_cities(file));
    ONECARD_TRY(without_list, file.text_or("without_hot_list", "refuse"));
    if (without_list != "refuse" && without_list != "accept") {
        return std::unexpected{file.failure("without_hot_list", ConfigError::wrong_value,
                                            "refuse or accept expected")};
    }
    ONECARD_TRY(minutes, file.integer_or("journey_minutes_max", 240, 1, 1440));
    ONECARD_TRY(proof_seconds, file.integer_or("proof_opens_seconds", 600, 0, 86'400));
    gate.mode = mode;
    gate.line = LineCode{static_cast<std::uint16_t>(line)};
    gate.station = StationCode{static_cast<std::uint16_t>(station)};
    gate.industry = static_cast<std::uint8_t>(industry);
    gate.operator_code = static_cast<std::uint16_t>(operator_code);
    gate.accepted_cities = cities;
    gate.without_hot_list =
        without_list == "accept" ? WithoutHotList::accept : WithoutHotList::refuse;
    gate.journey_minutes_max = static_cast<std::uint32_t>(minutes);
    gate.proof_opens_seconds = static_cast<std::uint32_t>(proof_seconds);
    return gate;
}

ConfigResult<UploadRules> read_upload(const Config& file) {
    UploadRules rules;
    ONECARD_TRY(records, file.integer_or("batch.records_max", rules.batch.records_max, 1,
                                         protocol::BatchHeader::record_count_max));
    ONECARD_TRY(age, seconds(file, "batch.age_seconds", rules.batch.age_seconds));
    ONECARD_TRY(list, seconds(file, "upload.hot_list_seconds", rules.hot_list_seconds));
    ONECARD_TRY(shared, seconds(file, "upload.unresolved_seconds", rules.unresolved_seconds));
    ONECARD_TRY(result, seconds(file, "upload.result_seconds", rules.result_seconds));
    ONECARD_TRY(retry_min, seconds(file, "upload.retry_seconds_min", rules.retry_seconds_min));
    ONECARD_TRY(retry_max, seconds(file, "upload.retry_seconds_max", rules.retry_seconds_max));
    ONECARD_TRY(keep, file.integer_or("upload.keep_days", rules.keep_days, 1, 3650));
    rules.batch.records_max = static_cast<std::uint32_t>(records);
    rules.batch.age_seconds = age;
    rules.hot_list_seconds = list;
    rules.unresolved_seconds = shared;
    rules.result_seconds = result;
    rules.retry_seconds_min = retry_min;
    rules.retry_seconds_max = retry_max;
    rules.keep_days = static_cast<std::uint32_t>(keep);
    return rules;
}

}  // namespace

ConfigResult<HostAddress> read_host(const Config& file, std::string_view table) {
    const std::string prefix{table};
    ONECARD_TRY(address, file.text(prefix + ".address"));
    ONECARD_TRY(port, file.integer(prefix + ".port", 1, 65535));
    return HostAddress{address, static_cast<std::uint16_t>(port)};
}

ConfigResult<platform::StaleLists> read_stale_lists(const Config& file) {
    ONECARD_TRY(word, file.text_or("stale_lists", "refuse"));
    const auto parsed = platform::parse_stale_lists(word);
    if (!parsed) {
        return std::unexpected{
            file.failure("stale_lists", ConfigError::wrong_value, "refuse or accept expected")};
    }
    return *parsed;
}

ConfigResult<GateConfig> parse_gate_config(const Config& file) {
    GateConfig config;
    ONECARD_TRY(deployment, file.path("deployment"));
    ONECARD_TRY(journal, file.path("journal"));
    ONECARD_TRY(fares, file.path("fares"));
    ONECARD_TRY(profile, read_profile(file));
    ONECARD_TRY(card_reader, file.text("reader.card"));
    ONECARD_TRY(sam_reader, file.text("reader.sam"));
    ONECARD_TRY(host, read_host(file, "host"));
    ONECARD_TRY(upload, read_upload(file));
    ONECARD_TRY(stale_lists, read_stale_lists(file));
    ONECARD_CHECK(file.finish());
    config.deployment = deployment;
    config.journal = journal;
    config.fares = fares;
    config.profile = profile;
    config.stale_lists = stale_lists;
    config.card_reader = card_reader;
    config.sam_reader = sam_reader;
    config.host = host;
    config.upload = upload;
    return config;
}

ConfigResult<GateConfig> load_gate_config(const std::filesystem::path& path) {
    ONECARD_TRY(file, Config::load(path));
    return parse_gate_config(file);
}

}  // namespace terminal
