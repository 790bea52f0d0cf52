#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include "host/keys/city_register.hpp"
#include "host/keys/founding.hpp"
#include "host/keys/issuing_audit.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

constexpr std::size_t city_file_max = 64 * 1024;

struct AuditOptions {
    std::filesystem::path store;
    std::string key;
    std::filesystem::path city;
    std::filesystem::path nation;
    std::string head;
    bool json = false;
};

/// The audit key of the city whose store `store` says it is, as the nation's signed log has it:
/// unlike city.json, nobody can replace it together with the store.
Result<std::array<std::uint8_t, 64>> key_from_nation(const AuditOptions& options) {
    std::vector<crypto::keys::LogEntry> log;
    const auto nation = crypto::keys::audit_sealed_file(
        options.nation, [&](const crypto::keys::LogEntry& entry) { log.push_back(entry); });
    if (!nation) return store_refusal(options.nation.string(), nation.error());
    if (nation->finding || nation->truncated) {
        return refuse(RefusalKind::input_wrong,
                      options.nation.string() + ": its own log is not whole, verify that first");
    }
    const auto store = crypto::keys::audit_sealed_file(options.store, {});
    if (!store) return store_refusal(options.store.string(), store.error());
    ONECARD_TRY(known, fold_log(log));
    for (const KnownCity& city : known.cities) {
        if (city.audit_key == platform::to_hex(store->identity.audit_key)) {
            return store->identity.audit_key;
        }
    }
    return refuse(RefusalKind::nation_mismatch,
                  options.nation.string() + " has no city whose store has the audit key of " +
                      options.store.string());
}

Result<AuditKnowledge> knowledge_of(const AuditOptions& options) {
    AuditKnowledge known;
    if (!options.key.empty()) {
        known.audit_key = platform::from_hex<64>(options.key);
        if (!known.audit_key) {
            return refuse(RefusalKind::input_wrong, "--key: 128 hex digits expected");
        }
    }
    if (!options.city.empty()) {
        const auto text = platform::read_text_file(options.city, city_file_max);
        if (!text) return refuse(RefusalKind::file_failed, text.error().detail);
        ONECARD_TRY(city, parse_city(*text, options.city.string()));
        known.audit_key = city.audit_key;
    }
    if (!options.nation.empty()) {
        ONECARD_TRY(key, key_from_nation(options));
        known.audit_key = key;
    }
    if (!options.head.empty()) {
        known.head = platform::from_hex<32>(options.head);
        if (!known.head) return refuse(RefusalKind::input_wrong, "--head: 64 hex digits expected");
    }
    return known;
}

Result<bool> run_verify(const AuditOptions& options) {
    ONECARD_TRY(known, knowledge_of(options));
    ONECARD_TRY(report, is_issuing_state(options.store) ? audit_issuing_state(options.store, known)
                                                        : audit_store(options.store, known));
    const auto& identity = report.audit.identity;
    std::string text = std::string{name(report.verdict)} + ": " + report.text + "\nhead " +
                       platform::to_hex(report.audit.head);
    if (!known.audit_key) {
        text += "\naudit key " + platform::to_hex(identity.audit_key) +
                "\nCompare this key with the one in the minutes or in city.json: whoever makes a "
                "store anew has another";
    }
    print(options.json, text,
          boost::json::serialize(
              boost::json::object{{"verdict", name(report.verdict)},
                                  {"entry", report.entry},
                                  {"entries", report.audit.count},
                                  {"head", platform::to_hex(report.audit.head)},
                                  {"audit_key", platform::to_hex(identity.audit_key)},
                                  {"text", report.text}}));
    return report.verdict == AuditVerdict::whole;
}

Result<bool> show_issuing(const AuditOptions& options) {
    const auto report = audit_issuing_state(
        options.store, {},
        [](const crypto::keys::LogEntry& entry) { print(false, entry.line, {}); });
    if (!report) return std::unexpected{report.error()};
    return report->verdict == AuditVerdict::whole;
}

/// The entries as they stand, one JSON object a line; stops at the first that is not whole.
Result<bool> run_show(const AuditOptions& options) {
    std::string text;
    if (is_issuing_state(options.store)) return show_issuing(options);
    const auto audit = crypto::keys::audit_sealed_file(
        options.store, [&](const crypto::keys::LogEntry& entry) { text += entry.line + "\n"; });
    if (!audit) return store_refusal(options.store.string(), audit.error());
    if (!text.empty()) text.pop_back();
    print(false, text, {});
    return !audit->finding && !audit->truncated;
}

using Action = Result<bool> (*)(const AuditOptions&);

CLI::App* add_action(CLI::App& audit, Run& run, const std::shared_ptr<AuditOptions>& options,
                     const char* action_name, const char* help, Action action) {
    CLI::App* command = audit.add_subcommand(action_name, help);
    command->add_option("store", options->store, "A key store (keys.store), or an issuing state")
        ->required();
    command->callback([options, &run, action] {
        run = [options, action] {
            const auto whole = action(*options);
            if (!whole) return complain(whole.error());
            return platform::exit_status(*whole ? platform::ExitCode::ok
                                                : platform::ExitCode::failed);
        };
    });
    return command;
}

}  // namespace

void add_audit_commands(CLI::App& app, Run& run) {
    const auto options = std::make_shared<AuditOptions>();
    CLI::App* audit =
        app.add_subcommand("audit", "Read and check a store's log; needs no passphrase");
    audit->require_subcommand(1);
    CLI::App* verify = add_action(
        *audit, run, options, "verify",
        "Find any change, gap or truncation; exit status 0 only if there is none", run_verify);
    verify->add_option("--key", options->key, "The audit key that the store must have, 128 digits");
    verify->add_option("--city", options->city, "Take the key from this city.json");
    verify->add_option("--nation", options->nation,
                       "A city's store: the nation's keys.store, whose log has every city's key");
    verify->add_option("--head", options->head,
                       "A head written down earlier (minutes, an earlier audit): finds an older "
                       "file put back");
    verify->add_flag("--json", options->json, "Print JSON");
    add_action(*audit, run, options, "show", "Print the entries, one JSON object a line", run_show);
}

}  // namespace host::keys
