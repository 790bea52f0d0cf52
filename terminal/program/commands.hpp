#pragma once
// The program's roles. Each answers an exit status (platform::ExitCode).
#include <filesystem>
#include <string>

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

struct KioskOptions : CommonOptions {
    std::int64_t amount_fen = 0;    ///< for every card; 0: the configuration's list says
    std::filesystem::path amounts;  ///< lines `card number,fen`; each card once
    std::int64_t cards = 0;         ///< leave after so many; 0: never
};
[[nodiscard]] int run_kiosk(const KioskOptions& options);

struct DeskOptions : CommonOptions {
    bool sam = false;        ///< SAMs, not cards
    bool block = false;      ///< block chips that the issuer has given up, instead of issuing
    std::string reference;   ///< of the one chip to issue; empty: the chip's serial
    bool then_load = false;  ///< the [kiosk] of the configuration loads the card at once
    std::int64_t amount_fen = 0;
    std::filesystem::path amounts;
    std::int64_t cards = 0;
};
[[nodiscard]] int run_desk(const DeskOptions& options);

}  // namespace terminal
