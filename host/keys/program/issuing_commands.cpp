// `onecard-keys issuing`: lines in, counts and the registry out. Serving: issuing_serve.cpp; the
// life of a chip: issuing_life.cpp.
#include <iostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "crypto/core/sm3.hpp"
#include "host/keys/issuing_audit.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/issuing_options.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {

namespace {

constexpr std::size_t csv_size_max = 2ULL * 1024 * 1024 * 1024;
constexpr std::size_t deployment_size_max = 64 * 1024;

const platform::Clock& wall_clock() {
    static const platform::SystemClock clock;
    return clock;
}

/// For a person who watches; nothing when standard error is a file.
IssueStore::Progress progress_on_terminal() {
    if (::isatty(STDERR_FILENO) != 1) return {};
    return [](std::size_t done, std::size_t all) {
        std::cerr << fmt::format("\r{} of {} lines", done, all) << (done == all ? "\n" : "")
                  << std::flush;
    };
}

/// Two custodians of the city stand behind every SAM that is ordered: docs/keys.md, 6. Their log
/// has it before the state has, and import goes on where it was cut off, with them again.
Result<void> order_sams(IssuingOptions& options, const std::vector<IssueOrder>& orders,
                        const Issuer& issuer) {
    std::int64_t sams = 0;
    std::string lines;  // of SAMs alone: cards' lines have PINs, which a digest would give away
    for (const IssueOrder& order : orders) {
        if (kind_of(order) != ChipKind::sam) continue;
        ++sams;
        lines += to_csv(order) + "\n";
    }
    if (sams == 0) return {};
    const crypto::Bytes bytes{reinterpret_cast<const std::uint8_t*>(lines.data()), lines.size()};
    const auto identity = issuer.keys->identity();
    const std::string detail = boost::json::serialize(
        boost::json::object{{"issuer", platform::to_hex(identity.id)},
                            {"sams", sams},
                            {"lines", platform::to_hex(crypto::sm3(bytes))}});
    return options.approval.give(command(wall_clock(), "order-sams", detail), identity,
                                 *issuer.random);
}

Result<void> run_import(IssuingOptions& options) {
    ONECARD_TRY(csv, read_text(options.lines, csv_size_max));
    ONECARD_TRY(orders, parse_orders(csv, options.lines.string()));
    ONECARD_TRY(issuer, open_issuer(options));
    ONECARD_CHECK(order_sams(options, orders, issuer));
    ONECARD_TRY(state, open_state(options, issuer));
    ONECARD_TRY(added, state.import(orders, person(options), progress_on_terminal()));
    print(options.json,
          fmt::format("{} lines read, {} new, {} there already", orders.size(), added,
                      static_cast<std::int64_t>(orders.size()) - added),
          boost::json::serialize(boost::json::object{{"lines", orders.size()}, {"new", added}}));
    return {};
}

Result<void> run_status(const IssuingOptions& options) {
    ONECARD_TRY(state, open_state(options));
    ONECARD_TRY(counts, state.counts());
    ONECARD_TRY(told, state.told());
    ONECARD_TRY(last, state.registry(told, [](const std::string&) {}));
    std::string text;
    boost::json::object out;
    for (std::uint8_t number = 1; number <= chip_state_last; ++number) {
        const auto is = static_cast<ChipState>(number);
        text += fmt::format("{} {}, ", name(is), counts.of(is));
        out[name(is)] = counts.of(is);
    }
    out["host_waits_for"] = last - told;
    print(options.json, text + fmt::format("{} for the host", last - told),
          boost::json::serialize(out));
    return {};
}

Result<void> run_registry(const IssuingOptions& options) {
    ONECARD_TRY(state, open_state(options));
    if (!options.registry.empty()) return write_registry(state, options.registry);
    ONECARD_CHECK(state.registry(0, [](const std::string& entry) { std::cout << entry << '\n'; }));
    return {};
}

using Action = std::function<Result<void>(IssuingOptions&)>;

CLI::App* add_action(CLI::App& issuing, const std::shared_ptr<IssuingOptions>& options, Run& run,
                     const char* action_name, const char* help, const Action& action) {
    CLI::App* command = issuing.add_subcommand(action_name, help);
    command->add_option("--deployment", options->deployment, "The issuer's deployed directory")
        ->required();
    command->add_option("--state", options->state, "SQLite file with the lines and their chips")
        ->required();
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run, action] {
        run = [options, action] { return status_of(action(*options)); };
    });
    return command;
}

void add_chip(CLI::App& command, IssuingOptions& options) {
    command.add_option("--kind", options.kind, "card or sam")
        ->check(CLI::IsMember({"card", "sam"}));
    command.add_option("--number", options.number, "Its number, 20 digits")->required();
}
void add_by(CLI::App& command, IssuingOptions& options) {
    command.add_option("--by", options.by, "Who says so; default: the name of this account");
    platform::add_passphrase_options(command, options.passphrase);
}

