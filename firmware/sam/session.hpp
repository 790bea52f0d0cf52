#pragma once
// What a SAM remembers between two commands, and until the next reset.
#include <optional>

#include "crypto/purse/keys.hpp"
#include "protocol/sam.hpp"

namespace firmware::sam {

struct Session {
    /// MAC2 that the card must answer to the debit of the last INIT; CREDIT may ask once.
    std::optional<crypto::SecretBytes<4>> expected_mac2;
    /// The key that 80 1A derived, and what it may be used for.
    std::optional<crypto::purse::PurseKey> delegated;
    /// Numbers reserved in NVM and not yet given out: [next, end). They die with the reset.
    std::uint32_t next_sequence = 0;
    std::uint32_t reserved_end = 0;

    /// The reserved numbers stay: a new SELECT must not burn a block.
    void close() {
        expected_mac2.reset();
        delegated.reset();
    }
};

}  // namespace firmware::sam
