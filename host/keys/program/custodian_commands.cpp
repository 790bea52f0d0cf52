#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"

namespace host::keys {
namespace {

struct CustodiansOptions {
    std::filesystem::path store;
    CustodianOptions present;
    CustodianOptions future;
    bool json = false;
};

Result<void> run_show(CustodiansOptions& options) {
    const auto opening = crypto::keys::StoreOpening::read(options.store);
    if (!opening) return store_refusal(options.store.string(), opening.error());
    const auto identity = opening->identity();
    std::vector<std::string> names = identity.custodians;
    boost::json::object tokens;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (identity.tokens[i].empty()) continue;
        tokens[names[i]] = identity.tokens[i];
        names[i] += " (token " + identity.tokens[i] + ")";
    }
    const auto& people = identity.custodians;
    print(options.json,
          fmt::format("{} of {} custodians open this store: {}", identity.quorum, names.size(),
                      fmt::join(names, ", ")),
          boost::json::serialize(
              boost::json::object{{"quorum", identity.quorum},
                                  {"custodians", boost::json::array(people.begin(), people.end())},
                                  {"tokens", std::move(tokens)}}));
    return {};
}

/// A store that two people open stays one: docs/keys.md, 6.
Result<void> run_change(CustodiansOptions& options) {
    ONECARD_TRY(random, system_random());
    ONECARD_TRY(present, options.present.read());
    ONECARD_TRY(store, open_store(options.store, present.people, random));
    const unsigned quorum = store->identity().quorum;
    options.future.default_quorum(quorum);
    ONECARD_TRY(future, options.future.read());
    if (quorum >= 2) ONECARD_CHECK(check_dual_control(future));
    if (quorum < 2 && (future.people.size() != 1 || future.people[0].name != service_custodian)) {
        return refuse(
            RefusalKind::input_wrong,
            "a program opens this store alone: --new-custodian service=FILE, nobody else");
    }
    ONECARD_TRY(change,
                StoreChange::begin(*store, command(platform::SystemClock{}, "change-custodians")));
    const auto set = store->set_custodians(future.quorum, future.people);
    if (!set) return store_refusal("custodians", set.error());
    ONECARD_CHECK(change.commit());
    return run_show(options);
}

using Action = Result<void> (*)(CustodiansOptions&);

CLI::App* add_action(CLI::App& parent, Run& run, const std::shared_ptr<CustodiansOptions>& options,
                     const char* action_name, const char* help, Action action) {
    CLI::App* command = parent.add_subcommand(action_name, help);
    command->add_option("store", options->store, "A key store file (keys.store)")->required();
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run, action] {
        run = [options, action] { return status_of(action(*options)); };
    });
    return command;
}

}  // namespace

void add_custodian_commands(CLI::App& app, Run& run) {
    const auto options = std::make_shared<CustodiansOptions>();
    CLI::App* parent = app.add_subcommand("custodians", "Who opens a store together");
    parent->require_subcommand(1);
    add_action(*parent, run, options, "show", "Name them; needs no passphrase", run_show);
    CLI::App* change = add_action(
        *parent, run, options, "change",
        "Other custodians or passphrases: everyone of the new list types one", run_change);
    options->present.add_to(*change, "store");
    options->future.add_new_to(*change, "new store", "new-");
}

}  // namespace host::keys