void add_steps(CLI::App& issuing, const std::shared_ptr<IssuingOptions>& options, Run& run) {
    struct Step {
        const char* name;
        const char* help;
        ChipStep step;
    };
    for (const Step& step :
         {Step{"activate", "A chip was handed over, or put into service", ChipStep::activate},
          Step{"lost", "A chip was lost: it goes on the hot list", ChipStep::lose},
          Step{"found", "A lost chip is back: it leaves the hot list", ChipStep::find},
          Step{"block", "A chip must never be used again: hot list, and a desk may block it",
               ChipStep::block},
          Step{"retire", "The end of a chip, or of an order without one", ChipStep::retire}}) {
        CLI::App* command = add_action(
            issuing, options, run, step.name, step.help,
            [step](const IssuingOptions& chosen) { return run_step(chosen, step.step); });
        add_chip(*command, *options);
        add_by(*command, *options);
        command->add_option("--reason", options->reason,
                            "lost, stolen, returned, fraud or expired");
        command->add_option("--since", options->since,
                            "YYYYMMDDhhmmss: refuse it from here on; default: now");
    }
}

void add_questions(CLI::App& issuing, const std::shared_ptr<IssuingOptions>& options, Run& run) {
    add_chip(
        *add_action(issuing, options, run, "history", "What happened to one chip", run_history),
        *options);
    CLI::App* inventory = add_action(issuing, options, run, "inventory",
                                     "Every chip with its state and keys", run_inventory);
    inventory->add_option("--kind", options->only_kind, "Only card or sam")
        ->check(CLI::IsMember({"card", "sam"}));
    inventory->add_option("--state-is", options->only_state, "Only chips in this state");
    inventory->add_option("--key-version", options->key_version,
                          "Only chips with a key of this version");
    inventory->add_flag("--unmasked", options->unmasked, "Whole card numbers");
}

}  // namespace

Result<Deployment> read_issuer(const std::filesystem::path& directory) {
    const auto path = directory / deployment_file;
    ONECARD_TRY(text, read_text(path, deployment_size_max));
    ONECARD_TRY(deployment, parse_deployment(text, path.string()));
    if (deployment.role != platform::PeerRole::issuer) {
        return refuse(
            RefusalKind::input_wrong,
            path.string() + ": is of a " + platform::name(deployment.role) + ", not of an issuer");
    }
    return deployment;
}

Result<std::string> read_text(const std::filesystem::path& path, std::size_t size_max) {
    auto text = platform::read_text_file(path, size_max);
    if (!text) return refuse(RefusalKind::file_failed, text.error().detail);
    return *std::move(text);
}

Result<IssueStore> open_state(const IssuingOptions& options) {
    ONECARD_TRY(deployment, read_issuer(options.deployment));
    return IssueStore::open_to_read(options.state, deployment.mark, deployment.city, wall_clock());
}

Result<Issuer> open_issuer(const IssuingOptions& options) {
    ONECARD_TRY(deployment, read_issuer(options.deployment));
    ONECARD_TRY(random, system_random());
    Issuer issuer{std::move(deployment), std::make_unique<crypto::SystemRandom>(std::move(random)),
                  nullptr};
    ONECARD_TRY(words, passphrase(options.passphrase));
    ONECARD_TRY(keys, open_store(options.deployment / store_file, words.bytes(), *issuer.random));
    if (mark_of(*keys) != issuer.deployment.mark) {
        return refuse(RefusalKind::mark_mismatch, "the key store and deployment.json disagree");
    }
    issuer.keys = std::move(keys);
    return issuer;
}

Result<IssueStore> open_state(const IssuingOptions& options, const Issuer& issuer) {
    ONECARD_TRY(seal, PinSeal::of(*issuer.keys, *issuer.random));
    return IssueStore::open(options.state, issuer.deployment.mark, issuer.deployment.city,
                            wall_clock(), audit_hook(*issuer.keys, wall_clock()), std::move(seal));
}

Result<void> write_registry(IssueStore& state, const std::filesystem::path& file) {
    std::string text;
    ONECARD_CHECK(state.registry(0, [&](const std::string& entry) { text += entry + "\n"; }));
    const auto written = platform::replace_file(file, std::string_view{text});
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return {};
}

void add_issuing_commands(CLI::App& app, Run& run) {
    const auto options = std::make_shared<IssuingOptions>();
    CLI::App* issuing = app.add_subcommand(
        "issuing", "Issue cards and SAMs, and follow them to their end (docs/issuing.md)");
    issuing->require_subcommand(1);
    CLI::App* import = add_action(*issuing, options, run, "import",
                                  "Take issue lines from a CSV file", run_import);
    import->add_option("--lines", options->lines, "CSV file, columns in docs/keys.md, 5")
        ->required();
    options->approval.add_to(*import);
    add_by(*import, *options);
    add_action(*issuing, options, run, "status", "Count the lines", run_status);
    add_action(*issuing, options, run, "registry", "Print what was issued, for onecard-host",
               run_registry)
        ->add_option("--out", options->registry, "Write this file instead of printing");
    CLI::App* release = add_action(*issuing, options, run, "release",
                                   "Give a line whose chip is scrap to another chip", run_release);
    add_chip(*release, *options);
    add_by(*release, *options);
    add_steps(*issuing, options, run);
    add_questions(*issuing, options, run);
    CLI::App* serve =
        add_action(*issuing, options, run, "serve", "Answer desks until SIGTERM", run_serve);
    serve->add_option("--listen", options->address, "Address");
    serve->add_option("--port", options->port, "Port; 0: the system chooses, the output tells");
    serve->add_option("--registry", options->registry, "Keep this registry file up to date");
    serve->add_option("--host", options->host_address,
                      "Address of the city's host: it is told of each card and SAM at once");
    serve->add_option("--host-port", options->host_port, "Its port");
    platform::add_passphrase_options(*serve, options->passphrase);
}

}  // namespace host::keys
