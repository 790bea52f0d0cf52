#pragma once
// The program's roles. Each answers an exit status (platform::ExitCode).
#include <filesystem>

#include "platform/passphrase.hpp"

namespace terminal {

struct CommonOptions {
    std::filesystem::path config;
    platform::PassphraseSource passphrase;
    bool json = false;
    bool rehearsal = false;
};

struct GateOptions : CommonOptions {
    std::int64_t taps = 0;  ///< leave after so many; 0: never
};
[[nodiscard]] int run_gate(const GateOptions& options);

}  // namespace terminal
