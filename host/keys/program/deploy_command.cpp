#include <CLI/CLI.hpp>

#include "host/keys/deployment.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

struct DeployOptions {
    std::string role;
    std::filesystem::path city;
    std::filesystem::path nation;
    std::filesystem::path out;
    std::string unit;
    std::string operator_id;
    std::string device;
    unsigned years = 1;
    KeySourceOptions source;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "New passphrase of the unit's store: ",
                                          .confirm = true};
    CustodianOptions custodians;
    CustodianOptions nation_custodians;
    TokenOptions token;
    bool json = false;
};

template <std::size_t size>
Result<std::array<std::uint8_t, size>> required_id(const std::string& text, const char* option) {
    const auto id = platform::from_hex<size>(text);
    if (id) return *id;
    return refuse(RefusalKind::input_wrong,
                  std::string{option} + ": " + std::to_string(size * 2) + " hex digits expected");
}

Result<DeploymentOrder> order_of(const DeployOptions& options) {
    DeploymentOrder order;
    order.directory = options.out;
    order.role = role_options().at(options.role);
    order.unit = options.unit;
    order.years = options.years;
    const bool terminal = order.role == platform::PeerRole::terminal;
    if (terminal || order.role == platform::PeerRole::operator_admin) {
        ONECARD_TRY(operator_id, required_id<8>(options.operator_id, "--operator"));
        order.operator_id = protocol::OperatorId{operator_id};
    }
    if (terminal) {
        ONECARD_TRY(device, required_id<8>(options.device, "--device"));
        order.device = protocol::DeviceId{device};
    }
    return order;
}

Result<void> run_deploy(DeployOptions& options) {
    ONECARD_TRY(order, order_of(options));
    ONECARD_TRY(source,
                KeySource::make(options.source, "deploy/" + options.role + "/" + options.unit +
                                                    options.operator_id + options.device));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(custodians, options.custodians.read());
    std::optional<Nation> nation;
    if (!options.nation.empty()) {
        ONECARD_TRY(nation_custodians, options.nation_custodians.read());
        ONECARD_TRY(opened, open_nation(options.nation, nation_custodians.people, nonces));
        nation = std::move(opened);
        order.nation = &*nation;
    }
    ONECARD_TRY(words, passphrase(options.passphrase));
    order.passphrase = words.bytes();
    ONECARD_TRY(token, options.token.read());
    order.token = std::move(token);
    ONECARD_TRY(city, open_city(options.city, custodians.people, nonces));
    if (city.identity.mark != options.source.mark()) {
        return refuse(RefusalKind::mark_mismatch, options.city.string() + " is " +
                                                      word(city.identity.mark) +
                                                      ": use --rehearsal for rehearsals only");
    }
    ONECARD_TRY(deployment, deploy(order, city, source.random(), platform::SystemClock{}));
    print(options.json,
          std::string{"deployed "} + platform::name(deployment.role) + " " +
              deployment.organisation + " " + deployment.unit + " (" + word(deployment.mark) +
              ") to " + options.out.string(),
          to_json(deployment));
    return {};
}

}  // namespace

void add_deploy_command(CLI::App& app, Run& run) {
    const auto options = std::make_shared<DeployOptions>();
    CLI::App* command = app.add_subcommand(
        "deploy",
        "Write a sealed store with exactly the keys that a place needs, and its TLS "
        "certificate");
    command->add_option("role", options->role, "host, terminal, desk, issuer or operator-admin")
        ->required()
        ->check(CLI::IsMember(role_options()));
    command->add_option("--city-dir", options->city, "The city's directory")->required();
    command->add_option("--out", options->out, "Directory to make")->required();
    command->add_option("--unit", options->unit, "Name of a host, desk, service or person");
    command->add_option("--operator", options->operator_id, "Operator id, 16 hex digits");
    command->add_option("--device", options->device, "Device id of a terminal, 16 hex digits");
    command->add_option("--nation", options->nation,
                        "Issuers that make SAMs: the nation's directory, whose purchase and lock "
                        "roots they get");
    command->add_option("--years", options->years, "How long the certificate is valid")
        ->check(CLI::Range(1, 10));
    command->add_flag("--json", options->json, "Print JSON: deployment.json");
    options->source.add_to(*command);
    platform::add_passphrase_options(*command, options->passphrase);
    options->custodians.add_to(*command, "city");
    options->nation_custodians.add_optional_to(*command, "nation", "nation-");
    options->token.add_to(*command);
    command->callback(
        [options, &run] { run = [options] { return status_of(run_deploy(*options)); }; });
}

}  // namespace host::keys
