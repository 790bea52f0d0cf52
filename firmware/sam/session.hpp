#pragma once
// What a SAM remembers between two commands, and until the next reset.
#include <optional>

#include "firmware/os/keys.hpp"
#include "protocol/sam.hpp"

namespace firmware::sam {

struct Session {
    /// MAC2 that the card must answer to the debit of the last INIT; CREDIT may ask once.
    std::optional<crypto::SecretBytes<4>> expected_mac2;
    /// A grey lock that waits for its sum: usable once CREDIT has seen MAC2.
    struct Grey {
        crypto::purse::ProcessKey key;
        protocol::TerminalNumber terminal;
        bool is_proven = false;
    };
    std::optional<Grey> grey;
    /// The key that 80 1A derived; its usage: what it may do, and nothing else; whose use it is.
    struct Delegated {
        crypto::purse::PurseKey key;
        std::uint8_t usage;
        KeySlot slot;
    };
    std::optional<Delegated> delegated;
    /// Numbers reserved in NVM and not yet given out: [next, end). They die with the reset.
    std::uint32_t next_sequence = 0;
    std::uint32_t reserved_end = 0;

    /// The reserved numbers stay: a new SELECT must not burn a block.
    void close() {
        expected_mac2.reset();
        grey.reset();
        delegated.reset();
    }
};

}  // namespace firmware::sam
