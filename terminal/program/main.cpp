// onecard-terminal: the roles a terminal can have.
#include <CLI/CLI.hpp>

#include "platform/command_line.hpp"
#include "terminal/program/commands.hpp"
#include "terminal/program/gate_config.hpp"

namespace {

void add_common(CLI::App& role, terminal::CommonOptions& options) {
    role.add_option("--config", options.config, "Configuration file (TOML)")
        ->required()
        ->check(CLI::ExistingFile);
    role.add_flag("--json", options.json, "Events as JSON, one a line, on standard output");
    role.add_flag("--rehearsal", options.rehearsal, "Accept throw-away keys, and only those");
    platform::add_passphrase_options(role, options.passphrase);
    platform::add_log_options(role);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"OneCard terminals: what stands between a citizen's card and the clearing house",
                 "onecard-terminal"};
    app.require_subcommand(1);
    terminal::GateOptions gate;
    CLI::App* gate_role = app.add_subcommand("gate", "A transit gate: taps, journal, batches");
    add_common(*gate_role, gate);
    gate_role->add_option("--taps", gate.taps, "Leave after so many taps")
        ->check(CLI::PositiveNumber);
    gate_role->footer(terminal::gate_config_example);

    if (const auto status = platform::parse_command_line(app, argc, argv)) return *status;
    return terminal::run_gate(gate);
}
