#pragma once
// Command-line manners (CLI11): the same exit codes, help and passphrase options in every program.
#include <optional>
#include <string_view>

#include "platform/passphrase.hpp"

namespace CLI {
class App;
}

namespace platform {

enum class ExitCode : int {
    ok = 0,
    failed = 1,  ///< refused or failed: one line on standard error says what, where, what to do
    usage = 2,   ///< the command line is wrong
};
[[nodiscard]] constexpr int exit_status(ExitCode code) {
    return static_cast<int>(code);
}

/// Parses. Nothing: go on. Otherwise the exit status: 0 after --help, 2 after a mistake, which has
/// been explained in one line on standard error.
[[nodiscard]] std::optional<int> parse_command_line(CLI::App& app, int argc,
                                                    const char* const* argv);
/// Adds --passphrase-fd and --passphrase-file, which fill `source`.
void add_passphrase_options(CLI::App& app, PassphraseSource& source);
/// Adds --log-level, --log-json and --log-file, and configures the log when parsed.
void add_log_options(CLI::App& app);

/// One line on standard error: "program: what". Answers ExitCode::failed as a status.
int complain(std::string_view program, std::string_view what);

}  // namespace platform
