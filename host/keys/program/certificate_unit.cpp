// `onecard-keys certificate request`, `install`, `install-crl`: in a unit's own directory.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/program/certificate_options.hpp"
#include "host/keys/unit_certificate.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

constexpr std::size_t lists_size_max = std::size_t{16} * 1024 * 1024;

struct UnitOptions {
    std::filesystem::path directory;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "Passphrase of the unit's store: ",
                                          .confirm = false};
    KeySourceOptions source;
    std::filesystem::path out;
    std::filesystem::path certificate;
    std::vector<std::filesystem::path> lists;
    bool renew = false;
    bool again = false;
    bool json = false;
};

Result<void> run_request(UnitOptions& options) {
    ONECARD_CHECK(options.source.check());
    ONECARD_TRY(words, passphrase(options.passphrase));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(unit, open_unit(options.directory, words.bytes(), nonces));
    if (unit.deployment.mark != options.source.mark()) {
        return refuse(RefusalKind::mark_mismatch, options.directory.string() + " is " +
                                                      word(unit.deployment.mark) +
                                                      ": use --rehearsal for rehearsals only");
    }
    const auto key_count = std::to_string(unit.store->list().size());  // each key its own stream
    ONECARD_TRY(source, KeySource::make(options.source,
                                        "certificate/request/" + unit.deployment.organisation +
                                            "/" + unit.deployment.unit + "/" + key_count));
    ONECARD_TRY(made, request_certificate(unit, {options.renew, options.again}, source.random(),
                                          nonces, platform::SystemClock{}));
    ONECARD_CHECK(write_output(options.out, made.pem));
    print(options.json,
          fmt::format("{} of {}, {}\nfingerprint, to be read out to the custodians:\n{}\nwritten "
                      "to {}",
                      options.renew ? "renewal" : "request", text(made.subject),
                      made.resumed ? "with the key that was waiting" : "with a new key",
                      made.fingerprint, options.out.string()),
          json::serialize(json::object{{"subject", text(made.subject)},
                                       {"fingerprint", made.fingerprint},
                                       {"key", text(made.key)},
                                       {"resumed", made.resumed}}));
    return {};
}

Result<void> run_install(UnitOptions& options) {
    ONECARD_TRY(pem, read_input(options.certificate));
    ONECARD_TRY(words, passphrase(options.passphrase));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(unit, open_unit(options.directory, words.bytes(), nonces));
    ONECARD_TRY(installed, install_certificate(unit, pem, platform::SystemClock{}));
    const auto& certificate = installed.certificate;
    print(options.json,
          fmt::format("{} {} of {}, until {}\nits program takes it when it starts: restart it",
                      installed.changed ? "installed" : "was installed already:",
                      serial_text(certificate.serial), text(certificate.subject),
                      utc_text(certificate.not_after)),
          json::serialize(json::object{{"serial", serial_text(certificate.serial)},
                                       {"subject", text(certificate.subject)},
                                       {"key", text(installed.key)},
                                       {"not_after", utc_text(certificate.not_after)},
                                       {"changed", installed.changed}}));
    return {};
}

Result<void> run_install_lists(UnitOptions& options) {
    std::string pem;
    for (const auto& file : options.lists) {
        ONECARD_TRY(one, read_input(file, lists_size_max));
        pem += one;
    }
    ONECARD_TRY(count, install_lists(options.directory, pem));
    print(options.json,
          fmt::format("{} lists in {}: programs take them before the next connection", count,
                      options.directory.string()),
          json::serialize(json::object{{"lists", count}}));
    return {};
}

CLI::App* add_in_directory(CLI::App& certificate, const std::shared_ptr<UnitOptions>& options,
                           const char* name, const char* help) {
    CLI::App* command = certificate.add_subcommand(name, help);
    command->add_option("--dir", options->directory, "The unit's directory, as `deploy` wrote it")
        ->required();
    command->add_flag("--json", options->json, "Print JSON");
    return command;
}

void add_request(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<UnitOptions>();
    CLI::App* command = add_in_directory(
        certificate, options, "request",
        "Make the unit's next key, beside the one in use, and the request that goes to the city");
    command->add_option("--out", options->out, "File to write, PEM")->required();
    command->add_flag("--renew", options->renew,
                      "The key in use vouches for the new one: nobody reads a fingerprint out");
    command->add_flag("--again", options->again,
                      "Another key than the one that waits already; that one is destroyed");
    platform::add_passphrase_options(*command, options->passphrase);
    options->source.add_to(*command);
    command->callback([options, &run] { run = runner(options, run_request); });
}

void add_install(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<UnitOptions>();
    CLI::App* command = add_in_directory(
        certificate, options, "install",
        "Put the certificate that answers the request in the place of the old one");
    command->add_option("--certificate", options->certificate, "What the city sent")->required();
    platform::add_passphrase_options(*command, options->passphrase);
    command->callback([options, &run] { run = runner(options, run_install); });
}

void add_install_lists(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<UnitOptions>();
    CLI::App* command =
        add_in_directory(certificate, options, "install-crl",
                         "Put revocation lists into a unit's directory; needs no passphrase");
    command->add_option("--list", options->lists, "PEM, once for each file")
        ->required()
        ->expected(1)
        ->take_all();
    command->callback([options, &run] { run = runner(options, run_install_lists); });
}

}  // namespace

void add_certificate_unit_commands(CLI::App& certificate, Run& run) {
    add_request(certificate, run);
    add_install(certificate, run);
    add_install_lists(certificate, run);
}

}  // namespace host::keys
