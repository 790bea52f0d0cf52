#pragma once
// The desk: carries APDUs between the issuer's service and a chip, and knows no key.
// docs/online_messages.md, "Desk to issuer"; docs/kiosk.md, "Desk".
#include <optional>
#include <string>

#include "platform/http.hpp"
#include "terminal/link/card_link.hpp"

namespace terminal {

enum class ChipKind : std::uint8_t { card, sam };

enum class DeskRefusal : std::uint8_t {
    none,
    chip_gone,           ///< torn: ask again with the same reference
    issuer_unreachable,  ///< the same
    issuer_refused,      ///< `detail` begins with the issuer's name for it
    answer_malformed,    ///< not the issuer's JSON
    too_many_rounds,     ///< an issuer that never says done
};
[[nodiscard]] const char* name(DeskRefusal refusal);

struct DeskReport {
    DeskRefusal refusal = DeskRefusal::none;
    std::string number;  ///< of the issued or blocked card or SAM, hex
    std::string detail;
    unsigned commands = 0;
};

/// "chip-0001020304050607": the serial that our chips tell in their ATR (docs/card_commands.md, 2).
/// As a reference it needs no memory at the desk: the same chip asks for the same line again.
[[nodiscard]] std::optional<std::string> chip_reference(Bytes atr);

/// One chip, one session. `reference` is the natural key of the line to issue.
[[nodiscard]] DeskReport issue(CardLink& chip, Bytes atr, ChipKind kind,
                               const std::string& reference, platform::HttpChannel& issuer);
/// Blocks a chip that the issuer has given up. docs/issuing.md, 2.
[[nodiscard]] DeskReport block(CardLink& chip, Bytes atr, ChipKind kind,
                               const std::string& reference, platform::HttpChannel& issuer);

// ---- The issuer's JSON ----
struct IssuingStep {
    std::string session;  ///< in the first answer
    std::vector<std::vector<std::uint8_t>> commands;
    bool done = false;
    std::string number;
};
[[nodiscard]] std::expected<IssuingStep, std::string> parse_issuing_step(std::string_view body);

}  // namespace terminal
