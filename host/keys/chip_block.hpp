#pragma once
// Blocking the application of a chip that lies on a desk: APPLICATION BLOCK, for good, under the
// chip's own lock key. docs/issuing.md, 2; docs/card_commands.md, 4 and 5.
#include "host/keys/issuing.hpp"

namespace host::keys {

/// Step 1: SELECT MF, GET DATA (chip), SELECT the application.
[[nodiscard]] std::vector<ShortCommand> block_opening_commands(ChipKind kind);
/// Who it is. The last answer may be 6283: a blocked application takes the command as well.
[[nodiscard]] IssuingResult<ChipSerial> read_block_opening(
    std::span<const ResponseBytes> responses);

/// Step 2: GET CHALLENGE. Step 3: the block, for its answer. `keys`: what is in the chip.
[[nodiscard]] IssuingResult<std::vector<ShortCommand>> block_commands(
    const crypto::keys::KeyStore& store, const IssuerPlace& place, const IssueOrder& order,
    const ChipSerial& chip, std::span<const KeyStamp> keys,
    std::span<const ResponseBytes> challenge_answer);

}  // namespace host::keys
