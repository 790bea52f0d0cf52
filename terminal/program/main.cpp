// onecard-terminal: the roles a terminal can have.
#include <CLI/CLI.hpp>

#include "platform/command_line.hpp"
#include "terminal/program/commands.hpp"
#include "terminal/program/gate_config.hpp"
#include "terminal/program/kiosk_parts.hpp"

namespace {

constexpr std::int64_t load_fen_max = 10'000'000;

CLI::App* add_role(CLI::App& app, const char* name, const char* what, const char* example,
                   terminal::CommonOptions& options) {
    CLI::App* role = app.add_subcommand(name, what);
    role->add_option("--config", options.config, "Configuration file (TOML)")
        ->required()
        ->check(CLI::ExistingFile);
    role->add_flag("--json", options.json, "Events as JSON, one a line, on standard output");
    role->add_flag("--rehearsal", options.rehearsal, "Accept throw-away keys, and only those");
    platform::add_passphrase_options(*role, options.passphrase);
    platform::add_log_options(*role);
    role->footer(example);
    return role;
}

void add_amounts(CLI::App& role, std::int64_t& amount_fen, std::filesystem::path& amounts) {
    role.add_option("--amount", amount_fen, "Load every card with so many fen")
        ->check(CLI::Range(std::int64_t{1}, load_fen_max));
    role.add_option("--amounts", amounts,
                    "File of lines `card number,fen`: each card named there is loaded once")
        ->check(CLI::ExistingFile);
}

void add_cards(CLI::App& role, std::int64_t& cards) {
    role.add_option("--cards", cards, "Leave after so many cards")->check(CLI::PositiveNumber);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"OneCard terminals: what stands between a citizen's card and the clearing house",
                 "onecard-terminal"};
    app.require_subcommand(1);
    terminal::GateOptions gate;
    CLI::App* gate_role = add_role(app, "gate", "A transit gate: taps, journal, batches",
                                   terminal::gate_config_example, gate);
    gate_role->add_option("--taps", gate.taps, "Leave after so many taps")
        ->check(CLI::PositiveNumber);

    terminal::KioskOptions kiosk;
    CLI::App* kiosk_role = add_role(app, "kiosk", "A kiosk: loads money, exactly once",
                                    terminal::kiosk_config_example, kiosk);
    add_amounts(*kiosk_role, kiosk.amount_fen, kiosk.amounts);
    add_cards(*kiosk_role, kiosk.cards);

    terminal::DeskOptions desk;
    CLI::App* desk_role = add_role(app, "desk", "A desk: issues cards and SAMs through the issuer",
                                   terminal::desk_config_example, desk);
    desk_role->add_flag("--sam", desk.sam, "SAMs instead of cards");
    desk_role->add_flag("--block", desk.block,
                        "Block chips that the issuer has blocked or retired, instead of issuing");
    desk_role->add_option("--reference", desk.reference,
                          "The issue line's reference; default: the chip's serial");
    desk_role->add_flag("--then-load", desk.then_load, "Load each issued card at once")
        ->excludes("--block");
    add_amounts(*desk_role, desk.amount_fen, desk.amounts);
    add_cards(*desk_role, desk.cards);

    if (const auto status = platform::parse_command_line(app, argc, argv)) return *status;
    if (gate_role->parsed()) return terminal::run_gate(gate);
    if (kiosk_role->parsed()) return terminal::run_kiosk(kiosk);
    return terminal::run_desk(desk);
}
