#include "firmware/boards/virtual/vpcd_link.hpp"

#include <cerrno>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace firmware::boards {

const char* name(LinkError error) {
    switch (error) {
        case LinkError::cannot_connect: return "cannot_connect";
        case LinkError::closed: return "closed";
        case LinkError::malformed: return "malformed";
    }
    return "unknown";
}

std::expected<VpcdLink, LinkError> VpcdLink::connect(const std::string& host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
        return std::unexpected{LinkError::cannot_connect};
    }
    VpcdLink link{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (link.socket_ < 0 ||
        ::connect(link.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected{LinkError::cannot_connect};
    }
    const int on = 1;
    ::setsockopt(link.socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return link;
}

VpcdLink::VpcdLink(VpcdLink&& other) noexcept : socket_{std::exchange(other.socket_, -1)} {}

VpcdLink& VpcdLink::operator=(VpcdLink&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
}

VpcdLink::~VpcdLink() {
    if (socket_ >= 0) ::close(socket_);
}

std::expected<std::vector<std::uint8_t>, LinkError> VpcdLink::receive() {
    std::array<std::uint8_t, 2> length{};
    ONECARD_CHECK(receive_exactly(length));
    std::vector<std::uint8_t> message(
        protocol::read_big_endian(std::span<const std::uint8_t, 2>{length}));
    ONECARD_CHECK(receive_exactly(message));
    return message;
}

std::expected<void, LinkError> VpcdLink::send(protocol::Bytes message) {
    std::vector<std::uint8_t> frame{static_cast<std::uint8_t>(message.size() >> 8),
                                    static_cast<std::uint8_t>(message.size())};
    frame.insert(frame.end(), message.begin(), message.end());
    std::size_t sent = 0;
    while (sent < frame.size()) {
        const ssize_t count =
            ::send(socket_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return std::unexpected{LinkError::closed};
        sent += static_cast<std::size_t>(count);
    }
    return {};
}

std::expected<void, LinkError> VpcdLink::receive_exactly(protocol::MutableBytes out) {
    while (!out.empty()) {
        // The driver sends length and command in two segments; without an immediate acknowledgement
        // of the first, the second waits for the delayed one: 44 ms instead of 0.15 per command.
        // Linux clears the option as it likes.
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
        const ssize_t count = ::recv(socket_, out.data(), out.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return std::unexpected{LinkError::closed};
        out = out.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

}  // namespace firmware::boards
