#pragma once
// The commands of onecard-keys. Each adds itself to the program and sets `run` when it was chosen.
#include <functional>

namespace CLI {
class App;
}

namespace host::keys {

using Run = std::function<int()>;

void add_founding_commands(CLI::App& app, Run& run);
void add_deploy_command(CLI::App& app, Run& run);
void add_tree_command(CLI::App& app, Run& run);
void add_issuing_commands(CLI::App& app, Run& run);
void add_custodian_commands(CLI::App& app, Run& run);
void add_audit_commands(CLI::App& app, Run& run);
void add_rotation_commands(CLI::App& app, Run& run);
void add_delivery_command(CLI::App& app, Run& run);
void add_compromise_command(CLI::App& app, Run& run);
void add_certificate_commands(CLI::App& app, Run& run);
void add_ceremony_commands(CLI::App& app, Run& run);
void add_calc_command(CLI::App& app, Run& run);

}  // namespace host::keys
