#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/keys/program/city_access.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/rotation_plan.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

constexpr const char* footer = R"(The road of one version, and who walks it:
  rotate prepare    makes version n+1, planned
  deliver           brings it to every host and issuer; hosts accept it from now on
  (SAMs)            purchase and application_lock only: SAMs made from now on have it; replace the others
  rotate activate   new cards get it; refused while a place or a SAM lacks it
  deliver           again: issuers begin to write it into cards
  rotate retire     refused while a card or SAM in use carries the old one
  deliver           again: hosts refuse the old one from now on
  rotate destroy    wipes the old secret; deliver wipes the copies
  rotate plan       at any time: where each key stands and what comes next

  onecard-keys rotate prepare --city-dir city-3100 --custodian first --custodian second --use load --suite sm4

The whole story: docs/rotation.md.)";

struct RotateOptions {
    CityAccess access;
    FleetAccess fleet;
    KeySourceOptions source;
    std::string use;
    std::string suite = "sm4";
    unsigned version = 0;
    std::vector<std::string> confirmed;
    bool json = false;
};

Result<Rotation> rotation_of(const RotateOptions& options) {
    const auto use = parse_key_use(options.use);
    if (!use) {
        return refuse(RefusalKind::input_wrong,
                      "--use " + options.use + " is no use of a key: `tree` shows them");
    }
    const auto algorithm = parse_key_algorithm(options.suite);
    return Rotation{*use, algorithm.value_or(KeyAlgorithm::sm4)};
}

Result<RotationTerms> terms_of(RotateOptions& options) {
    ONECARD_TRY(fleet, options.fleet.open(options.access.city()));
    RotationTerms terms{
        options.access.nation(), fleet, options.fleet.no_chips(), {}, options.fleet.witness()};
    for (const std::string& word : options.confirmed) {
        const auto code = parse_city_code(word);
        if (!code) return refuse(RefusalKind::input_wrong, "--confirmed: four digits expected");
        terms.confirmed.push_back(*code);
    }
    return terms;
}

void report(const RotateOptions& options, KeyVersion version, KeyState state) {
    print(options.json,
          fmt::format("{} {} v{} is {}", options.use, options.suite, version.value(), name(state)),
          json::serialize(json::object{{"use", options.use},
                                       {"suite", options.suite},
                                       {"version", version.value()},
                                       {"state", name(state)}}));
}

Result<void> run_prepare(RotateOptions& options) {
    ONECARD_TRY(rotation, rotation_of(options));
    ONECARD_CHECK(options.source.check());
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    City& city = options.access.city();
    if (city.identity.mark != options.source.mark()) {
        return refuse(RefusalKind::mark_mismatch, std::string{"the city is "} +
                                                      word(city.identity.mark) +
                                                      ": use --rehearsal for rehearsals only");
    }
    // The log's length keeps the streams of two versions apart.
    ONECARD_TRY(source, KeySource::make(options.source,
                                        fmt::format("rotate/{}/{}/{}", options.use, options.suite,
                                                    city.store->log().size())));
    ONECARD_TRY(version, prepare(city, rotation, options.access.nation(), source.random(),
                                 platform::SystemClock{}));
    report(options, version, KeyState::planned);
    return {};
}

Result<void> run_activate(RotateOptions& options) {
    ONECARD_TRY(rotation, rotation_of(options));
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    ONECARD_TRY(terms, terms_of(options));
    ONECARD_TRY(version, activate(options.access.city(), rotation, terms, platform::SystemClock{}));
    report(options, version, KeyState::active);
    return {};
}

using EndStep = Result<void> (*)(City&, const Rotation&, KeyVersion, const RotationTerms&,
                                 const platform::Clock&);

Result<void> run_end(RotateOptions& options, EndStep step, KeyState state) {
    ONECARD_TRY(rotation, rotation_of(options));
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    ONECARD_TRY(terms, terms_of(options));
    const KeyVersion version{static_cast<std::uint8_t>(options.version)};
    ONECARD_CHECK(step(options.access.city(), rotation, version, terms, platform::SystemClock{}));
    report(options, version, state);
    return {};
}
Result<void> run_retire(RotateOptions& options) {
    return run_end(options, retire, KeyState::retired);
}
Result<void> run_destroy(RotateOptions& options) {
    return run_end(options, destroy, KeyState::destroyed);
}

// ---- plan

