#pragma once
// What a store's log says, folded: which place holds which keys, whose certificates there are, who
// opens the store. Pure: no store, no file. Members that others add are ignored, and so are
// commands that are not known here; our own must be whole. docs/rotation.md, 3.
#include "host/keys/roles.hpp"

namespace host::keys {

/// A deployed store: a host's, an issuer's, a terminal's.
struct Place {
    platform::PeerRole role = platform::PeerRole::terminal;
    std::string organisation;
    std::string unit;
    std::string store;        ///< its id, 32 hex digits
    std::string certificate;  ///< serial, hex
    std::string not_after;    ///< of the certificate, RFC 3339
    HeldKeys keys;            ///< as last deployed or confirmed after a delivery
    HeldKeys announced;       ///< of a delivery that was begun and not confirmed; else empty
    bool replaced = false;    ///< the same unit was deployed again, with another store
    bool revoked = false;     ///< its certificate is
    std::string audit_key;    ///< its log's, 128 hex digits; empty: deployed before it was kept

    /// Waited for by a rotation.
    [[nodiscard]] bool in_service() const { return !replaced && !revoked; }
    /// Known or possible: what a thief of this store may have.
    [[nodiscard]] bool may_hold(const KeyName& key) const;
    /// Holds a root of the nation: it makes SAMs.
    [[nodiscard]] bool makes_sams() const;
    /// "issuer issuer-1".
    [[nodiscard]] std::string text() const;
};
/// In a nation's log, each city that it founded; in a city's log, itself. The last founding counts.
struct KnownCity {
    CityCode city;
    IssuerId issuer;
    std::string audit_key;  ///< nation's log: of the city's store, 128 hex digits
    std::string root;       ///< city's log: public key of the nation's TLS root, 128 hex digits
};
struct CustodianChange {
    std::string at;
    std::vector<std::string> names;
    unsigned quorum = 0;
};
struct CityRegister {
    std::vector<Place> places;  ///< in the order of their first deployment
    std::vector<KnownCity> cities;
    std::vector<CustodianChange> custodians;

    [[nodiscard]] const Place* find(std::string_view store) const;
};

/// `log_malformed`: one of our entries lacks a member, with its number. The entries' signatures
/// were checked when the store was opened.
[[nodiscard]] Result<CityRegister> fold_log(std::span<const crypto::keys::LogEntry> log);

}  // namespace host::keys
