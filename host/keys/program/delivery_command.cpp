#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/delivery.hpp"
#include "host/keys/program/city_access.hpp"
#include "host/keys/program/commands.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

struct DeliverOptions {
    CityAccess access;
    std::filesystem::path to;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "Passphrase of the unit's store: ",
                                          .confirm = false};
    bool json = false;
};

std::string delivery_text(const Delivery& delivery) {
    if (delivery.changes.empty()) return delivery.place + " is up to date";
    std::string out = "delivered to " + delivery.place + ":";
    for (const DeliveredKey& each : delivery.changes) {
        out += fmt::format("\n    {:<44} {}{}", text(each.key), name(each.state),
                           each.added ? ", new" : "");
    }
    return out;
}

std::string delivery_json(const Delivery& delivery) {
    json::array changes;
    for (const DeliveredKey& each : delivery.changes) {
        changes.push_back(json::object{
            {"key", text(each.key)}, {"state", name(each.state)}, {"added", each.added}});
    }
    return json::serialize(
        json::object{{"place", delivery.place}, {"changes", std::move(changes)}});
}

Result<void> run_deliver(DeliverOptions& options) {
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.access.open(nonces));
    ONECARD_TRY(words, passphrase(options.passphrase));
    ONECARD_TRY(delivery, deliver({options.to, words.bytes(), options.access.nation()},
                                  options.access.city(), nonces, platform::SystemClock{}));
    print(options.json, delivery_text(delivery), delivery_json(delivery));
    return {};
}

}  // namespace

void add_delivery_command(CLI::App& app, Run& run) {
    const auto options = std::make_shared<DeliverOptions>();
    CLI::App* command = app.add_subcommand(
        "deliver",
        "Bring a deployed store up to date: new versions, states moved forward. Safe to repeat");
    command->add_option("--to", options->to, "The place's directory, as `deploy` wrote it")
        ->required();
    command->add_flag("--json", options->json, "Print JSON");
    platform::add_passphrase_options(*command, options->passphrase);
    options->access.add_to(*command);
    command->footer(
        "Stop the place's program first, or restart it afterwards: it reads its store when it "
        "starts.\nIssuers that make SAMs: name --nation-dir too, or the nation's roots stay as "
        "they are.");
    command->callback(
        [options, &run] { run = [options] { return status_of(run_deliver(*options)); }; });
}

}  // namespace host::keys
