#pragma once
// One card or SAM that answers commands. The real one is a PC/SC connection (terminal/reader); a
// simulation passes a card that lives in the same process.
#include <expected>

#include "protocol/apdu.hpp"

namespace terminal {

using protocol::Bytes;
using protocol::MutableBytes;

/// Why no answer came. For a tap they all mean the same: the card may or may not have acted.
enum class LinkError : std::uint8_t {
    card_gone,     ///< withdrawn, or never there
    card_reset,    ///< someone else reset it: its state is lost
    reader_gone,   ///< unplugged
    service_lost,  ///< pcscd stopped
    malformed,     ///< fewer than two bytes, or more than a short response
};
[[nodiscard]] constexpr const char* name(LinkError error) {
    switch (error) {
        case LinkError::card_gone: return "card_gone";
        case LinkError::card_reset: return "card_reset";
        case LinkError::reader_gone: return "reader_gone";
        case LinkError::service_lost: return "service_lost";
        case LinkError::malformed: return "malformed";
    }
    return "unknown";
}

/// Data and status word, at least two bytes.
using Response = protocol::ByteBuffer<protocol::short_response_size_max>;

class CardLink {
public:
    virtual ~CardLink() = default;
    /// Sends one command and waits for its answer. Never sends anything twice.
    [[nodiscard]] virtual std::expected<Response, LinkError> transmit(Bytes command) = 0;
};

}  // namespace terminal