std::string plan_text(const std::vector<PlanRow>& rows) {
    std::string out = fmt::format("{:<24} {:<5} {:<4} {:<12} {:>8} {:>6}  {}\n", "key", "suite", "",
                                  "state", "cards", "SAMs", "places");
    for (const PlanRow& row : rows) {
        for (const PlanVersion& each : row.versions) {
            const auto counted = [&](std::int64_t ChipCount::* member) {
                return each.carried ? std::to_string((*each.carried).*member) : "?";
            };
            out += fmt::format("{:<24} {:<5} v{:<3} {:<12} {:>8} {:>6}  {}{}\n",
                               name(row.rotation.use), name(row.rotation.algorithm),
                               each.version.value(), name(each.state), counted(&ChipCount::cards),
                               counted(&ChipCount::sams), fmt::join(each.holders, ", "),
                               each.behind.empty()
                                   ? ""
                                   : fmt::format("; behind: {}", fmt::join(each.behind, ", ")));
        }
        if (row.next != "-") out += "    next: " + row.next + "\n";
    }
    out.pop_back();
    return out;
}

json::object version_json(const PlanVersion& each) {
    json::object out{{"version", each.version.value()},
                     {"state", name(each.state)},
                     {"holders", json::array(each.holders.begin(), each.holders.end())},
                     {"behind", json::array(each.behind.begin(), each.behind.end())}};
    if (each.carried) {
        out["cards"] = each.carried->cards;
        out["sams"] = each.carried->sams;
    }
    return out;
}

std::string plan_json(const std::vector<PlanRow>& rows) {
    json::array list;
    for (const PlanRow& row : rows) {
        json::array uses;
        for (const KeyUse use : row.uses) uses.emplace_back(name(use));
        json::array versions;
        for (const PlanVersion& each : row.versions) versions.push_back(version_json(each));
        list.push_back(json::object{{"use", name(row.rotation.use)},
                                    {"suite", name(row.rotation.algorithm)},
                                    {"moves", std::move(uses)},
                                    {"versions", std::move(versions)},
                                    {"next", row.next}});
    }
    return json::serialize(json::object{{"keys", std::move(list)}});
}

Result<void> run_plan(RotateOptions& options) {
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    const City& city = options.access.city();
    ONECARD_TRY(fleet, options.fleet.open(city));
    ONECARD_TRY(known, fold_log(city.store->log()));
    ONECARD_TRY(rows, plan(city.identity.city, held_keys(*city.store), known, fleet));
    print(options.json, plan_text(rows), plan_json(rows));
    return {};
}

// ---- the command line

struct Action {
    const char* name;
    const char* help;
    Result<void> (*run)(RotateOptions&);
    bool names_key;      ///< --use, --suite
    bool names_version;  ///< --version
    bool asks;           ///< --no-chips, --confirmed
    bool draws;          ///< --rehearsal, --seed
};
constexpr std::array actions{
    Action{"plan", "Show each key: versions, states, who has it, who carries it, what is next",
           run_plan, false, false, true, false},
    Action{"prepare", "Make the next version of a key, planned", run_prepare, true, false, false,
           true},
    Action{"activate", "Use the planned version for new cards; the active one only checks",
           run_activate, true, false, true, false},
    Action{"retire", "Stop using an old version (or give up a planned one)", run_retire, true, true,
           true, false},
    Action{"destroy", "Wipe a retired version's secret; its line stays", run_destroy, true, true,
           true, false},
};

void add_action(CLI::App& parent, Run& run, const Action& action) {
    const auto options = std::make_shared<RotateOptions>();
    CLI::App* command = parent.add_subcommand(action.name, action.help);
    command->add_flag("--json", options->json, "Print JSON");
    options->access.add_to(*command);
    if (action.names_key) {
        command->add_option("--use", options->use, "Which key: load, purchase, ...")->required();
        command->add_option("--suite", options->suite, "sm4, 3des or aes")
            ->check(CLI::IsMember({"sm4", "3des", "aes"}))
            ->required();
    }
    if (action.names_version) {
        command->add_option("--version", options->version, "Which version")
            ->required()
            ->check(CLI::Range(1, 254));
    }
    if (action.asks) {
        options->fleet.add_to(*command);
        command->add_option("--confirmed", options->confirmed,
                            "A city of the same nation that said it is ready, 4 digits; once for "
                            "each; the log keeps it");
    }
    if (action.draws) options->source.add_to(*command);
    command->callback([options, &run, step = action.run] {
        run = [options, step] { return status_of(step(*options)); };
    });
}

}  // namespace

void add_rotation_commands(CLI::App& app, Run& run) {
    CLI::App* parent = app.add_subcommand(
        "rotate", "Bring a city's keys from one version to the next, without a gap");
    parent->require_subcommand(1);
    parent->footer(footer);
    for (const Action& action : actions) add_action(*parent, run, action);
}

}  // namespace host::keys
