// onecard-keys: the nation's and the cities' keys, and what is made with them. docs/keys.md.
#include <iostream>

#include <CLI/CLI.hpp>

#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/log.hpp"
#include "platform/process.hpp"

namespace {

constexpr const char* footer = R"(A rehearsal, from nothing to a city that issues cards:
  for who in first second host; do printf "the passphrase of $who\n" > $who; chmod 600 $who; done
  onecard-keys found-nation --dir nation --custodian first=first --custodian second=second --rehearsal --seed 1
  onecard-keys found-city --dir city-3100 --city 3100 --issuer 3104000000000001 \
      --nation nation --nation-custodian first=first --nation-custodian second=second \
      --custodian first=first --custodian second=second --rehearsal --seed 1
  onecard-keys deploy host --city-dir city-3100 --custodian first=first --custodian second=second \
      --out host-3100 --unit host-3100 --passphrase-file host --rehearsal --seed 1
  onecard-keys tree city-3100/keys.store --custodian first=first --custodian second=second
  onecard-keys audit verify city-3100/keys.store --city city-3100/city.json

Without =FILE a passphrase is asked for on the terminal. docs/keys.md says who should be a custodian.
Exit status: 0 done, 1 refused or failed (one line says what, where, what to do), 2 usage.)";

}  // namespace

int main(int argc, char** argv) {
    const platform::Hardening hardening = platform::harden_process();
    CLI::App app{"OneCard key management: founding, deployment, issuing (docs/keys.md)",
                 host::keys::program_name};
    app.footer(footer);
    app.require_subcommand(1);
    platform::add_log_options(app);
    app.add_option_function<std::string>(
           "--hsm-module", [](const std::string& path) { host::keys::set_token_module(path); },
           "PKCS#11 module (a shared library), for stores with a token")
        ->envname("ONECARD_HSM_MODULE");
    host::keys::Run run;
    host::keys::add_founding_commands(app, run);
    host::keys::add_deploy_command(app, run);
    host::keys::add_tree_command(app, run);
    host::keys::add_issuing_commands(app, run);
    host::keys::add_custodian_commands(app, run);
    host::keys::add_audit_commands(app, run);
    host::keys::add_rotation_commands(app, run);
    host::keys::add_delivery_command(app, run);
    host::keys::add_compromise_command(app, run);
    host::keys::add_certificate_commands(app, run);
    host::keys::add_ceremony_commands(app, run);
    host::keys::add_calc_command(app, run);
    if (const auto status = platform::parse_command_line(app, argc, argv)) return *status;
    if (!hardening.memory_locked) host::keys::refuse_live_stores();
    const int status = run();
    std::cout.flush();
    if (std::cout) return status;
    return host::keys::complain({host::keys::RefusalKind::file_failed,
                                 "standard output cannot be written: what was to be shown is not "
                                 "all there"});
}
