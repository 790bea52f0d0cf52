#pragma once
// Every command as a line. Adding a command is adding a line.
#include "firmware/os/context.hpp"

namespace firmware {

enum class Protection : std::uint8_t {
    none,    ///< plain only
    either,  ///< the file's own conditions decide
    always,  ///< with a MAC only
};

/// Which applications know the command.
enum class Where : std::uint8_t { anywhere, purse, sam };

/// What the command needs of the card before its handler runs.
enum class Needs : std::uint8_t {
    nothing,           ///< even of a blocked application
    active_directory,  ///< the current application is not blocked
    session,           ///< the personalisation session
};

/// What must have come about before the command may answer that it succeeded, whatever its handler
/// says.
enum class Success : std::uint8_t {
    any,
    proof,  ///< something was proved (with protection `always` it is in any case)
    deed,   ///< and what was done was read back: Context::is_done
};

struct Command {
    std::uint8_t cla, ins;
    Protection protection;
    Where where;
    Needs needs;
    KeyUsage mac_key;  ///< for operational secure messaging
    Success success;
    bool continues;          ///< does not close an open transaction
    Urgency urgency;         ///< of its commit
    std::uint8_t le_answer;  ///< size of a fixed answer; 0: none, or the handler looks at Le
    Outcome<void> (*run)(Context&, const Request&);
};

/// Empty when nobody knows the instruction in this class.
[[nodiscard]] const Command* find_command(std::uint8_t cla, std::uint8_t ins);

}  // namespace firmware
