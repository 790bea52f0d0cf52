#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

struct TreeOptions {
    std::filesystem::path store;
    StoreAccess access;
    bool json = false;
};

struct ShownKey {
    crypto::keys::KeyDescription description;
    std::string check_value;  ///< "-" of a destroyed key
};

std::vector<ShownKey> shown_keys(const KeyStore& store) {
    std::vector<ShownKey> keys;
    for (auto& description : store.list()) {
        const auto id = store.find(description.name);
        const auto value = id ? store.check_value(*id) : std::unexpected{id.error()};
        keys.push_back({std::move(description), value ? platform::to_hex(*value) : "-"});
    }
    std::ranges::sort(keys, {}, [](const ShownKey& key) { return key.description.name; });
    return keys;
}

/// Labels as branches, keys as leaves. Check values, never values.
std::string tree_text(const std::vector<ShownKey>& keys, Mark mark) {
    std::string out = fmt::format("{} key store, {} keys\n", word(mark), keys.size());
    std::string label;
    for (const auto& [description, check_value] : keys) {
        if (description.name.label != label) {
            label = description.name.label;
            out += label + "\n";
        }
        out += fmt::format("    {:<24} {:<5} v{:<3} {:<12} {}\n", name(description.name.use),
                           name(description.name.algorithm), description.name.version.value(),
                           name(description.state), check_value);
    }
    out.pop_back();
    return out;
}

std::string tree_json(const std::vector<ShownKey>& keys, Mark mark) {
    boost::json::array list;
    for (const auto& [description, check_value] : keys) {
        list.push_back(boost::json::object{{"label", description.name.label},
                                           {"use", name(description.name.use)},
                                           {"algorithm", name(description.name.algorithm)},
                                           {"version", description.name.version.value()},
                                           {"state", name(description.state)},
                                           {"check_value", check_value}});
    }
    return boost::json::serialize(boost::json::object{{"mark", word(mark)}, {"keys", list}});
}

Result<void> run_tree(TreeOptions& options) {
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(store, options.access.open(options.store, nonces));
    const auto keys = shown_keys(*store);
    print(options.json, tree_text(keys, mark_of(*store)), tree_json(keys, mark_of(*store)));
    return {};
}

}  // namespace

void add_tree_command(CLI::App& app, Run& run) {
    const auto options = std::make_shared<TreeOptions>();
    CLI::App* command = app.add_subcommand(
        "tree", "Show the keys of a store: label, use, version, state, check value");
    command->add_option("store", options->store, "A key store file (keys.store)")->required();
    command->add_flag("--json", options->json, "Print JSON");
    options->access.add_to(*command);
    command->callback(
        [options, &run] { run = [options] { return status_of(run_tree(*options)); }; });
}

}  // namespace host::keys
