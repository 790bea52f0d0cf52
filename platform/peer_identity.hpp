#pragma once
// Who is speaking: the subject of the peer's certificate, nothing in a body.
// docs/online_messages.md, "Who is speaking".
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace platform {

enum class PeerRole : std::uint8_t { terminal, city_host, desk, issuer, operator_admin };
/// The word in the certificate's OU: "terminal", "city-host", "desk", "issuer", "operator-admin".
[[nodiscard]] const char* name(PeerRole role);
[[nodiscard]] std::optional<PeerRole> parse_peer_role(std::string_view word);

struct PeerIdentity {
    PeerRole role = PeerRole::terminal;
    std::string organisation;  ///< O: operator id (16 hex digits) or city code (4 digits)
    std::string unit;          ///< CN: device id (16 hex digits), host, desk or service name
    std::string city;          ///< O of the city's authority that signed it: 4 digits
    friend bool operator==(const PeerIdentity&, const PeerIdentity&) = default;
};

}  // namespace platform
