#pragma once
// How APDUs cross the board's serial line. docs/card_boards.md, 3. Used by both ends.
//
//   kind1 | length2, big-endian | payload | check1: exclusive-or of every byte before it
#include <array>
#include <cstddef>
#include <cstdint>

#include "protocol/apdu.hpp"

namespace firmware::boards {

enum class FrameKind : std::uint8_t {
    // To the card.
    reset = 0x01,  ///< payload: `seed_size` fresh random bytes. Also the first frame after power on
    command = 0x02,  ///< payload: a command APDU
    measure = 0x03,  ///< the measured image only: what the last command cost
    cut = 0x04,      ///< the cut image only; payload: the operation of the next command, from 0
    // From the card: the first once, when it has power and listens; the others answer the above.
    ready = 0x80,      ///< no payload
    atr = 0x81,        ///< payload: the ATR, or nothing: the chip stays mute
    answer = 0x82,     ///< payload: a response APDU
    measured = 0x83,   ///< payload: `Cost` of firmware/boards/mps2/measuring.hpp
    cut_armed = 0x84,  ///< no payload
    cut_here = 0x85,   ///< in place of an answer: the board has stopped and waits to lose power
    refused = 0x8F,    ///< the frame was damaged, too long or of an unknown kind; nothing was done
};

constexpr std::size_t frame_header_size = 3;
constexpr std::size_t frame_payload_max = protocol::short_command_size_max;
constexpr std::size_t frame_size_max = frame_header_size + frame_payload_max + 1;
static_assert(frame_payload_max >= protocol::short_response_size_max);

/// What the reader's end gives a chip without a noise source: 32 bytes of entropy and a nonce
/// of 16.
constexpr std::size_t seed_size = 48;
constexpr std::size_t cut_size = 4;  ///< big-endian

[[nodiscard]] constexpr std::array<std::uint8_t, frame_header_size> frame_header(FrameKind kind,
                                                                                 std::size_t size) {
    return {static_cast<std::uint8_t>(kind), static_cast<std::uint8_t>(size >> 8),
            static_cast<std::uint8_t>(size)};
}
[[nodiscard]] constexpr std::uint8_t frame_check(protocol::Bytes bytes, std::uint8_t check = 0) {
    for (const std::uint8_t byte : bytes) check ^= byte;
    return check;
}

}  // namespace firmware::boards
