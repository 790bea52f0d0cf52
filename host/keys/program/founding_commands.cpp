#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "host/keys/founding.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

struct NationOptions {
    std::filesystem::path directory;
    KeySourceOptions source;
    CustodianOptions custodians;
    bool json = false;
};

Result<void> run_found_nation(NationOptions& options) {
    ONECARD_TRY(source, KeySource::make(options.source, "nation"));
    ONECARD_TRY(custodians, options.custodians.read());
    const auto roots = draw_national_roots(source.random());
    ONECARD_CHECK(found_nation({options.directory, custodians, options.source.mark()}, roots,
                               R"({"roots":"drawn"})", source.random(), platform::SystemClock{}));
    const std::string mark = word(options.source.mark());
    print(options.json, "founded a " + mark + " nation in " + options.directory.string(),
          boost::json::serialize(
              boost::json::object{{"directory", options.directory.string()}, {"mark", mark}}));
    return {};
}

struct CityOptions {
    std::filesystem::path directory;
    std::filesystem::path nation;
    std::string city;
    std::string issuer;
    KeySourceOptions source;
    CustodianOptions custodians;
    CustodianOptions nation_custodians;
    bool again = false;
    bool json = false;
};

Result<void> run_found_city(CityOptions& options) {
    const auto city = parse_city_code(options.city);
    if (!city || city->value() == 0) {
        return refuse(RefusalKind::input_wrong, "--city: four digits expected, not 0000");
    }
    const auto issuer = platform::from_hex<8>(options.issuer);
    if (!issuer || !protocol::is_bcd(*issuer) || *issuer == std::array<std::uint8_t, 8>{}) {
        return refuse(RefusalKind::input_wrong, "--issuer: 16 digits expected, not all zero");
    }
    ONECARD_TRY(source, KeySource::make(options.source, "city/" + options.city));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(nation_custodians, options.nation_custodians.read());
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(nation, open_nation(options.nation, nation_custodians.people, nonces));
    ONECARD_TRY(
        identity,
        found_city({options.directory, custodians, options.source.mark(), options.again}, nation,
                   *city, protocol::IssuerId{*issuer}, source.random(), platform::SystemClock{}));
    print(options.json,
          std::string{"founded the "} + word(identity.mark) + " city " + city_digits(*city) +
              " in " + options.directory.string(),
          to_json(identity));
    return {};
}

struct ChipMakerOptions {
    std::filesystem::path city;
    std::filesystem::path file;
    std::string kind = "card";
    std::string suite = "sm4";
    CustodianOptions custodians;
    bool json = false;
};

struct ChipMakerFile {
    std::string content;  ///< secret
    std::string detail;   ///< for the log: what it holds, and no key
    std::string key;
    std::string check;
};
/// The first line: the key, then what it is; who reads the key stops at the space.
Result<ChipMakerFile> chip_maker_file(const City& city, const KeyName& name) {
    ONECARD_TRY(key, reveal_purse(*city.store, name));
    const auto id = city.store->find(name);
    const auto check = id ? city.store->check_value(*id) : std::unexpected{id.error()};
    if (!check) return store_refusal(text(name), check.error());
    ChipMakerFile file;
    file.key = text(name);
    file.check = platform::to_hex(*check);
    file.content = platform::to_hex(key.value.bytes()) + " " + word(city.identity.mark) + " " +
                   file.key + "\n";
    const auto digest = crypto::sm3(
        {reinterpret_cast<const std::uint8_t*>(file.content.data()), file.content.size()});
    file.detail = boost::json::serialize(boost::json::object{{"key", file.key},
                                                             {"check", file.check},
                                                             {"mark", word(city.identity.mark)},
                                                             {"file", platform::to_hex(digest)}});
    return file;
}

