#pragma once
// The card's end of a vsmartcard-vpcd slot: TCP, messages of a two-byte big-endian length and that
// many bytes; a message of one byte is a control code, everything else a command APDU.
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "protocol/bytes.hpp"

namespace firmware::boards {

enum class VpcdControl : std::uint8_t {
    power_off = 0x00,
    power_on = 0x01,
    reset = 0x02,
    get_atr = 0x04
};

enum class LinkError : std::uint8_t {
    cannot_connect,  ///< nobody listens at the slot's port, or the address is not one
    closed,          ///< the reader went away: pcscd stopped
    malformed,       ///< an unknown control code
};
[[nodiscard]] const char* name(LinkError error);

class VpcdLink {
public:
    /// Puts the card into the slot.
    [[nodiscard]] static std::expected<VpcdLink, LinkError> connect(const std::string& host,
                                                                    std::uint16_t port);
    VpcdLink(VpcdLink&& other) noexcept;
    VpcdLink& operator=(VpcdLink&& other) noexcept;
    ~VpcdLink();  ///< takes the card out

    /// The next message; waits for it.
    [[nodiscard]] std::expected<std::vector<std::uint8_t>, LinkError> receive();
    /// One send per answer: see TCP_QUICKACK in the source.
    [[nodiscard]] std::expected<void, LinkError> send(protocol::Bytes message);
    /// For poll(2).
    [[nodiscard]] int descriptor() const { return socket_; }

private:
    explicit VpcdLink(int socket) : socket_{socket} {}
    [[nodiscard]] std::expected<void, LinkError> receive_exactly(protocol::MutableBytes out);
    int socket_;
};

}  // namespace firmware::boards
