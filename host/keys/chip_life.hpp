#pragma once
// The life of a chip, from its order to its end, as a pure function. docs/issuing.md, 1.
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocol/hot_list.hpp"

namespace host::keys {

enum class ChipState : std::uint8_t {  // The numbers are in the issue store.
    ordered = 1,                       ///< a line, and no chip yet
    bound = 2,      ///< the chip proved its transport key; its commands may have been sent
    issued = 3,     ///< it has its keys, and proved it
    activated = 4,  ///< handed over, or put into service
    blocked = 5,    ///< for good
    lost = 6,
    retired = 7,  ///< the end
};
constexpr std::uint8_t chip_state_last = 7;
[[nodiscard]] const char* name(ChipState state);
[[nodiscard]] std::optional<ChipState> parse_chip_state(std::string_view word);

enum class ChipStep : std::uint8_t {  // The numbers are in the issue store.
    import = 1,
    claim = 2,  ///< a desk's reference took the line; the state stays
    bind = 3,
    finish = 4,
    release = 5,
    activate = 6,
    lose = 7,
    find = 8,
    block = 9,
    retire = 10,
    chip_blocked = 11,  ///< a desk sent APPLICATION BLOCK; the state stays
    replacement = 12,   ///< its holder's next chip was ordered, or that order cancelled; it stays
};
[[nodiscard]] const char* name(ChipStep step);

enum class LifeRefusal : std::uint8_t {  // In the order they are checked.
    line_unknown,                        ///< no line has this number
    not_issued,                          ///< there is no chip yet
    is_bound,                            ///< a desk is at it: finish or release it first
    is_issued,                           ///< nothing to release: block or retire it
    is_lost,
    is_blocked,
    is_retired,
    is_replaced,   ///< its holder has another one
    reason_wrong,  ///< not a reason for this step
    since_wrong,   ///< a time that has not come yet
};
[[nodiscard]] const char* name(LifeRefusal refusal);

/// Where a step of release, activate, lose, find, block or retire leads; the same state: there is
/// nothing to do. `before_loss` is where a lost chip was.
[[nodiscard]] std::expected<ChipState, LifeRefusal> next(ChipState state, ChipStep step,
                                                         ChipState before_loss = ChipState::issued);

[[nodiscard]] const char* word(protocol::HotReason reason);
[[nodiscard]] std::optional<protocol::HotReason> parse_hot_reason(std::string_view word);

}  // namespace host::keys
