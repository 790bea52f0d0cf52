#include "platform/command_line.hpp"

#include <iostream>

#include <CLI/CLI.hpp>

#include "platform/log.hpp"

namespace platform {

std::optional<int> parse_command_line(CLI::App& app, int argc, const char* const* argv) {
    try {  // CLI11 reports by exception; it ends here
        app.parse(argc, argv);
    } catch (const CLI::Success& help) {
        app.exit(help);
        return exit_status(ExitCode::ok);
    } catch (const CLI::ParseError& mistake) {
        std::cerr << app.get_name() << ": " << mistake.what() << " (see --help)\n";
        return exit_status(ExitCode::usage);
    }
    return std::nullopt;
}

void add_passphrase_options(CLI::App& app, PassphraseSource& source) {
    app.add_option("--passphrase-fd", source.descriptor,
                   "Read the passphrase's line from this open file descriptor")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--passphrase-file", source.file,
                   "Read the passphrase's line from this file, which only its owner may read");
}

void add_log_options(CLI::App& app) {
    const auto options = std::make_shared<LogOptions>();
    const auto group = app.add_option_group("log");
    group->add_option("--log-level", options->level, "Least level to log")
        ->transform(
            CLI::CheckedTransformer(std::map<std::string, LogLevel>{{"debug", LogLevel::debug},
                                                                    {"info", LogLevel::info},
                                                                    {"warning", LogLevel::warning},
                                                                    {"error", LogLevel::error}}));
    group->add_flag_callback(
        "--log-json", [options] { options->format = LogFormat::json; }, "One JSON object a line");
    group->add_option("--log-file", options->file, "Append to this file, not to standard error");
    app.parse_complete_callback([options] {
        if (!configure_log(*options)) log_warning("log_file_unwritable", {{"file", options->file}});
    });
}

int complain(std::string_view program, std::string_view what) {
    std::cerr << program << ": " << what << '\n';
    return exit_status(ExitCode::failed);
}

}  // namespace platform