/// Virtual chips need a maker: only throw-away masters may leave a store in clear.
Result<void> run_chip_maker(ChipMakerOptions& options) {
    if (std::filesystem::exists(options.file)) {
        return refuse(RefusalKind::target_exists, options.file.string() + ": is there already");
    }
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(city, open_city(options.city, custodians.people, nonces));
    if (city.identity.mark != Mark::rehearsal) {
        return refuse(RefusalKind::mark_mismatch,
                      "transport masters leave rehearsal stores only: a live one goes to the chip "
                      "maker as a key block");
    }
    const KeyUse use = options.kind == "card" ? KeyUse::card_transport : KeyUse::sam_transport;
    const Suite suite = options.suite == "sm4" ? Suite::sm4 : Suite::triple_des;
    ONECARD_TRY(file,
                chip_maker_file(city, crypto::keys::city_key(city.identity.city, use, suite)));
    ONECARD_CHECK(record(*city.store, command(platform::SystemClock{}, "chip-maker", file.detail)));
    const auto written = write_new_file(options.file, file.content);
    crypto::wipe({reinterpret_cast<std::uint8_t*>(file.content.data()), file.content.size()});
    ONECARD_CHECK(written);
    print(options.json,
          "wrote " + file.key + " (" + word(city.identity.mark) + ", check value " + file.check +
              ") in clear to " + options.file.string(),
          boost::json::serialize(boost::json::object{{"file", options.file.string()},
                                                     {"key", file.key},
                                                     {"check", file.check},
                                                     {"mark", word(city.identity.mark)}}));
    return {};
}

void add_nation(CLI::App& app, Run& run) {
    const auto options = std::make_shared<NationOptions>();
    CLI::App* command = app.add_subcommand(
        "found-nation", "Make the national store: purchase and lock roots, the TLS root");
    command->add_option("--dir", options->directory, "Directory to make")->required();
    command->add_flag("--json", options->json, "Print JSON");
    options->source.add_to(*command);
    options->custodians.add_new_to(*command, "nation");
    options->custodians.add_token_to(*command);
    command->callback([options, &run] { run = runner(options, run_found_nation); });
}

void add_city(CLI::App& app, Run& run) {
    const auto options = std::make_shared<CityOptions>();
    CLI::App* command = app.add_subcommand(
        "found-city", "Make a city's store: its masters, its TLS authority, its SM2 keys");
    command->add_option("--dir", options->directory, "Directory to make")->required();
    command->add_option("--nation", options->nation, "The nation's directory")->required();
    command->add_option("--city", options->city, "City code, 4 digits")->required();
    command->add_option("--issuer", options->issuer, "Issuer id, 16 digits")->required();
    command->add_flag("--again", options->again,
                      "This city's first founding was cut off, or its store is lost for good");
    command->add_flag("--json", options->json, "Print JSON: city.json");
    options->source.add_to(*command);
    options->custodians.add_new_to(*command, "city");
    options->custodians.add_token_to(*command);
    options->nation_custodians.add_to(*command, "nation", "nation-");
    command->callback([options, &run] { run = runner(options, run_found_city); });
}

void add_chip_maker(CLI::App& app, Run& run) {
    const auto options = std::make_shared<ChipMakerOptions>();
    CLI::App* command = app.add_subcommand(
        "chip-maker",
        "Rehearsals only: write the transport master that virtual chips are made "
        "with (onecard-card --transport-master)");
    command->add_option("--city-dir", options->city, "The city's directory")->required();
    command
        ->add_option("--out", options->file,
                     "File to make: one line, 32 hex digits, the mark, the key's name")
        ->required();
    command->add_flag("--json", options->json, "Print JSON");
    command->add_option("--kind", options->kind, "card or sam")
        ->check(CLI::IsMember({"card", "sam"}));
    command->add_option("--suite", options->suite, "sm4 or 3des")
        ->check(CLI::IsMember({"sm4", "3des"}));
    options->custodians.add_to(*command, "city");
    command->callback([options, &run] { run = runner(options, run_chip_maker); });
}

}  // namespace

void add_founding_commands(CLI::App& app, Run& run) {
    add_nation(app, run);
    add_city(app, run);
    add_chip_maker(app, run);
}

}  // namespace host::keys
