// onecard-host: the clearing house of one city. docs/host.md.
#include <functional>

#include <CLI/CLI.hpp>

#include "host/program/commands.hpp"
#include "platform/command_line.hpp"
#include "platform/log.hpp"
#include "platform/process.hpp"

namespace {

using namespace host::program;
using Run = std::function<int()>;

constexpr const char* date_help = "YYYYMMDD; default: the open day";

void add_common(CLI::App& command, CommonOptions& options) {
    command.add_option("--config", options.config, "Configuration file (TOML)")
        ->required()
        ->check(CLI::ExistingFile);
    command.add_flag("--rehearsal", options.rehearsal, "Accept throw-away keys, and only those");
    command.add_flag("--json", options.json, "JSON on standard output");
    platform::add_passphrase_options(command, options.passphrase);
    platform::add_log_options(command);
}

template <class Options>
CLI::App* add(CLI::App& parent, const char* name, const char* what, Options& options, Run& run,
              int (*command)(const Options&)) {
    CLI::App* const out = parent.add_subcommand(name, what);
    add_common(*out, options);
    out->callback(
        [&run, &options, command] { run = [&options, command] { return command(options); }; });
    return out;
}

int serve_command(const CommonOptions& options) {
    return serve(options);
}

struct AllOptions {
    CommonOptions serve, verify, status;
    DayOptions close, net, show;
    RegisterOptions files;
    OperatorOptions an_operator;
    HotOptions hot, publish;
    ReportCommandOptions report;
    TraceOptions trace;
};

void add_day_commands(CLI::App& app, AllOptions& all, Run& run) {
    CLI::App* const day = app.add_subcommand("day", "The business day: close, net, show");
    day->require_subcommand(1);
    CLI::App* const close = add(*day, "close", "Cut off the open day", all.close, run, close_day);
    close->add_option("--date", all.close.date, date_help);
    close->add_option("--wait", all.close.wait_seconds, "Seconds to wait until it is netted");
    close->add_flag("--settle", all.close.settle, "Then book the settlement lines as paid");
    CLI::App* const net =
        add(*day, "net", "Wait until a closed day is netted", all.net, run, net_day);
    net->add_option("--date", all.net.date, "YYYYMMDD")->required();
    net->add_option("--wait", all.net.wait_seconds, "Seconds to wait");
    net->add_flag("--settle", all.net.settle, "Then book the settlement lines as paid");
    CLI::App* const show =
        add(*day, "show", "State, positions and settlement lines", all.show, run, show_day);
    show->add_option("--date", all.show.date, date_help);
}

void add_register_commands(CLI::App& app, AllOptions& all, Run& run) {
    CLI::App* const files = add(
        app, "register", "Import cards, SAMs (issuing registry) and terminals (deployment.json)",
        all.files, run, import_register);
    files->add_option("files", all.files.files, "Files to import")
        ->required()
        ->check(CLI::ExistingFile);
    CLI::App* const an_operator =
        add(app, "operator", "Name an operator of this city", all.an_operator, run, add_operator);
    an_operator->add_option("--id", all.an_operator.id, "16 digits")->required();
    an_operator->add_option("--name", all.an_operator.display_name, "For reports")->required();
}

void add_hot_list_commands(CLI::App& app, AllOptions& all, Run& run) {
    CLI::App* const list = app.add_subcommand("hot-list", "Cards and SAMs to be refused");
    list->require_subcommand(1);
    CLI::App* const entries =
        add(*list, "add", "Add entries; they bind nobody before `publish`", all.hot, run, add_hot);
    entries->add_option("--card", all.hot.cards, "Card number, 20 digits; repeatable");
    entries->add_option("--sam", all.hot.sams, "SAM number, 20 digits; repeatable");
    entries->add_option("--reason", all.hot.reason, "lost, stolen, returned, fraud, expired");
    entries->add_option("--since", all.hot.since, "YYYYMMDDhhmmss; default: now");
    CLI::App* const publish =
        add(*list, "publish", "Sign and publish the next list", all.publish, run, publish_hot);
    publish->add_option("--effective", all.publish.effective, "YYYYMMDDhhmmss; default: now");
}

}  // namespace

int main(int argc, char** argv) {
    const platform::Hardening hardening = platform::harden_process(false);
    CLI::App app{"OneCard clearing house of one city: batches, loads, ledger, settlement",
                 program_name};
    app.footer(config_example);
    app.require_subcommand(1);
    AllOptions all;
    Run run;
    add(app, "serve", "Serve terminals and other cities until SIGTERM", all.serve, run,
        serve_command);
    add_day_commands(app, all, run);
    add_register_commands(app, all, run);
    add_hot_list_commands(app, all, run);
    CLI::App* const report_command =
        add(app, "report", "Outcomes, days, accounts, cards, exceptions", all.report, run, report);
    report_command->add_flag("--full-numbers", all.report.full_numbers,
                             "Card numbers whole, for a match with the cards themselves");
    report_command->add_option("--out", all.report.out, "Write the JSON to this file");
    CLI::App* const ledger = app.add_subcommand("ledger", "The book");
    ledger->require_subcommand(1);
    add(*ledger, "verify", "Recompute chain, totals and cards from the postings", all.verify, run,
        verify_ledger);
    CLI::App* const trace_command = add(
        app, "trace", "One debit from its record to the settlement line", all.trace, run, trace);
    trace_command->add_option("id", all.trace.id, "CITY-TERMINAL-SEQUENCE, as reports write it")
        ->required();
    add(app, "status", "Days that are not settled and what they wait for", all.status, run, status);
    if (const auto status_code = platform::parse_command_line(app, argc, argv)) {
        return *status_code;
    }
    if (!hardening.core_dumps_off) platform::log_warning("core_dumps_on");
    return run();
}
