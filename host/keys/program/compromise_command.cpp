#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/compromise.hpp"
#include "host/keys/program/city_access.hpp"
#include "host/keys/program/commands.hpp"
#include "platform/files.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

struct CompromiseOptions {
    CityAccess access;
    FleetAccess fleet;
    std::string key;
    std::filesystem::path out;
    bool unmasked = false;
    bool json = false;
};

std::string section(const char* title, const std::vector<std::string>& lines, bool numbered) {
    if (lines.empty()) return {};
    std::string out = std::string{"\n"} + title + "\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out +=
            numbered ? fmt::format("  {}. {}\n", i + 1, lines[i]) : fmt::format("  {}\n", lines[i]);
    }
    return out;
}

std::string drill_text(const DrillReport& report) {
    std::string out =
        fmt::format("{}, {}\nWho has it {}.\n", text(report.key),
                    report.state ? name(*report.state) : "in no store that is open", report.opens);
    out += section("Made from it:", report.derived, false);
    out += section("Stores that hold it:", report.places, false);
    out += section("Certificates under it:", report.certificates, false);
    if (report.in_use && report.ever) {
        out += fmt::format(
            "\nChips that carry it: {} cards and {} SAMs in use; {} cards and {} SAMs ever\n",
            report.in_use->cards, report.in_use->sams, report.ever->cards, report.ever->sams);
    } else if (!report.chip_keys.empty()) {
        out += "\nChips that carry it: not counted\n";
    }
    out += section("What to do, in this order:", report.steps, true);
    out.pop_back();
    return out;
}

json::array array_of(const std::vector<std::string>& lines) {
    return json::array(lines.begin(), lines.end());
}
json::object count_json(const ChipCount& count) {
    return {{"cards", count.cards}, {"sams", count.sams}};
}

std::string drill_json(const DrillReport& report) {
    json::object out{{"key", text(report.key)},
                     {"opens", report.opens},
                     {"derived", array_of(report.derived)},
                     {"places", array_of(report.places)},
                     {"certificates", array_of(report.certificates)},
                     {"steps", array_of(report.steps)}};
    if (report.state) out["state"] = name(*report.state);
    if (report.in_use) out["in_use"] = count_json(*report.in_use);
    if (report.ever) out["ever"] = count_json(*report.ever);
    return json::serialize(out);
}

Result<DrillScene> scene_of(CityAccess& access, FleetView* fleet) {
    const City& city = access.city();
    ONECARD_TRY(known, fold_log(city.store->log()));
    DrillScene scene{city.identity.city, held_keys(*city.store), std::move(known), {}, fleet};
    if (access.nation() == nullptr) return scene;
    ONECARD_TRY(nation, fold_log(access.nation()->store->log()));
    scene.nation_log = std::move(nation);
    scene.city_keys.merge(held_keys(*access.nation()->store));
    return scene;
}

Result<void> write_carriers(const CompromiseOptions& options, const DrillReport& report,
                            FleetView* fleet) {
    if (options.out.empty()) return {};
    if (fleet == nullptr) {
        return refuse(RefusalKind::fleet_unknown, "--out: which chips carry it is not known");
    }
    ONECARD_TRY(list, list_carriers(report, *fleet, options.unmasked));
    return write_new_file(options.out, list);
}

Result<void> run_compromise(CompromiseOptions& options) {
    const auto key = parse_key_name(options.key);
    if (!key) {
        return refuse(
            RefusalKind::input_wrong,
            "--key: \"label use algorithm vN\" expected, as in \"city/3100 load sm4 v1\"");
    }
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    ONECARD_TRY(fleet, options.fleet.open(options.access.city()));
    ONECARD_TRY(scene, scene_of(options.access, fleet));
    ONECARD_TRY(report, drill(*key, scene));
    ONECARD_CHECK(write_carriers(options, report, fleet));
    print(options.json, drill_text(report), drill_json(report));
    return {};
}

}  // namespace

void add_compromise_command(CLI::App& app, Run& run) {
    const auto options = std::make_shared<CompromiseOptions>();
    CLI::App* command = app.add_subcommand(
        "compromise",
        "A key is in the wrong hands: everything it touches, and what to do. Changes nothing");
    command
        ->add_option("--key", options->key,
                     "The key as `audit show` writes it: \"city/3100 load sm4 v1\", \"national "
                     "purchase sm4 v1\", \"city/3100 certificate_authority p256 v1\"")
        ->required();
    command->add_option("--out", options->out,
                        "File to write: every card and SAM that ever carried it, CSV");
    command->add_flag("--unmasked", options->unmasked, "With --out: whole card numbers");
    command->add_flag("--json", options->json, "Print JSON");
    options->access.add_to(*command);
    options->fleet.add_to(*command);
    command->callback(
        [options, &run] { run = [options] { return status_of(run_compromise(*options)); }; });
}

}  // namespace host::keys
